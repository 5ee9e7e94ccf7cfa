package main

import (
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// notDone are the examples of the help that do not end with 0 in the world, with what
// they say instead.
var notDone = map[string]string{
	"grant 444455556666 555566667777 --gateway tools --gateway search --wait": "not in force after 5m0s", // no function is deployed in the world
	"plan '*' --detailed-exitcode --output json":                              `"write": true`,
	"apply --file grants.yaml":                                                "nothing was applied: answer y, or repeat the command with --yes", // the world has no terminal
	"approve role-1f0c2a9b takeover-77c04d1e":                                 `nothing that waits has the id "role-1f0c2a9b"`,
	"doctor":                                                "stack         unread", // no template is deployed in the world
	"doctor --output json":                                  `"healthy": false`,
	"gateway import tools-abcdefghij":                       "nothing was imported: answer y, or repeat the command with --yes",
	"gateway detach tools-abcdefghij --dry-run":             "would lose access",
	"gateway detach --all --dry-run":                        "would lose access",
	"invoke --tool calc___add --arg a:=1 --arg b:=2":        "FAILED",
	"invoke https://mcp.example.com/mcp --region us-east-1": "", // of another host: not called by tests
	"invoke https://tools-abcdefghij.gateway.bedrock-agentcore.us-east-1.amazonaws.com/mcp": "",
}

// helped is a world that the examples of the help are about.
func helped(t *testing.T, command string) (w *world, ids map[string]string, run runner) {
	t.Helper()
	if command == "selftest" {
		tested := newTested(t)
		return tested.world, nil, func(args ...string) said { return tested.play(t.Context(), args[1:]...) }
	}
	w, _ = named(t, "Agents of B")
	for _, name := range []string{"search", "tools", "other"} {
		w.done("gateway", "create", "--name", name, "--role-arn", roleARN, "--lambda-arn", echoARN, "--config", name+".json")
	}
	search, err := readGatewayConfig("search.json")
	w.must(err)
	w.must(os.Rename("tools.json", "gateway_config.json"))
	ids = map[string]string{"tools-abcdefghij": w.config().GatewayID, "search-klmnopqrst": search.GatewayID}
	_, err = w.directory.CreateRole(accountA, "/", "AgentCoreGatewayServiceRole", w.parse(trustNobody))
	w.must(err)
	w.foreignPolicy(w.config().GatewayARN, theirRole)
	w.must(os.WriteFile("grants.yaml", []byte("source: git\ngrants:\n  - {gateway: '*', grant: tonight, principal: 444455556666}\n"), 0o600))
	switch command {
	case "create":
		w.must(os.Remove("gateway_config.json"))
	case "detach", "gateway", "gateway-grants":
		w.done("grant", accountB, "--expires", "1d")
		w.done("reconcile")
	}
	return w, ids, w.run
}

// before puts into the table, before each example, what the examples of a command are
// about: those of grant and gateway are of a table without it.
func (w *world) before(command string, ids map[string]string) {
	w.t.Helper()
	if command == "grant" || command == "gateway" || command == "import" || command == "gateway-grants" {
		return
	}
	for _, row := range [][3]string{
		{"tools-abcdefghij", accountB, accountB},
		{"tools-abcdefghij", accountB + ":role/AgentRole", "arn:aws:iam::" + accountB + ":role/AgentRole"},
		{"tools-abcdefghij", "555566667777", "555566667777"},
		{"tools-abcdefghij", "agents-of-b", "arn:aws:iam::" + accountB + ":role/Agents"},
		{"search-klmnopqrst", accountB, accountB},
		{"search-klmnopqrst", "555566667777", "555566667777"},
		{"*", "ou-abcd-11112222", "ou-abcd-11112222"},
	} {
		gateway := row[0]
		if id := ids[gateway]; id != "" {
			gateway = "arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/" + id
		}
		w.must(w.grants.Put(w.t.Context(), grant.Attributes{grant.AttrGateway: gateway, grant.AttrGrant: row[1], grant.AttrPrincipal: row[2], grant.AttrSource: "git"}, false))
	}
	switch command {
	case "apply":
		w.done("plan", "--file", "grants.yaml", "--out", "tonight.plan")
	case "invoke":
		w.done("reconcile")
	}
}

// Each example of the help does what it is an example of.
func TestTheExamplesOfTheHelpRun(t *testing.T) {
	left := map[string]bool{}
	for example := range notDone {
		left[example] = true
	}
	each((&program{}).rootCommand(), func(cmd *cobra.Command) {
		lines := examplesOf(cmd)
		if len(lines) == 0 {
			return
		}
		t.Run(cmd.CommandPath(), func(t *testing.T) {
			w, ids, run := helped(t, cmd.Name())
			for _, example := range lines {
				w.before(cmd.Name(), ids)
				want, otherwise := notDone[example]
				if delete(left, example); otherwise && want == "" {
					continue
				}
				w.runsExample(run, ids, example, want)
			}
		})
	})
	for example := range left {
		t.Errorf("no help has the example %q", example)
	}
}

// examplesOf are the command lines of the help's examples.
func examplesOf(cmd *cobra.Command) []string {
	var examples []string
	for line := range strings.Lines(strings.ReplaceAll(cmd.Example, "\\\n", "")) {
		if words, is := strings.CutPrefix(strings.TrimSpace(line), "gateway-grants "); is {
			examples = append(examples, words)
		}
	}
	return examples
}

// runsExample runs an example, with the ids of gateways that are there, and writes the
// file that it writes. It has to be done, unless it is to say something else.
func (w *world) runsExample(run runner, ids map[string]string, example, want string) {
	w.t.Helper()
	line, file, _ := strings.Cut(example, " > ")
	for shown, id := range ids {
		line = strings.ReplaceAll(line, shown, id)
	}
	got := run(words(line)...)
	if file != "" {
		w.must(os.WriteFile(file, []byte(strings.Replace(got.out, "grants:", "source: git\ngrants:", 1)), 0o600))
	}
	if (got.code == exitDone) != (want == "") || !strings.Contains(got.out+got.err, want) {
		w.t.Errorf("%s: exit %d\n%s%s", example, got.code, got.out, got.err)
	}
}
