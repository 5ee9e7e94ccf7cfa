package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	control "github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
)

// terminal is a shell in a terminal, which tmux emulates: what it shows is what a person
// would see.
type terminal struct {
	t      *testing.T
	socket string
}

// newTerminal opens a shell that has the program in its path, as a profile. Completion is
// loaded as the help of `gateway-grants completion bash` says.
func newTerminal(t *testing.T, s *sandbox, profile, program string) terminal {
	t.Helper()
	const completion = "/usr/share/bash-completion/bash_completion"
	_, noTmux := exec.LookPath("tmux")
	if _, err := os.Stat(completion); noTmux != nil || err != nil {
		cloudtest.Missing(t, "no tmux or no bash-completion: run `make build/terminal/ready`")
	}
	settings := filepath.Join(t.TempDir(), "bashrc")
	text := "PS1='> '\nsource " + completion + "\nsource <(gateway-grants completion bash)\n"
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	term := terminal{t: t, socket: filepath.Join(t.TempDir(), "tmux")}
	start := term.tmux("new-session", "-d", "-x", "160", "-y", "50", "bash --noprofile --rcfile "+settings+" -i")
	start.Dir = t.TempDir()
	path := "PATH=" + filepath.Dir(program) + ":" + os.Getenv("PATH")
	start.Env = append(slices.DeleteFunc(s.environment(profile), func(setting string) bool { return strings.HasPrefix(setting, "PATH=") }),
		path, "TERM=xterm-256color", "LANG=C.UTF-8")
	if output, err := start.CombinedOutput(); err != nil {
		t.Fatalf("tmux: %v\n%s", err, output)
	}
	t.Cleanup(func() { _ = term.tmux("kill-server").Run() }) // the shell may have ended
	term.empty()
	return term
}

func (x terminal) tmux(arguments ...string) *exec.Cmd {
	return exec.Command("tmux", append([]string{"-S", x.socket, "-f", "/dev/null"}, arguments...)...)
}

// keys types text, or presses keys by tmux's names for them.
func (x terminal) keys(keys ...string) {
	x.t.Helper()
	if output, err := x.tmux(append([]string{"send-keys"}, keys...)...).CombinedOutput(); err != nil {
		x.t.Fatalf("tmux: %v\n%s", err, output)
	}
}

// shows is the screen, with colours as escapes where these are wanted.
func (x terminal) shows(arguments ...string) string {
	x.t.Helper()
	text, err := x.tmux(append([]string{"capture-pane", "-p"}, arguments...)...).Output()
	if err != nil {
		x.t.Fatal(err)
	}
	return string(text)
}

func (x terminal) until(what, part string) {
	x.t.Helper()
	defer func() {
		if x.t.Failed() {
			x.t.Logf("the screen:\n%s", x.shows())
		}
	}()
	eventually(x.t, what, func() bool { return strings.Contains(x.shows(), part) })
}

func (x terminal) empty() {
	x.t.Helper()
	eventually(x.t, "an empty screen", func() bool { return strings.TrimSpace(x.shows()) == ">" })
}

// begin types a command line on a screen of its own. The shell says how it ends.
func (x terminal) begin(line string) {
	x.t.Helper()
	x.keys("C-u", "C-l")
	x.empty()
	x.keys(line+`; echo "ended with $?"`, "Enter")
}

func (x terminal) run(line string) (shown string) {
	x.t.Helper()
	x.begin(line)
	x.until(line+" ends", "\nended with ")
	return x.shows()
}

// createCrowd makes 30 gateways: to read the tags of so many takes seconds, because AWS
// lets five a second be read.
func createCrowd(t *testing.T, s *sandbox, owner goSDK) {
	t.Helper()
	for i := range 30 {
		made := must(t, owner, agentcore, "CreateGateway", map[string]any{
			"name": "crowd-" + strconv.Itoa(i), "roleArn": s.output(t, "GatewayServiceRoleArn"), "protocolType": "MCP", "authorizerType": "AWS_IAM",
		})
		id, _ := made["gatewayId"].(string)
		t.Cleanup(func() {
			if _, err := owner.control.DeleteGateway(context.WithoutCancel(t.Context()), &control.DeleteGatewayInput{GatewayIdentifier: &id}); err != nil {
				t.Error(err)
			}
		})
	}
}

// What the command line does on a terminal alone: progress in a line that is written
// over, colour, completion, and Ctrl-C.
func TestAnAdminWorksInATerminal(t *testing.T) {
	s := standInFor(t)
	owner, admin := newGoSDK(t, s, "account-a"), newAWSCLI(t, s, "admin")
	g := serveGateway(t, s, owner, "terminal")
	must(t, admin, "dynamodb", "PutItem", map[string]any{"TableName": "gateway-grants", "Item": row(g.arn, "team-b", accountB)})
	createCrowd(t, s, owner)
	eventually(t, "account B is let in", func() bool { return calls(t, s, "account-b", g) })
	x := newTerminal(t, s, "account-a", builtProgram(t))

	t.Run("completion knows commands and live gateways", func(t *testing.T) {
		x := terminal{t, x.socket}
		x.keys("C-u", "gateway-grants descr", "Tab")
		x.until("the command is completed", "> gateway-grants describe")
		x.keys("termi", "Tab")
		x.until("the gateway is completed", "> gateway-grants describe "+g.id)
	})
	t.Run("colour", func(t *testing.T) {
		x := terminal{t, x.socket}
		const green = "\x1b[32mAdmitted"
		if x.run("gateway-grants list " + g.id); !strings.Contains(x.shows("-e"), green) {
			t.Errorf("no green on a terminal:\n%q", x.shows("-e"))
		}
		for _, plain := range []string{"NO_COLOR=1 gateway-grants list " + g.id, "gateway-grants list --no-color " + g.id, "gateway-grants list " + g.id + " | cat"} {
			if shown := x.run(plain); !strings.Contains(shown, "Admitted") || strings.Contains(x.shows("-e"), green) {
				t.Errorf("%s:\n%q", plain, x.shows("-e"))
			}
		}
	})
	const progress = "Looking for gateways: "
	t.Run("progress is written over, and gone at the end", func(t *testing.T) {
		x := terminal{t, x.socket}
		x.begin("gateway-grants report --out report.html")
		x.until("progress is shown", progress)
		if lines := strings.Count(x.shows(), progress); lines > 1 {
			t.Errorf("%d lines of progress:\n%s", lines, x.shows())
		}
		x.until("the report is written", "Written to report.html\nended with 0")
		if shown := x.shows(); strings.Contains(shown, progress) {
			t.Errorf("progress is left:\n%s", shown)
		}
	})
	t.Run("Ctrl-C ends it cleanly", func(t *testing.T) {
		x := terminal{t, x.socket}
		x.begin("gateway-grants report --out interrupted.html")
		x.until("progress is shown", progress)
		x.keys("C-c")
		x.until("it ends", "\nended with ")
		shown := x.shows()
		if !strings.Contains(shown, "gateway-grants: interrupted: run the same again to complete it\nended with 1") || strings.Contains(shown, progress) {
			t.Errorf("it ended otherwise:\n%s", shown)
		}
		if shown := x.run("ls *.html"); !strings.Contains(shown, "report.html") || strings.Contains(shown, "interrupted.html") {
			t.Errorf("half a report is written:\n%s", shown)
		}
	})
}
