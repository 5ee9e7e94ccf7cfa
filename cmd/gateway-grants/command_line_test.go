package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// What the command line alone shows to be wrong is refused before the Region, the
// credentials or the stack are looked for: of these, there is none here.
func TestWrongCommandLineIsRefusedFirst(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"} {
		t.Setenv(name, "")
	}
	cases := []struct {
		command, args string
		want          string
	}{
		{"access", "--source-ip 192.0.2.1", "name it with --principal"},
		{"access", "tools --caller-profile b", "name it with --principal"},
		{"access", "--principal ou-abcd-11112222", "ou-abcd-11112222 is not one caller"},
		{"access", "--principal arn:aws:sts::4:assumed-role/x", "is not the ARN of a role's session"},
		{"access", "tools search", "access takes an optional GATEWAY, and was given 2 arguments"},
		{"account add", accountB, "write --trusted or --owner"},
		{"account list", accountB + " --owner", "list takes none"},
		{"account remove", "me --owner", `"me" is no account`},
		{"apply", "", "apply takes either --file FILE or a PLAN"},
		{"apply", "a.plan --file b.yaml", "apply takes either --file FILE or a PLAN"},
		{"apply", "a.plan --prune", "--prune goes with --file"},
		{"account add", "444455556666", "write --trusted or --owner"},
		{"account list", "444455556666", "list takes none"},
		{"account remove", "--trusted 4444", "12-digit account ids"},
		{"approve", "--all role-1f0c2a9b", "--all approves everything"},
		{"approve", "--output csv", "approve prints no rows"},
		{"caller-policy", "*", "a caller's policy names one gateway"},
		{"describe", "", "describe takes a GATEWAY, a GRANT, or both"},
		{"doctor", "--regions us-east-1", "they go with --preflight"},
		{"doctor", "tools", "doctor takes flags only"},
		{"gateway create", "", `--name "" is not a gateway's name`},
		{"gateway create", "--name tools --role-arn x", `--role-arn "x" is not a role`},
		{"gateway delete", "tools", "delete takes flags only"},
		{"gateway detach", "", "detach takes a GATEWAY or --all"},
		{"gateway detach", "tools --all", "detach takes a GATEWAY or --all"},
		{"gateway detach", "*", "every one with --all instead of '*'"},
		{"gateway detach", "tools --keep --dry-run", "[dry-run keep]"},
		{"gateway import", "*", "policies are imported one gateway at a time"},
		{"grant", accountB + " 555566667777 --id one", "--id names one row"},
		{"grant", accountB + " --expires 2020-01-01", "would have expired at 2020-01-02"},
		{"grant", accountB + " --expires soon", "nothing was granted (InvalidExpiry)"},
		{"grant", accountB + " --exclude 555566667777", "nothing was granted ("},
		{"grant", accountB + " --timeout 1m", "--timeout goes with --wait"},
		{"history", "--since lately", "write how far back, such as 90m or 7d"},
		{"history", "--since -1h", "--since -1h is no time back"},
		{"invoke", "--arg a=b", "--arg is for a tool"},
		{"invoke", "--tool x --arg a:=b", "is not JSON after :="},
		{"list", "--phase Lost", "--phase Lost is unknown"},
		{"list", "--expiring soon", "--expiring soon is no time"},
		{"list", "--principal 4444", "--principal: "},
		{"plan", "tools --file a.yaml", "leave out GATEWAY or --file"},
		{"plan", "--prune", "--prune and --out go with --file"},
		{"plan", "--out a.plan", "--prune and --out go with --file"},
		{"reconcile", "tools search", "reconcile takes an optional GATEWAY"},
		{"report", "--output xml", "--output xml is unknown"},
		{"revoke", accountB + " --timeout 1m", "--timeout goes with --wait"},
		{"revoke", accountB + " --wait --timeout 0s", "--timeout 0s leaves no time to wait"},
		{"selftest", "", "name a profile of it with --caller-profile"},
		{"selftest", "--caller-profile b --clean tools", `--clean "tools" is not the name of a run`},
		{"selftest", "--caller-profile b --within 0s", "--within 0s leaves no time"},
		{"undo", "", "undo needs to know how far back"},
		{"undo", "--since 10m --yes --dry-run", "[dry-run yes]"},
		{"version", "2", "version takes nothing"},
	}
	for _, c := range cases {
		t.Run(c.command+" "+c.args, func(t *testing.T) {
			got := w.run(append(strings.Fields(c.command), strings.Fields(c.args)...)...)
			if got.code != exitError || got.out != "" || !strings.Contains(got.err, c.want) || strings.Count(got.err, "\n") != 1 {
				t.Errorf("exit %d, want %d saying %q:\n%s%s", got.code, exitError, c.want, got.out, got.err)
			}
		})
	}
	for _, command := range commands((&program{}).rootCommand()) {
		if !slices.ContainsFunc(cases, func(c struct{ command, args, want string }) bool { return c.command == command }) {
			t.Errorf("no wrong command line of %s is tried", command)
		}
	}
}

// commands are the names of all commands that do something.
func commands(of *cobra.Command) []string {
	var names []string
	each(of, func(c *cobra.Command) {
		if !c.HasSubCommands() {
			names = append(names, strings.TrimPrefix(c.CommandPath(), "gateway-grants "))
		}
	})
	return names
}

// each calls do with every command below one, and with that one.
func each(of *cobra.Command, do func(*cobra.Command)) {
	for _, c := range of.Commands() {
		each(c, do)
	}
	do(of)
}
