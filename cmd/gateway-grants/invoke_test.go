package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestInvokeShowsRefusal(t *testing.T) {
	w := newWorld(t)
	config := w.created()
	got := w.run("invoke", "--profile", "account-b")
	want := "Profile: account-b\nAccount: 444455556666\nCaller: arn:aws:sts::444455556666:assumed-role/AdminRole/session\n" +
		strings.Repeat("-", 60) + "\nFAILED: 403 Forbidden for url '" + config.GatewayURL + "': " +
		`{"error":{"code":-32002,"message":"Insufficient permissions"},"id":1,"jsonrpc":"2.0"}` +
		"\nHint: two policies must allow this call: the caller's identity policy (gateway-grants caller-policy GATEWAY prints it) and the gateway's resource policy (its owner runs gateway-grants grant GATEWAY 444455556666). gateway-grants access " + config.GatewayARN + " --principal arn:aws:sts::444455556666:assumed-role/AdminRole/session, run by the gateway's owner, says which side denies.\n"
	if diff := cmp.Diff(said{code: exitError, out: want}, got, cmp.AllowUnexported(said{})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	var text invocation
	w.must(json.Unmarshal([]byte(w.run("invoke", "--profile", "account-b", "--json").out), &text))
	if text.Refused == nil || text.Refused.Status != http.StatusForbidden || !text.Refused.Denied || !strings.Contains(text.Refused.Body, "Insufficient permissions") {
		t.Errorf("printed as JSON %+v", text.Refused)
	}
}

func TestTheToolsAnswerIsShown(t *testing.T) {
	w := newWorld(t)
	w.created()
	tests := []struct {
		reason string
		args   []string
		code   int
		ends   string
	}{
		{"a text", []string{"--arg", "message=a = b"}, exitDone, "SUCCESS! tools/call echo-tools___echo_message returned:\n{\"message\":\"a = b\"}\n"},
		{"a text written as JSON", []string{"--arg", `message:="hello"`}, exitDone, "{\"message\":\"hello\"}\n"},
		{"a number, which the tool refuses", []string{"--arg", "message:=1"}, exitError, ""},
		{"nothing, which the tool refuses", nil, exitError, ""},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			got := w.run(append([]string{"invoke", "--tool", "echo-tools___echo_message"}, test.args...)...)
			if got.code != test.code || !strings.HasSuffix(got.out, test.ends) {
				t.Errorf("exit %d, want %d and %q:\n%s%s", got.code, test.code, test.ends, got.out, got.err)
			}
			if test.code == exitError && !strings.Contains(got.out, "FAILED: ") {
				t.Errorf("said\n%s", got.out)
			}
		})
	}
}

func TestACallThatCannotBeMadeIsRefusedBeforeItIs(t *testing.T) {
	w := newWorld(t)
	tests := []struct {
		reason string
		args   []string
		says   string
	}{
		{"no URL, and no file", nil, "no gateway is named and there is no gateway_config.json: give the gateway's URL, id or ARN"},
		{"an ARN of something else", []string{"arn:aws:s3:::bucket"}, "\"arn:aws:s3:::bucket\" is not the ARN of a gateway: write arn:aws:bedrock-agentcore:REGION:ACCOUNT:gateway/ID"},
		{"a scheme that no call has", []string{"ftp://mcp.example.com/mcp"}, "\"ftp://mcp.example.com/mcp\" is not a gateway's URL (its scheme is ftp, not https): write https://ID.gateway.bedrock-agentcore.REGION.amazonaws.com/mcp, or the gateway's id or ARN"},
		{"a custom domain says no Region", []string{"https://mcp.example.com/mcp"}, "https://mcp.example.com/mcp does not say in which Region the gateway is, and the call has to be signed for it: add --region"},
		{"arguments of no tool", []string{w.url, "--arg", "a=b"}, "--arg is for a tool: name it with --tool"},
		{"an argument without a name", []string{w.url, "--tool", "x", "--arg", "hello"}, "--arg \"hello\" has no name: write name=text, or name:=JSON"},
		{"an argument that is no JSON", []string{w.url, "--tool", "x", "--arg", "a:=hello"}, "--arg \"a:=hello\" is not JSON after := (invalid character 'h' looking for beginning of value): correct it, or write a=text"},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			want := said{code: exitError, err: "gateway-grants: " + test.says + "\n"}
			if diff := cmp.Diff(want, w.run(append([]string{"invoke"}, test.args...)...), cmp.AllowUnexported(said{})); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestEachRefusalHasItsHint(t *testing.T) {
	w := newWorld(t)
	tests := []struct {
		status int
		args   []string
		hint   string
	}{
		{http.StatusUnauthorized, nil, "Hint: the gateway does not accept the signature"},
		{http.StatusForbidden, nil, "Hint: two policies must allow this call"},
		{http.StatusNotFound, nil, "Hint: there is no gateway at this URL"},
		{http.StatusBadRequest, []string{"--tool", "nope"}, "Hint: check the tool's name and arguments"},
		{http.StatusServiceUnavailable, nil, "Hint: the gateway did not answer the call"},
	}
	for _, test := range tests {
		t.Run(http.StatusText(test.status), func(t *testing.T) {
			refuses := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
				http.Error(rw, "because", test.status)
			}))
			defer refuses.Close()
			got := w.run(append([]string{"invoke", refuses.URL}, test.args...)...)
			if got.code != exitError || !strings.Contains(got.out, http.StatusText(test.status)) || !strings.Contains(got.out, "': because\n"+test.hint) {
				t.Errorf("exit %d\n%s%s", got.code, got.out, got.err)
			}
		})
	}
}

func TestTheCallersPolicyIsReadyToPaste(t *testing.T) {
	w := newWorld(t)
	want := `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": "bedrock-agentcore:InvokeGateway",
      "Resource": "arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/tools-abcdefghij"
    }
  ]
}
`
	for _, name := range []string{gatewayARN, "tools-abcdefghij"} {
		if diff := cmp.Diff(want, w.done("caller-policy", name).out); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
	w.parse(want)
	if got := w.run("caller-policy", "*"); got.code != exitError || !strings.Contains(got.err, "give its ARN or id instead of '*'") {
		t.Errorf("exit %d\n%s", got.code, got.err)
	}
	w.must((&gatewayConfig{GatewayARN: gatewayARN}).write("gateway_config.json"))
	if diff := cmp.Diff(want, w.done("caller-policy", "--profile", "nobody").out); diff != "" {
		t.Errorf("by the file, without credentials: -want +got\n%s", diff)
	}
}
