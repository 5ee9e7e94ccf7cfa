package main

import (
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
)

// children lists the processes that were started by the process, and by those.
func children(t *testing.T, of int) []string {
	t.Helper()
	listed, err := exec.Command("ps", "-e", "-o", "pid=,ppid=").Output()
	if err != nil {
		cloudtest.Missing(t, "no ps to look for processes with: install procps")
	}
	parents := map[string]string{}
	for line := range strings.Lines(string(listed)) {
		if fields := strings.Fields(line); len(fields) == 2 {
			parents[fields[0]] = fields[1]
		}
	}
	var found []string
	for pid, parent := range parents {
		for parent != "" && parent != "0" {
			if parent == strconv.Itoa(of) {
				found = append(found, pid)
				break
			}
			parent = parents[parent]
		}
	}
	return found
}

func TestAnInterruptedSandboxLeavesNothingBehind(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			directory := t.TempDir()
			s, err := launch(cloudtest.Python(t), directory)
			if err != nil {
				t.Fatal(err)
			}
			// The functions' processes start with the first event.
			eventually(t, "moto and a function run", func() bool { return len(children(t, s.command.Process.Pid)) >= 3 })
			started := children(t, s.command.Process.Pid)

			err = s.end(signal)
			if signal != syscall.SIGKILL && err != nil {
				t.Errorf("want exit 0, got %v; it said: %s", err, s.stderr)
			}
			eventually(t, "all that it started has ended", func() bool {
				for _, pid := range started {
					if exec.Command("kill", "-0", pid).Run() == nil {
						return false
					}
				}
				return true
			})
			if answer, err := http.Get(s.endpoint); err == nil {
				answer.Body.Close()
				t.Error("something answers at its endpoint")
			}
			if _, err := os.Stat(s.config()); signal != syscall.SIGKILL && !errors.Is(err, os.ErrNotExist) {
				t.Errorf("its keys are worth nothing any more, and still in %s", s.config())
			}

			again, err := launch(cloudtest.Python(t), directory)
			if err != nil {
				t.Fatalf("using the directory again: %v", err)
			}
			if err := again.end(os.Interrupt); err != nil {
				t.Errorf("stopping it again: %v", err)
			}
		})
	}
}

func TestASandboxHasTheQuirksThatItIsGiven(t *testing.T) {
	s, err := launch(cloudtest.Python(t), t.TempDir(), "--quirk", "get-without-policy-not-found", "--quirk", "accounts-as-ids")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.end(os.Interrupt); err != nil {
			t.Error(err)
		}
	}()
	c := newGoSDK(t, s, "account-a")
	g := serveGateway(t, s, c, "quirky")
	if _, refusal := c.call(t, agentcore, "GetResourcePolicy", map[string]any{"resourceArn": g.arn}); refusal == nil || refusal.Code != "ResourceNotFoundException" {
		t.Errorf("reading a policy that is not there: want ResourceNotFoundException, got %v", refusal)
	}
	must(t, c, agentcore, "PutResourcePolicy", map[string]any{"resourceArn": g.arn, "policy": document(t, statement(g.arn))})
	if got, _ := must(t, c, agentcore, "GetResourcePolicy", map[string]any{"resourceArn": g.arn})["policy"].(string); !strings.Contains(got, `"`+accountB+`"`) {
		t.Errorf("the account's root comes back as its id, got %s", got)
	}
}

func TestFailedStartHasOneLine(t *testing.T) {
	s := standInFor(t)
	python := cloudtest.Python(t)
	_, port, _ := strings.Cut(strings.TrimPrefix(s.endpoint, "http://"), ":")
	cases := map[string]struct {
		reason    string
		arguments []string
		want      string
	}{
		"the port is taken": {
			"a second one on the same port is refused",
			[]string{"--port", port}, "port " + port + " is in use: stop what listens there, or choose another with --port",
		},
		"the directory is taken": {
			"two would write the same files",
			[]string{"--port", "0", "--dir", s.directory}, "directory " + s.directory + " is in use by another sandbox",
		},
		"an unknown quirk": {
			"the known ones are listed",
			[]string{"--quirk", "colour"}, `quirk "colour" is not known; known are: get-without-policy-not-found, `,
		},
		"no such interpreter": {
			"what sets it up is named",
			[]string{"--port", "0", "--python", "/nonexistent"}, "(is /nonexistent there? `make .venv/ready` sets it up)",
		},
		"functions are not built": {
			"what builds them is named",
			[]string{"--port", "0", "--functions", "/nonexistent"}, "function table-changes is not built: run `make local`",
		},
		"an argument": {
			"nothing is silently ignored",
			[]string{"now"}, `unknown command "now"`,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			command := exec.Command(os.Args[0], append([]string{"up", "--dir", filepath.Join(t.TempDir(), "dir"), "--template", "../../template.yaml", "--python", python}, c.arguments...)...)
			command.Env = append(os.Environ(), asSandbox+"=1")
			output, err := command.CombinedOutput()
			exit := (*exec.ExitError)(nil)
			if !errors.As(err, &exit) || exit.ExitCode() != 1 {
				t.Errorf("%s: want exit 1, got %v", c.reason, err)
			}
			if text := string(output); !strings.HasPrefix(text, "sandbox: ") || strings.Count(text, "\n") != 1 || !strings.Contains(text, c.want) {
				t.Errorf("%s: want one line with %q, got:\n%s", c.reason, c.want, text)
			}
		})
	}
}

func TestSandboxEndsWithMoto(t *testing.T) {
	s, err := launch(cloudtest.Python(t), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, child := range children(t, s.command.Process.Pid) {
		// Functions among them do not matter: moto is missed first.
		_ = exec.Command("kill", "-9", child).Run()
	}
	if err := s.command.Wait(); err == nil {
		t.Error("want exit 1, got 0")
	}
	if got := s.stderr.String(); !strings.Contains(got, "sandbox: moto ended (") {
		t.Errorf("want it to say that moto ended, got: %s", got)
	}
}
