package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

// dialTo connects to one server, whatever the host.
func dialTo(server string) func(context.Context, string, string) (net.Conn, error) {
	address := strings.TrimPrefix(server, "http://")
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
}

// textOf is the text of a result that has nothing else.
func textOf(t *testing.T, result *mcp.CallToolResult) string {
	t.Helper()
	if len(result.Content) != 1 {
		t.Fatalf("content = %+v", result.Content)
	}
	text, ok := result.Content[0].(*mcp.TextContent)
	if !ok {
		t.Fatalf("content = %+v", result.Content[0])
	}
	return text.Text
}

func (w *world) call(g model.Gateway, tool string, arguments map[string]any) *mcp.CallToolResult {
	w.t.Helper()
	client, err := w.connect(g, adminA)
	w.must(err)
	result, err := client.Call(w.t.Context(), tool, arguments)
	w.must(err)
	return result
}

func TestCallRunsFunctionWithClientContext(t *testing.T) {
	w := newWorld(t, nil)
	bootstrap := filepath.Join(t.TempDir(), "bootstrap")
	build := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", bootstrap, "../lambda/testdata/function")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	process := lambda.NewProcess(lambda.Bootstrap{
		Settings: lambda.Settings{ARN: functionARN, Timeout: 30 * time.Second, Log: os.Stderr}, Path: bootstrap,
	})
	t.Cleanup(process.Stop)
	w.functions.Register(functionARN, process)

	g := w.gateway(settings(), "echo_message")
	targets, _, err := w.model.ListGatewayTargets(owner, g.ID, model.Page{})
	w.must(err)

	var got struct {
		ARN    string
		Custom map[string]string
	}
	w.must(json.Unmarshal([]byte(textOf(t, w.call(g, echoTool[0], map[string]any{"do": "context"}))), &got))
	if got.ARN != functionARN {
		t.Errorf("invoked %s", got.ARN)
	}
	for _, id := range []string{"bedrockAgentCoreAwsRequestId", "bedrockAgentCoreMcpMessageId"} {
		if got.Custom[id] == "" {
			t.Errorf("no %s", id)
		}
		delete(got.Custom, id)
	}
	want := map[string]string{
		"bedrockAgentCoreMessageVersion": "1.0",
		"bedrockAgentCoreGatewayId":      g.ID,
		"bedrockAgentCoreTargetId":       targets[0].ID,
		"bedrockAgentCoreToolName":       "echo-tools___echo_message",
	}
	if diff := cmp.Diff(want, got.Custom); diff != "" {
		t.Errorf("client context (-want +got):\n%s", diff)
	}
	if text := textOf(t, w.call(g, echoTool[0], map[string]any{"message": "hello"})); !strings.Contains(text, `"echo":"hello"`) {
		t.Errorf("echo = %s", text)
	}
}

func TestWhatAFunctionReturnsIsText(t *testing.T) {
	cases := map[string]struct {
		reason   string
		returned any
		want     string
	}{
		"Object":     {"as it is, without blanks", json.RawMessage(`{ "a": [1, 2] }`), `{"a":[1,2]}`},
		"StatusCode": {"an HTTP-like answer is not interpreted", map[string]any{"statusCode": 500, "body": "no"}, `{"body":"no","statusCode":500}`},
		"String":     {"a string is JSON too", "plain", `"plain"`},
		"Null":       {"and so is nothing", nil, `null`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.handle(func() (any, error) { return tc.returned, nil })
			result := w.call(w.gateway(settings(), "echo_message"), echoTool[0], nil)
			if text := textOf(t, result); result.IsError || text != tc.want {
				t.Errorf("%s: %q (error: %v), want %q", tc.reason, text, result.IsError, tc.want)
			}
		})
	}
}

// handle exchanges the function behind the tools.
func (w *world) handle(handler any) {
	w.functions.Register(functionARN, lambda.NewInProcess(lambda.Settings{ARN: functionARN}, awslambda.NewHandler(handler)))
}

func TestAFaultBehindTheGatewayIsAResult(t *testing.T) {
	const denied = "Access denied while invoking Lambda function " + functionARN + ". Check the permissions on the Lambda function and Gateway execution role, and retry the request."
	const hidden = "An internal error occurred. Please retry later."
	cases := map[string]struct {
		reason string
		spoil  func(*world)
		debug  string // what is said when debugging
	}{
		"FunctionError": {
			"the function failed",
			func(w *world) { w.handle(func() (any, error) { return nil, errors.New("no such message") }) },
			`{"errorType":"errorString","errorMessage":"no such message"}`,
		},
		"NotJSON": {
			"the function returned no JSON",
			func(w *world) { w.functions.Register(functionARN, notJSON{}) },
			"returned no valid JSON",
		},
		"RoleMayNot": {
			"the gateway's role may not invoke it",
			func(w *world) {
				w.must(w.directory.DeletePolicy("arn:aws:iam::111122223333:role/service-role/GatewayRole", "identity"))
			},
			denied,
		},
		"RoleGone": {
			"the gateway's role is gone",
			func(w *world) { w.must(w.directory.Delete("arn:aws:iam::111122223333:role/service-role/GatewayRole")) },
			denied,
		},
		"FunctionGone": {
			"there is no such function",
			func(w *world) { w.functions = nil },
			"function not found",
		},
	}
	for name, tc := range cases {
		for _, level := range []string{"", "DEBUG"} {
			t.Run(name+level, func(t *testing.T) {
				w := newWorld(t, nil)
				in := settings()
				in.ExceptionLevel = level
				g := w.gateway(in, "echo_message")
				tc.spoil(w)
				if w.functions == nil {
					w.handler.Functions = &lambda.Registry{}
				}
				result := w.call(g, echoTool[0], map[string]any{"message": "hello"})
				text := textOf(t, result)
				if !result.IsError {
					t.Errorf("%s: %q is a success", tc.reason, text)
				}
				if level == "" && (text != hidden || result.Meta["debug"] != nil) {
					t.Errorf("%s: %q, %v; want no detail", tc.reason, text, result.Meta)
				}
				if level != "" {
					debug, _ := result.Meta["debug"].(map[string]any)
					if !strings.Contains(text, tc.debug) || debug["text"] != text || debug["type"] != "text" {
						t.Errorf("%s: %q, %v; want …%s…", tc.reason, text, result.Meta, tc.debug)
					}
				}
			})
		}
	}
}

type notJSON struct{}

func (notJSON) Invoke(context.Context, []byte, []byte) (lambda.Result, error) {
	return lambda.Result{Payload: []byte("<html>")}, nil
}

func TestAToolThatDeclaresItsOutputReturnsIt(t *testing.T) {
	w := newWorld(t, nil)
	w.handle(func() (map[string]any, error) { return map[string]any{"sum": 3}, nil })
	g, err := w.model.CreateGateway(owner, model.CreateGatewayInput{GatewaySettings: settings()})
	w.must(err)
	w.target(g, "math", []model.Tool{{
		Name: "add", Description: "d", InputSchema: &model.Schema{Type: "object"},
		OutputSchema: &model.Schema{Type: "object", Properties: map[string]model.Schema{"sum": {Type: "number"}}},
	}})
	result := w.call(g, "math___add", nil)
	if diff := cmp.Diff(map[string]any{"sum": 3.0}, result.StructuredContent); diff != "" || textOf(t, result) != `{"sum":3}` {
		t.Errorf("structured content (-want +got):\n%s", diff)
	}
}

func TestAnUnknownToolIsAnError(t *testing.T) {
	w := newWorld(t, nil)
	client, err := w.connect(w.gateway(settings(), "echo_message"), adminA)
	w.must(err)
	if result, err := client.Call(t.Context(), "echo-tools___nothing", nil); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("%+v, %v; want an error that names the tool", result, err)
	}
}
