package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/doctor"
)

// line is one command line of a page. What a line with a schema prints is JSON, as the
// schema of docs/output says.
type line struct{ args, schema string }

// page is testdata/golden/COMMAND.txt: what the command prints, as an admin sees it.
type page struct {
	command string
	begin   func(*testing.T) runner
	lines   []line
}

// runner runs command lines where a page begins.
type runner func(args ...string) said

// admin is the day that most pages begin with: two gateways, a directory, and grants that
// are admitted, left out, expiring and waiting, by a clock that stands.
func admin(t *testing.T) *world {
	t.Helper()
	const other, unit = "555566667777", "ou-abcd-11112222"
	w := newWorld(t)
	w.still = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	w.must(w.directory.AddAccount(other))
	for _, account := range []directory.Account{
		{ID: accountA, Name: "Platform"}, {ID: accountB, Name: "Agents of B"}, {ID: other, Name: "Search & Ads", Path: []string{unit}},
	} {
		account.State, account.Organization, account.ReadAt = directory.StateActive, "o-exampleorgid", w.now()
		_, err := w.accounts.Write(t.Context(), account)
		w.must(err)
	}
	w.must(w.accounts.MarkSynced(t.Context(), w.now()))
	deliver := w.follow()
	w.twoGateways()
	w.foreignPolicy(w.config().GatewayARN, theirAccount)
	w.done("grant", accountB, "--role", "AgentRole", "--id", "agents", "--expires", "2099-01-31", "--reason", "pilot", "--gateway", "tools")
	w.done("grant", unit, "--id", "unit", "--gateway", "*")
	w.done("grant", accountB, "--role", "Gone", "--id", "gone", "--expires", "30d", "--gateway", "tools")
	w.done("grant", "777788889999", "--id", "partner", "--gateway", "search")
	w.done("reconcile", "*")
	w.ahead += time.Hour
	w.done("grant", accountB, "--id", "later", "--gateway", "search")
	deliver()
	return w
}

// twoGateways makes the gateways search and tools, of which tools is in the configuration
// file that commands read.
func (w *world) twoGateways() {
	w.t.Helper()
	w.done("gateway", "create", "--name", "search", "--role-arn", roleARN, "--lambda-arn", echoARN, "--config", "search.json")
	w.done("gateway", "create", "--name", "tools", "--role-arn", roleARN, "--lambda-arn", echoARN)
}

func adminsDay(t *testing.T) runner {
	t.Helper()
	return admin(t).run
}

// edited is the admin's day after rows were changed and removed.
func edited(t *testing.T) runner {
	t.Helper()
	w := admin(t)
	deliver := w.follow()
	w.ahead += time.Hour
	w.done("grant", accountB, "--role", "AgentRole", "--id", "agents", "--expires", "2099-12-31", "--gateway", "tools")
	w.done("revoke", "unit", "--gateway", "*")
	deliver()
	return w.run
}

// crowd is a deployment where accounts left the organization in a crowd.
func crowd(t *testing.T) runner {
	t.Helper()
	return withHeld(t).run
}

// foreignAlone is a gateway whose policy others wrote.
func foreignAlone(t *testing.T) runner {
	t.Helper()
	w := newWorld(t)
	w.twoGateways()
	w.foreignPolicy(w.config().GatewayARN, theirAccount, theirDeny, theirRole)
	return w.run
}

// examinedSo prints what a doctor found, one check of each status. What is found of a
// deployment is tested by pkg/doctor, and on a deployment by cmd/sandbox.
func examinedSo(t *testing.T) runner {
	t.Helper()
	found := []doctor.Result{
		{Check: "stack", Status: doctor.OK},
		{Check: "version", Status: doctor.Skipped, Note: "version v1.2.0 is deployed, and this command line was built without a version"},
		{Check: "tables", Status: doctor.Found, Findings: []doctor.Finding{{
			What: "table gateway-grants may be deleted by anyone who may delete tables", Mend: "aws dynamodb update-table --table-name gateway-grants --deletion-protection-enabled",
		}}},
		{Check: "rules", Status: doctor.Unread, Unread: []string{"AWS denies this: User is not authorized to perform: events:ListRules"}},
	}
	return func(args ...string) said {
		var out strings.Builder
		p := &program{out: &out, settings: options{output: outputTable}}
		if len(args) > 1 {
			p.settings.output = args[2]
		}
		code := exitDone
		if p.sayExamined(found) != nil {
			code = exitError
		}
		return said{code, out.String(), ""}
	}
}

// organized is the admin's day before the organization is turned on.
func organized(t *testing.T) runner {
	t.Helper()
	w := admin(t)
	w.organization = pages{accounts: []string{accountA, accountB}}
	return w.run
}

// filed is the admin's day with a file of grants, which differs from the table.
func filed(t *testing.T) runner {
	t.Helper()
	w := admin(t)
	text := w.done("list", "-o", "yaml").out
	text = strings.Replace(text, "2099-01-31", "2099-12-31", 1) + "  - gateway: \"*\"\n    grant: added\n    principal: 444455556666\n    source: git\n"
	w.must(os.WriteFile("grants.yaml", []byte(text), 0o600))
	return w.run
}

// selftested plays selftests in an own world, where what is granted is applied at once.
func selftested(t *testing.T) runner {
	t.Helper()
	w := newTested(t)
	w.still = time.Now() // calls are signed by it
	return func(args ...string) said { return w.play(t.Context(), args[1:]...) }
}

// called is a gateway that a role of account B may call, now: calls are signed.
func called(t *testing.T) runner {
	t.Helper()
	w := newWorld(t)
	w.twoGateways()
	w.done("grant", accountB, "--role", "AgentRole")
	w.done("reconcile")
	return w.run
}

var golden = []page{
	{"access", adminsDay, []line{
		{"access tools", ""},
		{"access tools -o csv", ""},
		{"access tools -o json", "access-list"},
		{"access --principal 444455556666", ""},
		{"access tools --principal arn:aws:sts::444455556666:assumed-role/AgentRole/session --caller-profile account-b", ""},
		{"access search --principal 777788889999", ""},
		{"access search --principal arn:aws:iam::111122223333:role/GatewayRole -o json", "access"},
		{"access nowhere", ""},
	}},
	{"account add", adminsDay, []line{{"account add --trusted 777788889999 888899990000", ""}, {"account add --trusted 777788889999 -o json", "account"}, {"account add --owner 444455556666 -o json", "account"}}},
	{"account list", adminsDay, []line{{"account list", ""}, {"account list --trusted", ""}, {"account list -o csv", ""}, {"account list -o json", "account"}}},
	{"account remove", adminsDay, []line{{"account remove --trusted 777788889999", ""}, {"account add --trusted 777788889999", ""}, {"account remove --trusted 777788889999 -o json", "account"}}},
	{"apply", filed, []line{
		{"apply --file grants.yaml", ""},
		{"apply --file grants.yaml --yes", ""},
		{"apply --file grants.yaml --yes -o json", "apply"},
		{"apply --file none.yaml", ""},
	}},
	{"approve", crowd, []line{{"approve", ""}, {"approve -o json", "approve"}, {"approve --all", ""}, {"approve --all --yes", ""}, {"approve no-such", ""}}},
	{"caller-policy", adminsDay, []line{{"caller-policy tools", ""}}},
	{"describe", adminsDay, []line{
		{"describe tools", ""}, {"describe unit", ""}, {"describe gone", ""},
		{"describe search -o json", "describe"}, {"describe agents -o json", "describe-grant"}, {"describe nothing", ""},
	}},
	{"doctor", examinedSo, []line{{"doctor", ""}, {"doctor -o json", "doctor"}}},
	{"gateway create", adminsDay, []line{
		{"gateway create --name docs --role-arn " + roleARN + " --lambda-arn " + echoARN + " --config docs.json", ""},
		{"gateway create --name docs --role-arn " + roleARN + " --lambda-arn " + echoARN + " --config docs.json -o json", "gateway-create"},
	}},
	{"gateway delete", adminsDay, []line{{"gateway delete", ""}, {"gateway delete --config search.json -o json", "gateway-delete"}, {"gateway delete", ""}}},
	{"gateway detach", adminsDay, []line{
		{"gateway detach tools --dry-run", ""}, {"gateway detach search --keep", ""}, {"gateway detach --all --dry-run -o json", "gateway-detach"},
		{"gateway detach --all", ""}, {"gateway detach --all --yes", ""}, {"gateway detach --all --yes", ""},
	}},
	{"gateway import", foreignAlone, []line{
		{"gateway import tools", ""}, {"gateway import tools --yes", ""}, {"gateway import search -o json", "gateway-import"},
	}},
	{"grant", adminsDay, []line{
		{"grant 444455556666 555566667777 --gateway tools --gateway search --expires 8h", ""},
		{"grant 444455556666 --gateway tools --expires 30d -o json", "grant"},
		{"grant 444455556666 --gateway tools --expires yesterday", ""},
		{"grant 444455556666 --gateway search --id wait --wait --timeout 30s", ""},
	}},
	{"history", edited, []line{{"history --since 1d", ""}, {"history search --since 1d -o csv", ""}, {"history tools --since 1d -o json", "history"}, {"history --since 1m", ""}}},
	{"invoke", called, []line{
		{"invoke", ""}, {"invoke --profile agent-b --tool echo-tools___echo_message --arg message=hello", ""}, {"invoke --profile account-b --config search.json", ""},
		{"invoke -o json", "invoke"},
	}},
	{"list", adminsDay, []line{
		{"list", ""}, {"list tools", ""}, {"list --expiring 60d", ""}, {"list --phase LeftOut", ""}, {"list --principal 888899990000", ""},
		{"list search -o json", "list"}, {"list tools -o yaml", ""}, {"list search -o csv", ""},
	}},
	{"plan", organized, []line{
		{"plan *", ""}, {"plan search --detailed-exitcode", ""}, {"plan tools -o json", "plan"},
		{"plan --organization", ""}, {"plan --organization -o json", "plan-organization"},
	}},
	{"reconcile", adminsDay, []line{{"reconcile *", ""}, {"reconcile tools", ""}, {"reconcile search -o json", "reconcile"}}},
	{"report", adminsDay, []line{{"report -o csv", ""}, {"report tools -o json", "report"}, {"report --out report.html", ""}}},
	{"revoke", adminsDay, []line{
		{"revoke agents --gateway tools", ""}, {"revoke later --gateway search -o json", "revoke"}, {"revoke 444455556666 --gateway tools", ""}, {"revoke nothing --gateway tools", ""},
	}},
	{"selftest", selftested, []line{{"selftest", ""}, {"selftest -o json", "selftest"}}},
	{"undo", edited, []line{{"undo --since 90m --dry-run", ""}, {"undo --since 90m -o json --dry-run", "undo"}, {"undo --since 90m", ""}, {"undo --since 90m --yes", ""}, {"undo --since 90m", ""}}},
	{"version", adminsDay, []line{{"version", ""}, {"version -o json", "version"}}},
}

// unsteady replaces what differs from run to run, or from machine to machine.
var unsteady = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`(in us-east-1, |"(?:started|ended)": ")[-0-9T:.]+Z`), "${1}2026-11-27T12:00:00Z"}, // of a selftest
	{regexp.MustCompile(`selftest-[a-z0-9]{6}\b`), "selftest-abcdef"},
	{regexp.MustCompile(`\b(docs|search|tools|gateway-grants-selftest-abcdef(?:-open)?)-[a-z0-9]{10}\b`), "$1-abcdefghij"},
	{regexp.MustCompile(`\b(GatewayGrantsmainX)[0-9a-f]{12}\b`), "${1}0123456789ab"},
	{regexp.MustCompile(`\b[0-9a-f]{16}\b`), "0123456789abcdef"},
	{regexp.MustCompile(`\b(departure|role|takeover)-[0-9a-f]{8}\b`), "$1-01234567"},
	{regexp.MustCompile(`\bAROA[A-Z0-9]{17}\b`), "AROA0123456789ABCDEFG"},
	{regexp.MustCompile(`([Tt]arget(?: ID)?:? |target_id": ")[A-Z0-9]{10}\b`), "${1}ABCDEFGHIJ"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "127.0.0.1:4566"},
	{regexp.MustCompile(`go1\.[0-9.]+`), "go1.26"},
}

// written is the page as it is played now.
func (g page) written(t *testing.T) string {
	t.Helper()
	run := g.begin(t)
	var text strings.Builder
	for _, l := range g.lines {
		got := run(strings.Fields(l.args)...)
		if l.schema != "" {
			fits(t, l.schema, got.out)
		}
		fmt.Fprintf(&text, "$ gateway-grants %s\n%s", l.args, got.out)
		for said := range strings.Lines(got.err) {
			text.WriteString("! " + said)
		}
		if got.code != exitDone {
			fmt.Fprintf(&text, "(exit %d)\n", got.code)
		}
		text.WriteString("\n")
	}
	steady := text.String()
	for _, u := range unsteady {
		steady = u.pattern.ReplaceAllString(steady, u.with)
	}
	return steady
}

func TestEachCommandPrintsItsPage(t *testing.T) {
	pages := filepath.Join(root, "cmd", "gateway-grants", "testdata", "golden")
	for _, g := range golden {
		t.Run(g.command, func(t *testing.T) {
			file := filepath.Join(pages, strings.ReplaceAll(g.command, " ", "-")+".txt")
			got := g.written(t)
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("run go test ./cmd/gateway-grants -run ItsPage -update: -want +got\n%s", diff)
			}
		})
	}
}

// Each command has a page, in each form that it prints, and each schema an output.
func TestThePagesAreOfEveryCommandAndEveryForm(t *testing.T) {
	schemaless := map[string]string{"caller-policy": "what it prints is a policy of IAM, as JSON, always"}
	shown := map[string]bool{}
	each((&program{}).rootCommand(), func(cmd *cobra.Command) {
		name := strings.TrimPrefix(cmd.CommandPath(), "gateway-grants ")
		if cmd.HasSubCommands() {
			return
		}
		at := slices.IndexFunc(golden, func(g page) bool { return g.command == name })
		if at < 0 {
			t.Errorf("%s has no page", name)
			return
		}
		has := func(what func(l line) bool) bool {
			return slices.ContainsFunc(golden[at].lines, func(l line) bool { return strings.HasPrefix(l.args, name) && what(l) })
		}
		if !has(func(l line) bool { return !strings.Contains(l.args, "-o ") }) {
			t.Errorf("%s: no line prints for people", name)
		}
		if !has(func(l line) bool { return l.schema != "" }) && schemaless[name] == "" {
			t.Errorf("%s: no line prints JSON with a schema", name)
		}
		if cmd.Annotations[annotationRows] != "" && !has(func(l line) bool { return strings.Contains(l.args, "-o csv") }) {
			t.Errorf("%s: no line prints CSV", name)
		}
	})
	for _, g := range golden {
		for _, l := range g.lines {
			shown[l.schema] = true
		}
	}
	for schema := range schemas {
		if !shown[schema] {
			t.Errorf("no page has an output of %s", schemaFile(schema))
		}
	}
}
