package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
)

// seed plays the scripts of story/ with the packages of .ci/requirements.txt, in a
// directory of their own.
type seed struct {
	s         *sandbox
	python    string
	scripts   string
	directory string
}

func newSeed(t *testing.T, s *sandbox) *seed {
	t.Helper()
	scripts, err := filepath.Abs("story")
	if err != nil {
		t.Fatal(err)
	}
	return &seed{s: s, python: cloudtest.Python(t), scripts: scripts, directory: t.TempDir()}
}

// run runs a script, and gives what it prints and how it exits.
func (p *seed) run(t *testing.T, script string, arguments ...string) (string, int) {
	t.Helper()
	command := exec.Command(p.python, append([]string{filepath.Join(p.scripts, script)}, arguments...)...)
	command.Dir = p.directory
	// A profile in the environment must not matter: the scripts name theirs.
	command.Env = append(p.s.environment("management"), "PYTHONDONTWRITEBYTECODE=1")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	output, err := command.Output()
	if exit := (*exec.ExitError)(nil); err != nil && (!errors.As(err, &exit) || !refusedByGateway(stderr.String())) {
		t.Fatalf("%s: %v: %s", script, err, stderr.String())
	}
	return string(output), command.ProcessState.ExitCode()
}

// refusedByGateway reports whether a script wrote to stderr nothing but what
// mcp-proxy-for-aws logs of a call that the gateway refused, or nothing at all.
func refusedByGateway(stderr string) bool {
	for line := range strings.Lines(stderr) {
		if !strings.HasPrefix(line, "HTTP 403 Forbidden from ") {
			return false
		}
	}
	return true
}

// must runs a script that has to succeed.
func (p *seed) must(t *testing.T, script string, arguments ...string) string {
	t.Helper()
	output, exit := p.run(t, script, arguments...)
	if exit != 0 {
		t.Fatalf("%s: exit %d: %s", script, exit, output)
	}
	return output
}

// calling is what invoke_gateway.py prints first.
func calling(profile, account string) string {
	return "Profile: " + profile + "\nAccount: " + account +
		"\nCaller: arn:aws:sts::" + account + ":assumed-role/AdminRole/session\n" + strings.Repeat("-", 60) + "\n"
}

const listed = "SUCCESS! tools/list returned:\n - " + echoTool + ": Echo back a message for testing\n"

func TestSeedPrintsWhatTheArticleShows(t *testing.T) { playSeed(t, standInFor(t)) }

// playSeed makes, calls and deletes a gateway whose tool is a Python function.
func playSeed(t *testing.T, s *sandbox) {
	t.Helper()
	p := newSeed(t, s)
	said := p.must(t, "setup_gateway.py")
	var made struct {
		GatewayID  string `json:"gateway_id"`
		GatewayURL string `json:"gateway_url"`
		GatewayARN string `json:"gateway_arn"`
		TargetID   string `json:"target_id"`
		LambdaARN  string `json:"lambda_arn"`
		AccountID  string `json:"account_id"`
		Region     string `json:"region"`
	}
	if err := json.Unmarshal(read(t, filepath.Join(p.directory, "gateway_config.json")), &made); err != nil {
		t.Fatal(err)
	}
	if made.AccountID != accountA || made.Region != region || made.LambdaARN != functionARN("cross-account-gateway-test") ||
		made.TargetID == "" || !strings.HasSuffix(made.GatewayARN, "/"+made.GatewayID) || !strings.Contains(said, made.GatewayURL) {
		t.Errorf("gateway_config.json has %+v, and setup_gateway.py said:\n%s", made, said)
	}

	calls := []struct {
		reason, profile, account string
		grant                    bool
		arguments                []string
		want                     string
		exit                     int
	}{
		{reason: "the owner needs no policy", profile: "account-a", account: accountA, want: listed},
		{reason: "another account does", profile: "account-b", account: accountB, exit: 1,
			// mcp-proxy-for-aws up to 1.6 let httpx say it: HTTPStatusError: Client error '403 Forbidden' for url …
			want: "FAILED: McpError: HTTP 403 Forbidden from " + made.GatewayURL +
				": {\"error\":{\"code\":-32002,\"message\":\"Insufficient permissions\"},\"id\":0,\"jsonrpc\":\"2.0\"}\n"},
		{reason: "with a policy it is let in", profile: "account-b", account: accountB, grant: true, want: listed},
		{reason: "and calls the tool, which Lambda runs", profile: "account-b", account: accountB, arguments: []string{"--message", "hello"},
			want: listed + "tools/call " + echoTool + " returned: {\"message\":\"hello\"}\n"},
	}
	for _, call := range calls {
		if call.grant {
			p.must(t, "put_resource_policy.py", "arn:aws:iam::"+call.account+":root")
		}
		got, exit := p.run(t, "invoke_gateway.py", append([]string{call.profile}, call.arguments...)...)
		if diff := cmp.Diff(calling(call.profile, call.account)+call.want, got); diff != "" || exit != call.exit {
			t.Errorf("%s: exit %d, want %d; -want +got\n%s", call.reason, exit, call.exit, diff)
		}
	}

	p.must(t, "cleanup.py")
	cli := newAWSCLI(t, s, "account-a")
	for reason, line := range map[string][]string{
		"the gateway":           {"bedrock-agentcore-control", "get-gateway", "--gateway-identifier", made.GatewayID},
		"the function":          {"lambda", "get-function", "--function-name", "cross-account-gateway-test"},
		"the gateway's role":    {"iam", "get-role", "--role-name", "AgentCoreGatewayServiceRole"},
		"the function's role":   {"iam", "get-role", "--role-name", "CrossAccountTestLambdaRole"},
		"the gateway's policy":  {"bedrock-agentcore-control", "get-resource-policy", "--resource-arn", made.GatewayARN},
		"the gateway's targets": {"bedrock-agentcore-control", "list-gateway-targets", "--gateway-identifier", made.GatewayID},
	} {
		if answer, refusal := cli.run(t, line...); refusal == nil {
			t.Errorf("%s is still there after cleanup.py: %v", reason, answer)
		}
	}
}

func TestThePackagesOfTheSeedCallTheTool(t *testing.T) {
	s := standInFor(t)
	p, g := newSeed(t, s), openedGateway(t, s, "seed")
	for _, profile := range []string{"account-a", "account-b"} {
		said := p.must(t, "invoke_gateway.py", profile, "--url", g.url, "--message", "hello from "+profile)
		if want := listed + "tools/call " + echoTool + ` returned: {"message":"hello from ` + profile + "\"}\n"; !strings.HasSuffix(said, want) {
			t.Errorf("as %s: want %s, got:\n%s", profile, want, said)
		}
	}
}

func TestStoryWithoutStandInFailsInOneLine(t *testing.T) {
	cloudtest.Python(t)
	empty := filepath.Join(t.TempDir(), "aws-config")
	if err := os.WriteFile(empty, []byte("[profile account-a]\nregion = us-east-1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	story := exec.Command(filepath.Join("story", "story.sh"))
	story.Env = append(os.Environ(), "AWS_CONFIG_FILE="+empty)
	output, err := story.CombinedOutput()
	if err == nil || strings.Count(string(output), "\n") != 1 || !strings.Contains(string(output), "no stand-in: start one with `make sandbox`") {
		t.Errorf("%v: %s", err, output)
	}
}
