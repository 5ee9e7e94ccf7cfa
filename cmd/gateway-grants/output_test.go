package main

import (
	"encoding/csv"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/jsonschema-go/jsonschema"
	"go.yaml.in/yaml/v3"

	"github.com/gateway-grants/gateway-grants/pkg/report"
	"github.com/gateway-grants/gateway-grants/pkg/selftest"
)

var update = flag.Bool("update", false, "write the schemas of docs/output from the types that are printed")

// schemas are those of docs/output: what each command prints for other programs.
var schemas = map[string]func() (*jsonschema.Schema, error){
	"access":            schemaOf[[]accessText],
	"account":           schemaOf[[]listedAccount],
	"access-list":       schemaOf[[]callerRow],
	"describe":          schemaOf[describedGateway],
	"describe-grant":    schemaOf[describedGrant],
	"grant":             schemaOf[[]grantedText],
	"revoke":            schemaOf[[]revokedText],
	"list":              schemaOf[[]listedRow],
	"plan":              schemaOf[[]planned],
	"plan-organization": schemaOf[organizationPlan],
	"apply":             schemaOf[applied],
	"approve":           schemaOf[approval],
	"report":            schemaOf[report.Report],
	"reconcile":         schemaOf[[]reconciled],
	"invoke":            schemaOf[invocation],
	"history":           schemaOf[[]changed],
	"undo":              schemaOf[[]undone],
	"gateway-create":    schemaOf[gatewayConfig],
	"gateway-delete":    schemaOf[deleted],
	"gateway-detach":    schemaOf[[]detachedText],
	"gateway-import":    schemaOf[imported],
	"doctor":            schemaOf[examined],
	"selftest":          schemaOf[selftest.Report],
	"version":           schemaOf[build],
}

// schemaOf describes a type. Readers must bear members that are added later.
func schemaOf[T any]() (*jsonschema.Schema, error) {
	schema, err := jsonschema.For[T](&jsonschema.ForOptions{IgnoreInvalidTypes: true})
	if err != nil {
		return nil, err
	}
	open(schema)
	return schema, nil
}

func open(schema *jsonschema.Schema) {
	if schema == nil {
		return
	}
	if schema.Properties != nil {
		schema.AdditionalProperties = nil
	}
	open(schema.Items)
	for _, property := range schema.Properties {
		open(property)
	}
}

// root is that of the repository; commands are run elsewhere.
var root = func() string {
	path, err := filepath.Abs("../..")
	if err != nil {
		panic(err)
	}
	return path
}()

func schemaFile(command string) string {
	return filepath.Join(root, "docs", "output", command+".schema.json")
}

func TestTheSchemasAreOfWhatIsPrinted(t *testing.T) {
	for command, of := range schemas {
		schema, err := of()
		if err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		schema.Title = "gateway-grants " + command
		schema.Schema = "https://json-schema.org/draft/2020-12/schema"
		want, err := json.MarshalIndent(schema, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, '\n')
		if *update {
			if err := os.WriteFile(schemaFile(command), want, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(schemaFile(command))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s: run go test ./cmd/gateway-grants -run Schemas -update: -want +got\n%s", command, diff)
		}
	}
}

// fits fails the test if the text is not as the schema of the command says.
func fits(t *testing.T, command, text string) {
	t.Helper()
	file, err := os.ReadFile(schemaFile(command))
	if err != nil {
		t.Fatal(err)
	}
	var schema jsonschema.Schema
	if err := json.Unmarshal(file, &schema); err != nil {
		t.Fatal(err)
	}
	resolved, err := schema.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, text)
	}
	if err := resolved.Validate(value); err != nil {
		t.Errorf("%s is not as its schema says: %v\n%s", command, err, text)
	}
}

func TestOutputMatchesSchemaInJSONAndYAML(t *testing.T) {
	w := listed(t)
	w.created()
	w.done("grant", accountB)
	for _, args := range []string{"list", "list *", "plan", "reconcile", "reconcile *", "invoke", "invoke --profile account-b", "version"} {
		line := strings.Fields(args)
		asJSON := w.run(append(line, "-o", "json")...)
		fits(t, line[0], asJSON.out)
		if line[0] == "plan" || line[0] == "reconcile" { // the next run has something else to say
			continue
		}
		if line[0] == "list" { // as YAML it is a file that apply takes
			continue
		}
		var fromJSON, fromYAML any
		w.must(json.Unmarshal([]byte(asJSON.out), &fromJSON))
		w.must(yaml.Unmarshal([]byte(w.run(append(line, "-o", "yaml")...).out), &fromYAML))
		if diff := cmp.Diff(fromJSON, fromYAML); diff != "" {
			t.Errorf("%s: -JSON +YAML\n%s", args, diff)
		}
	}
}

func TestYAMLIsInItsOwnStyle(t *testing.T) {
	got, err := asYAML([]byte(`[{"account":"012345678901","on":"off","when":"2027-01-31","none":null,"list":["a: b"],"empty":[],"count":1}]`))
	if err != nil {
		t.Fatal(err)
	}
	want := `- account: "012345678901"
  "on": "off"
  when: "2027-01-31"
  none: null
  list:
    - 'a: b'
  empty: []
  count: 1
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestRowsAsCSV(t *testing.T) {
	w := listed(t)
	w.done("grant", gatewayARN, "444455556666", "--reason", "=HYPERLINK(\"x\")", "--source-ip", "10.0.0.0/8")
	rows, err := csv.NewReader(strings.NewReader(w.done("list", "-o", "csv").out)).ReadAll()
	w.must(err)
	if diff := cmp.Diff([]string{
		"gateway", "grant", "principal", "accountName", "role", "follow", "from", "exclude", "expires", "phase", "reason",
		"message", "since", "admitted", "why", "requestedBy", "source",
	}, rows[0]); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if got := rows[3]; got[0] != gatewayARN || got[1] != "444455556666" || got[14] != `'=HYPERLINK("x")` {
		t.Errorf("the formula of a reason is not kept text: %q", got)
	}
	if want := len(w.rows()) + 1; len(rows) != want {
		t.Errorf("%d lines, want %d", len(rows), want)
	}
}
