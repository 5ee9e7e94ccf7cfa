package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

// shell runs the real program, tables and bus in AWS.
func shell(t *testing.T, args ...string) said {
	t.Helper()
	var out, err bytes.Buffer
	code := Run(t.Context(), args, strings.NewReader(""), &out, &err)
	return said{code, out.String(), err.String()}
}

func TestCommonFailuresHaveOneLine(t *testing.T) {
	newWorld(t)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	deserted := gone.URL
	tests := []struct {
		reason string
		before func(t *testing.T)
		args   []string
		want   string
	}{
		{"no credentials", nil, []string{"list", "--profile", "nobody"}, "there are no AWS credentials: choose a profile with --profile or AWS_PROFILE, or set some up with aws configure"},
		{"no such profile", nil, []string{"list", "--profile", "typo"}, "there is no AWS profile typo: see aws configure list-profiles, and choose one with --profile"},
		{"no region", nil, []string{"list", "--profile", "nowhere"}, "no AWS region is set: use --region, AWS_REGION or a profile with a region"},
		{"credentials that AWS does not know", nil, []string{"grant", gatewayARN, accountB, "--profile", "stranger"}, "AWS does not know these credentials: choose another profile with --profile"},
		{"expired credentials", answering("AWS_ENDPOINT_URL_STS", http.StatusForbidden, `<ErrorResponse><Error><Code>ExpiredToken</Code><Message>The security token included in the request is expired</Message></Error></ErrorResponse>`), []string{"grant", gatewayARN, accountB}, "the AWS credentials have expired: log in again, or choose another profile with --profile"},
		{"a denied call", answering("AWS_ENDPOINT_URL_DYNAMODB", http.StatusBadRequest, `{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"User is not authorized to perform: dynamodb:Scan"}`), []string{"list"}, "AWS denies this: User is not authorized to perform: dynamodb:Scan: ask for the permission, or choose another profile with --profile"},
		{"a service that is out of order", answering("AWS_ENDPOINT_URL_DYNAMODB", http.StatusInternalServerError, `{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"Internal server error"}`), []string{"list"}, "AWS is busy or out of order (InternalServerError: Internal server error): repeat the command in a minute"},
		{"a service that is asked too often", answering("AWS_ENDPOINT_URL_DYNAMODB", http.StatusBadRequest, `{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"Throughput exceeded"}`), []string{"list"}, "AWS is busy or out of order (ProvisionedThroughputExceededException: Throughput exceeded): repeat the command in a minute"},
		{"a missing table", answering("AWS_ENDPOINT_URL_DYNAMODB", http.StatusBadRequest, `{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"Requested resource not found"}`), []string{"list", "--grants-table", "typo"}, "in table typo: there is no such table in region us-east-1 of this account: deploy first, or name the right --profile, --region, --stack or table"},
		{"no server at the endpoint", pointing("AWS_ENDPOINT_URL", deserted), []string{"list"}, "check the network and AWS_ENDPOINT_URL (http://127.0.0.1:"},
		{"no such host", pointing("AWS_ENDPOINT_URL", "http://no-such-host.invalid"), []string{"list"}, "there is no host no-such-host.invalid: check the region and AWS_ENDPOINT_URL (http://no-such-host.invalid)"},
		{"a gateway out of reach", nil, []string{"invoke", deserted + "/mcp"}, "check the URL and the network"},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			if test.before != nil {
				test.before(t)
			}
			got := shell(t, test.args...)
			if got.code != exitError || !strings.HasPrefix(got.err, "gateway-grants: ") || !strings.Contains(got.err, test.want) || strings.Count(got.err, "\n") != 1 {
				t.Errorf("exit %d, want %d saying %q:\n%s", got.code, exitError, test.want, got.err)
			}
		})
	}
}

// Every command ends with 1 where AWS cannot be reached, whatever it was about to do, and
// its last line says why. What needs no AWS ends with 0.
func TestUnreachableAWSEndsWithOne(t *testing.T) {
	newWorld(t)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	t.Setenv("AWS_ENDPOINT_URL", gone.URL)
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	config := gatewayConfig{
		GatewayID: "tools-abcdefghij", GatewayARN: gatewayARN, GatewayURL: gone.URL + "/mcp", AccountID: accountA, Region: region,
	}
	if err := config.write("gateway_config.json"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("grants.yaml", []byte("grants: []"), 0o600); err != nil {
		t.Fatal(err)
	}
	withoutAWS := map[string]bool{"version": true, "caller-policy": true} // a gateway's ARN is enough
	each((&program{}).rootCommand(), func(cmd *cobra.Command) {
		if cmd.HasSubCommands() {
			return
		}
		example := examplesOf(cmd)[0]
		if cmd.Name() == "apply" {
			example = "apply --file grants.yaml"
		}
		got := shell(t, words(example)...)
		want := exitError
		if withoutAWS[cmd.Name()] {
			want = exitDone
		}
		lines := strings.Split(strings.TrimSuffix(got.err, "\n"), "\n")
		silent := cmd.Name() == "doctor" // its checks say it
		if got.code != want || want == exitError && !silent && !strings.HasPrefix(lines[len(lines)-1], "gateway-grants: ") {
			t.Errorf("%s: exit %d, want %d\n%s%s", example, got.code, want, got.out, got.err)
		}
		if want == exitError && !strings.Contains(got.out+got.err, "the network") {
			t.Errorf("%s: refused before AWS was called:\n%s%s", example, got.out, got.err)
		}
	})
}

// answering has a service of AWS's answer everything in one way.
func answering(endpoint string, status int, body string) func(*testing.T) {
	return func(t *testing.T) {
		t.Helper()
		server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			rw.WriteHeader(status)
			_, _ = rw.Write([]byte(body))
		}))
		t.Cleanup(server.Close)
		t.Setenv(endpoint, server.URL)
	}
}

func pointing(endpoint, url string) func(*testing.T) {
	return func(t *testing.T) {
		t.Helper()
		t.Setenv(endpoint, url)
	}
}

func TestACommandLineThatIsNoneIsRefusedInOneLine(t *testing.T) {
	newWorld(t)
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"grants"}, `there is no command "grants", but grant: see gateway-grants --help`},
		{[]string{"gateway", "remove"}, `there is no command "remove": see gateway-grants gateway --help`},
		{[]string{"list", "--output", "xml"}, "--output xml is unknown: write table, json, yaml or csv"},
		{[]string{"plan", "--output", "csv"}, "gateway-grants plan prints no rows, so --output csv is not possible: write table, json or yaml"},
		{[]string{"version", "2"}, "version takes nothing, and was given 1 argument: see gateway-grants version --help"},
		{[]string{"--frobnicate"}, "unknown flag: --frobnicate: see gateway-grants --help"},
	}
	for _, test := range tests {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			want := said{code: exitError, err: "gateway-grants: " + test.want + "\n"}
			if diff := cmp.Diff(want, shell(t, test.args...), cmp.AllowUnexported(said{})); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestEveryCommandExplainsItselfWithExamples(t *testing.T) {
	newWorld(t)
	for _, command := range append(commands((&program{}).rootCommand()), "", "gateway", "account") {
		got := shell(t, append(strings.Fields(command), "--help")...)
		if got.code != exitDone || !strings.Contains(got.out, "\nExamples:\n  gateway-grants ") {
			t.Errorf("%s: exit %d\n%s", command, got.code, got.out)
		}
	}
	for _, shellName := range []string{"bash", "zsh", "fish"} {
		if got := shell(t, "completion", shellName); got.code != exitDone || len(got.out) < 1000 {
			t.Errorf("completion %s: exit %d\n%s", shellName, got.code, got.err)
		}
	}
}

func TestInterruptedRun(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, err bytes.Buffer
	code := Run(ctx, []string{"grant", gatewayARN, accountB}, strings.NewReader(""), &out, &err)
	if want := "gateway-grants: interrupted: run the same again to complete it\n"; code != exitError || err.String() != want {
		t.Errorf("exit %d\n%s", code, err.String())
	}
	if len(w.rows()) > 0 {
		t.Error("a row was written")
	}
}

func TestTheRevisionIsWhatTheProgramWasBuiltFrom(t *testing.T) {
	info := &debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abcdef"}, {Key: "vcs.modified", Value: "true"}}}
	if got := revisionOf(info, "unknown"); got != "abcdef, modified" {
		t.Error(got)
	}
	if got := revisionOf(&debug.BuildInfo{}, "unknown"); got != "unknown" {
		t.Error(got)
	}
}

func TestColourIsForTerminalsOnly(t *testing.T) {
	newWorld(t)
	t.Setenv("NO_COLOR", "")
	t.Setenv("TERM", "xterm")
	if text := (paint{on: true}).red("no"); !strings.Contains(text, "\x1b[") || !strings.Contains(text, "no") {
		t.Errorf("%q", text)
	}
	file, err := os.Create("out")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	p := &program{}
	for _, to := range []io.Writer{&bytes.Buffer{}, file} {
		if p.paint(to).on {
			t.Errorf("colour for %T", to)
		}
	}
}
