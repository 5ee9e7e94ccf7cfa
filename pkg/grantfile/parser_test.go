package grantfile_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/grantfile"
)

const (
	tools = "arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/tools-abcdefghij"
	head  = "grants:\n- gateway: " + tools + "\n  grant: b\n"
)

func parsed(t *testing.T, text string) grantfile.File {
	t.Helper()
	file, err := grantfile.Parse("grants.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestAFileIsReadAsItStands(t *testing.T) {
	file := parsed(t, `source: git/platform
grants:
  - gateway: "*"
    grant: agents of b
    principal: 044455556666   # digits are text: no zero is lost
    expires: 2027-01-31
    role: team/Agent*
    conditions:
      sourceIp: [203.0.113.0/24, 198.51.100.7]
  - {gateway: `+tools+`, grant: "2", principal: ou-abcd-11112222, exclude: [777788889999], source: tickets}
`)
	got := []grant.Attributes{file.Rows[0].Attributes, file.Rows[1].Attributes}
	want := []grant.Attributes{
		{
			"gateway": "*", "grant": "agents of b", "principal": "044455556666", "expires": "2027-01-31", "role": "team/Agent*",
			"conditions": map[string]any{"sourceIp": []any{"203.0.113.0/24", "198.51.100.7"}}, "source": "git/platform",
		},
		{"gateway": tools, "grant": "2", "principal": "ou-abcd-11112222", "exclude": []any{"777788889999"}, "source": "tickets"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	for _, row := range file.Rows {
		if row.Fault != nil {
			t.Error(row.Fault)
		}
	}
}

func TestJSONIsReadAsYAML(t *testing.T) {
	file := parsed(t, "{\n\t\"source\": \"git\",\n\t\"grants\": [\n\t\t{\"gateway\": \"*\", \"grant\": \"b\", \"principal\": \"444455556666\", \"conditions\": {\"sourceIp\": [\"203.0.113.0/24\"]}}\n\t]\n}\n")
	want := grant.Attributes{"gateway": "*", "grant": "b", "principal": "444455556666", "source": "git", "conditions": map[string]any{"sourceIp": []any{"203.0.113.0/24"}}}
	if diff := cmp.Diff(want, file.Rows[0].Attributes); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestWhatIsNotInTheFormIsRejectedWithItsLine(t *testing.T) {
	for _, test := range []struct{ reason, text, want string }{
		{"nothing at all", "", "grants.yaml: the file is empty: write grants: [] for no grants"},
		{"only a comment", "# to do\n", "grants.yaml: the file is empty"},
		{"a list without its name", "- gateway: x\n", "grants.yaml:1: a list instead of fields"},
		{"no grants", "source: git\n", "grants.yaml:1: no grants"},
		{"grants that are none", "grants:\n", "grants.yaml:1: a value instead of a list of rows"},
		{"an unknown field", "grants: []\nprune: true\n", `grants.yaml:2: unknown field "prune"`},
		{"a field twice", "grants: []\nsource: a\nsource: b\n", `grants.yaml:3: field "source" stands on line 2 already`},
		{"an attribute twice", head + "  principal: a\n  principal: b\n", `grants.yaml:5: field "principal" stands on line 4 already`},
		{"an attribute twice, deeper", head + "  conditions:\n    sourceIp: []\n    sourceIp: []\n", `grants.yaml:6: field "sourceIp" stands on line 5 already`},
		{"a source that is no text", "source: [a]\ngrants: []\n", "grants.yaml:1: source is the name"},
		{"an empty source", "source: ''\ngrants: []\n", "grants.yaml:1: source is the name"},
		{"a row that is no mapping", "grants:\n- one\n", "grants.yaml:2: a value instead of fields"},
		{"a row without a gateway", "grants:\n- grant: b\n", "grants.yaml:2: the row has no gateway"},
		{"a row without an id", "grants:\n- gateway: '*'\n", "grants.yaml:2: the row has no grant"},
		{"an id that is null", "grants:\n- gateway: '*'\n  grant:\n", "grants.yaml:2: the row has no grant"},
		{"a row twice", head + "- grant: b\n  gateway: " + tools + "\n", `grants.yaml:4: grant "b" of gateway ` + tools + " stands on line 2 already"},
		{"the row that proves the table", "grants:\n- {gateway: '*', grant: '#meta'}\n", "grants.yaml:2: this row proves the grants table"},
		{"an alias", "grants:\n- &a {gateway: '*', grant: a}\n- *a\n", "grants.yaml:3: an alias instead of fields"},
		{"an alias as a value", head + "  reason: &r x\n  principal: *r\n", "grants.yaml:5: an alias: write the value out"},
		{"a merge", "grants:\n- &a {gateway: '*', grant: a}\n- {<<: *a, grant: b}\n", "grants.yaml:3: a field's name is text"},
		{"a name that is a list", "grants:\n- ? [a]\n  : b\n", "grants.yaml:2: a field's name is text"},
		{"a tag", head + "  principal: !account b\n", "grants.yaml:4: unknown tag !account"},
		{"a tag on a list", head + "  exclude: !set [b]\n", "grants.yaml:4: unknown tag !set"},
		{"a number that is none", head + "  principal: !!float x\n", `grants.yaml:4: "x" is no number`},
		{"a set of something else", head + "  principal: !numberSet [x]\n", "grants.yaml:4: write a set of numbers"},
		{"bytes that are none", head + "  principal: !!binary '?'\n", `grants.yaml:4: "?" is no base64`},
		{"two documents", "grants: []\n---\ngrants: []\n", "grants.yaml:2: a second document begins here"},
		{"broken YAML", "grants:\n- a: b\n c: d\n", "grants.yaml:2: this is no YAML: "},
		{"broken YAML behind the document", "grants: []\n---\n{\n", "this is no YAML: "},
		{"a control character", "grants: []\n# \x01\n", "grants.yaml: this is no YAML: control characters are not allowed"},
		{"bytes that are no text", "grants: \xff\n", "this is no YAML: "},
		{"a file that is too large", "# " + strings.Repeat("x", 32<<20) + "\n", "grants.yaml: the file has more than 33554432 bytes: split it"},
		{"a row that is too large", head + "  reason: " + strings.Repeat("x", 400_000) + "\n", "grants.yaml:2: the row is too large"},
	} {
		file, err := grantfile.Parse("grants.yaml", []byte(test.text))
		if failure, ok := errors.AsType[*grantfile.Error](err); !ok || !strings.Contains(failure.Error(), test.want) || strings.Contains(failure.Error(), "\n") {
			t.Errorf("%s: want %s\ngot %+v, %v", test.reason, test.want, file, err)
		}
	}
}
