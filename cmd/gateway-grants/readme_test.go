package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/agentcore"
)

// steady replaces what differs from run to run by text of the same length.
var steady = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`tools-[a-z0-9]{10}\b`), "tools-abcdefghij"},
	{regexp.MustCompile(`\b202\d-\d\d-\d\dT\d\d:\d\d:\d\dZ`), "2026-11-27T12:00:00Z"},
	{regexp.MustCompile(`\b[0-9a-f]{16}\b`), "0123456789abcdef"},
	{regexp.MustCompile(`GatewayGrantsmainX[0-9a-f]{12}\b`), "GatewayGrantsmainX0123456789ab"},
	{regexp.MustCompile(`\b\ds\b`), "0s"},
}

// The section of the README has commands behind "$ ", and below each what it prints.
func TestTheAdminsDayOfTheREADMEIsAsItIsPrinted(t *testing.T) {
	path := filepath.Join(root, "README.md")
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "### The admin's day\n", "\n```\n"
	before, rest, found := strings.Cut(string(page), begin)
	intro, rest, opened := strings.Cut(rest, "```console\n")
	block, after, closed := strings.Cut(rest, end)
	if !found || !opened || !closed {
		t.Fatal("README.md has no section with the admin's day")
	}
	w := newWorld(t)
	w.done("gateway", "create", "--name", "tools", "--role-arn", roleARN, "--lambda-arn", echoARN)
	commands := 0
	var printed strings.Builder
	for line := range strings.Lines(block + "\n") {
		command, is := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "$ gateway-grants ")
		if !is {
			continue
		}
		commands++
		got := w.done(strings.Fields(command)...)
		text := got.out + got.err
		for _, s := range steady {
			text = s.pattern.ReplaceAllString(text, s.with)
		}
		printed.WriteString(line + text)
	}
	want := strings.TrimSuffix(printed.String(), "\n")
	if *update {
		if err := os.WriteFile(path, []byte(before+begin+intro+"```console\n"+want+end+after), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if commands != 10 {
		t.Errorf("%d commands, want ten", commands)
	}
	if diff := cmp.Diff(want, block); diff != "" {
		t.Errorf("run go test ./cmd/gateway-grants -run AdminsDay -update: -printed +README\n%s", diff)
	}
}

func TestTheExamplesOfTheHelpAreCommandLines(t *testing.T) {
	p := &program{clock: agentcore.SystemClock()}
	examples := 0
	each(p.rootCommand(), func(cmd *cobra.Command) {
		for _, line := range examplesOf(cmd) {
			examples++
			if err := parses(p.rootCommand(), line); err != nil {
				t.Errorf("%s: example %q: %v", cmd.CommandPath(), line, err)
			}
		}
	})
	if examples < 20 {
		t.Errorf("only %d examples were found", examples)
	}
}

// word is one of a shell's words: quotes keep blanks, and what follows a > or | is no
// argument.
var word = regexp.MustCompile(`'[^']*'|"[^"]*"|\S+`)

// words are a line's up to what a shell takes for itself.
func words(line string) []string {
	var args []string
	for _, w := range word.FindAllString(line, -1) {
		if w == ">" || w == "|" || w == "&&" {
			break
		}
		args = append(args, strings.Trim(w, `'"`))
	}
	return args
}

// parses reports whether the command takes the flags and the arguments.
func parses(top *cobra.Command, line string) error {
	args := words(line)
	cmd, rest, err := top.Find(args)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if cmd.Args == nil {
		return nil
	}
	return cmd.Args(cmd, cmd.Flags().Args())
}

func TestGatewaysAndGrantsAreCompleted(t *testing.T) {
	w := listed(t)
	for line, want := range map[string][]string{
		"describe ":              {"tools-abcdefghij", "a-admitted", "g-new"},
		"revoke tools-":          {"tools-abcdefghij"},
		"list ":                  {"tools-abcdefghij"},
		"grant --gateway tools-": {"tools-abcdefghij"},
		"report ":                {"tools-abcdefghij"},
		"gateway detach tools-":  {"tools-abcdefghij"},
		"list --phase ":          {"Admitted", "LeftOut"},
		"list --profile nobody ": nil,
	} {
		args := append([]string{"__complete"}, strings.Split(line, " ")...)
		got := w.run(args...)
		for _, name := range want {
			if !strings.Contains(got.out, name+"\n") {
				t.Errorf("%q: %q is missing:\n%s%s", line, name, got.out, got.err)
			}
		}
		if want == nil && strings.Contains(got.out, "tools-") || line == "list " && strings.Contains(got.out, "a-admitted") {
			t.Errorf("%q completes\n%s", line, got.out)
		}
	}
}
