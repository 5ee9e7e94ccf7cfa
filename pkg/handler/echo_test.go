package handler_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/handler"
)

var echo = handler.Echo

// echoContext is what the runtime makes of a client context.
func echoContext(t *testing.T, raw []byte) context.Context {
	t.Helper()
	var client lambdacontext.ClientContext
	check(t, json.Unmarshal(raw, &client))
	return lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{ClientContext: client})
}

func TestEchoAnswersByTheGatewaysContract(t *testing.T) {
	named := func(tool string) string { return `{"custom":{"bedrockAgentCoreToolName":"` + tool + `"}}` }
	cases := map[string]struct {
		reason    string
		context   string // "" for none
		arguments string
		want      string
		fails     string
	}{
		"a message":        {"the arguments are the event", named("echo-tools___echo_message"), `{"message":"hi"}`, `{"message":"hi"}`, ""},
		"text of any kind": {"nothing is done to it", named("echo-tools___echo_message"), `{"message":"<a> & \u2028 ü \"q\""}`, `{"message":"<a> & \u2028 ü \"q\""}`, ""},
		"an empty message": {"a string may be empty", named("echo-tools___echo_message"), `{"message":""}`, `{"message":""}`, ""},
		"more arguments":   {"the schema does not forbid them", named("echo-tools___echo_message"), `{"message":"hi","x":1}`, `{"message":"hi"}`, ""},
		"no target's name": {"then the name is the tool's", named("echo_message"), `{"message":"hi"}`, `{"message":"hi"}`, ""},
		"propagated headers": {
			"other entries may be objects", `{"custom":{"bedrockAgentCoreToolName":"t___echo_message","bedrockAgentCorePropagatedHeaders":{"a":"b"}}}`,
			`{"message":"hi"}`, `{"message":"hi"}`, "",
		},
		"another tool":        {"there is one only", named("echo-tools___shout"), `{"message":"hi"}`, "", `no tool "shout"`},
		"a tool of that end":  {"the name is parted at the first delimiter", named("a___b___echo_message"), `{"message":"hi"}`, "", `no tool "b___echo_message"`},
		"no tool":             {"who calls is no gateway", `{"custom":{}}`, `{"message":"hi"}`, "", "names no bedrockAgentCoreToolName"},
		"no client context":   {"who calls is no gateway", "", `{"message":"hi"}`, "", "no client context"},
		"no message":          {"it is required", named("t___echo_message"), `{}`, "", "needs the argument message"},
		"another case":        {"names are exact", named("t___echo_message"), `{"Message":"hi"}`, "", "needs the argument message"},
		"a number":            {"it is a string", named("t___echo_message"), `{"message":7}`, "", "needs a string"},
		"null":                {"it is a string", named("t___echo_message"), `{"message":null}`, "", "needs a string"},
		"a list of arguments": {"arguments are an object", named("t___echo_message"), `["hi"]`, "", "as a JSON object"},
		"no arguments":        {"message is required", named("t___echo_message"), `null`, "", "needs the argument message"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			if c.context != "" {
				ctx = echoContext(t, []byte(c.context))
			}
			got, err := invoke(ctx, handler.Echo, []byte(c.arguments))
			if string(got) != c.want {
				t.Errorf("%s: got %s, want %s", c.reason, got, c.want)
			}
			if (err != nil) != (c.fails != "") || err != nil && !strings.Contains(err.Error(), c.fails) {
				t.Errorf("%s: error %v, want one with %q", c.reason, err, c.fails)
			}
		})
	}
}

func TestEchoToolSchemaMatchesStory(t *testing.T) {
	got, err := json.Marshal(handler.EchoTool())
	check(t, err)
	want := `{"name":"echo_message","description":"Echo back a message for testing","inputSchema":{"type":"object",` +
		`"properties":{"message":{"type":"string","description":"The message to echo"}},"required":["message"]}}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
