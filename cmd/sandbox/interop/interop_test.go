//go:build interop

package interop_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	control "github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol/types"

	"github.com/gateway-grants/gateway-grants/cmd/sandbox/interop"
)

var write = flag.Bool("write", false, "write docs/interop.md when everything has passed")

// clients are the programs of clients/, in the order of the table, with the virtual
// environment that each needs and the profile that it runs as.
var clients = []struct {
	script, venv, profile string
	arguments             func(t *testing.T, w *world) []string
}{
	{"resource_policy_client.py", ".venv-agents", "account-a", func(t *testing.T, w *world) []string {
		t.Helper()
		return []string{w.otherGateway(t), accountB}
	}},
	{"gateway_client.py", ".venv-agents", "account-a", func(_ *testing.T, w *world) []string {
		return []string{gatewayRole, w.gateway.Function}
	}},
	{"toolkit.py", ".venv-agents", "account-a", nil},
	{"strands_agent.py", ".venv-agents", "account-b", url},
	{"langchain_adapters.py", ".venv-agents", "account-b", url},
	{"mcp_proxy.py", ".venv-agents", "account-b", url},
	{"mcp_sdk.py", ".venv-mcp", "account-b", url},
}

const gatewayRole = "arn:aws:iam::111122223333:role/AgentCoreGatewayServiceRole"

func url(_ *testing.T, w *world) []string { return []string{w.gateway.URL} }

func TestClientsOfOthers(t *testing.T) {
	w := newWorld(t)
	var rows []interop.Row
	for _, c := range clients {
		t.Run(c.script, func(t *testing.T) {
			var arguments []string
			if c.arguments != nil {
				arguments = c.arguments(t, w)
			}
			rows = append(rows, w.run(t, c.venv, c.profile, c.script, arguments...))
		})
	}
	t.Run("foreign_writer.py", func(t *testing.T) { rows = append(rows, w.foreignWriter(t)) })
	var differences []interop.Difference
	for _, suite := range []struct {
		name string
		run  func(*testing.T) (interop.Row, []interop.Difference)
	}{{"conformance", w.conformance}, {"moto", w.motoTests}} {
		t.Run(suite.name, func(t *testing.T) {
			row, unlike := suite.run(t)
			rows, differences = append(rows, row), append(differences, unlike...)
		})
	}
	if *write && !t.Failed() {
		page := interop.Page(rows, differences)
		if err := os.WriteFile(filepath.Join(w.repository, "docs", "interop.md"), []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// run runs a script of clients/ and reads what it says.
func (w *world) run(t *testing.T, venv, profile, script string, arguments ...string) interop.Row {
	t.Helper()
	program := exec.Command(filepath.Join(w.repository, venv, "bin", "python"), append([]string{filepath.Join("clients", script)}, arguments...)...)
	program.Env = w.environment(profile)
	var stdout, stderr bytes.Buffer
	program.Stdout, program.Stderr = &stdout, &stderr
	if err := program.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", script, err, stdout.String(), stderr.String())
	}
	var row interop.Row
	for line := range strings.Lines(stdout.String()) {
		if version, ok := strings.CutPrefix(line, "version: "); ok {
			name, number, _ := strings.Cut(strings.TrimSpace(version), " ")
			row.Packages = append(row.Packages, [2]string{name, number})
		}
		if sentence, ok := strings.CutPrefix(line, "did: "); ok {
			row.Did = append(row.Did, strings.TrimSpace(sentence))
		}
	}
	if len(row.Packages) == 0 || len(row.Did) == 0 {
		t.Fatalf("%s says too little:\n%s%s", script, stdout.String(), stderr.String())
	}
	return row
}

// foreignWriter has a tool of others replace and delete the policy of a gateway that
// the product manages.
func (w *world) foreignWriter(t *testing.T) interop.Row {
	t.Helper()
	ours := w.policy(t)
	theirs := `{"Sid":"ToolOfOthers","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + management + `:root"},` +
		`"Action":"bedrock-agentcore:InvokeGateway","Resource":"` + w.gateway.ARN + `"}`
	row := w.run(t, ".venv-mcp", "account-a", "foreign_writer.py", "put", w.gateway.ARN, `{"Version":"2012-10-17","Statement":[`+theirs+`]}`)
	w.eventually(t, "our statements are back beside theirs", func() bool {
		now := w.policy(t)
		return strings.Contains(now, theirs) && strings.Contains(now, statementsOf(t, ours))
	})
	deleted := w.run(t, ".venv-mcp", "account-a", "foreign_writer.py", "delete", w.gateway.ARN)
	w.eventually(t, "our statements are back alone", func() bool { return w.policy(t) == ours })
	row.Did = append(row.Did, deleted.Did...)
	return row
}

// statementsOf is the text of a policy's statements.
func statementsOf(t *testing.T, policy string) string {
	t.Helper()
	var document struct{ Statement []json.RawMessage }
	if err := json.Unmarshal([]byte(policy), &document); err != nil {
		t.Fatal(err)
	}
	texts := make([]string, len(document.Statement))
	for i, s := range document.Statement {
		texts[i] = string(s)
	}
	return strings.Join(texts, ",")
}

// otherGateway is one that the product does not manage.
func (w *world) otherGateway(t *testing.T) string {
	t.Helper()
	made, err := control.NewFromConfig(w.sdk(t, "account-a")).CreateGateway(t.Context(), &control.CreateGatewayInput{
		Name: aws.String("unmanaged"), RoleArn: aws.String(gatewayRole), AuthorizerType: types.AuthorizerTypeAwsIam,
	})
	if err != nil {
		t.Fatal(err)
	}
	return *made.GatewayArn
}
