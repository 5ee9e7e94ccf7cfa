package gateway_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/mcpclient"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/gateway"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

// listRaw sends tools/list without an MCP client, signed for the role if there
// is one.
func (w *world) listRaw(g model.Gateway, roleARN string) (int, string) {
	w.t.Helper()
	return w.sendRaw(http.MethodPost, g.URL, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, roleARN, "2025-06-18")
}

func (w *world) sendRaw(method, url, body, roleARN, version string) (int, string) {
	w.t.Helper()
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	w.must(err)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json, text/event-stream")
	request.Header.Set("Mcp-Protocol-Version", version)
	if roleARN != "" {
		who, err := w.session(roleARN).Retrieve(w.t.Context())
		w.must(err)
		hash := sha256.Sum256([]byte(body))
		w.must(v4.NewSigner().SignHTTP(w.t.Context(), who, request, hex.EncodeToString(hash[:]), "bedrock-agentcore", region, w.clock.Now()))
	}
	return w.send(request)
}

func TestEveryProtocolVersionListsAndCalls(t *testing.T) {
	for _, version := range []string{"2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"} {
		t.Run(version, func(t *testing.T) {
			w := newWorld(t, nil)
			g := w.gateway(settings(), "echo_message")
			client, err := w.connect(g, adminA, func(o *mcpclient.Options) { o.ProtocolVersion = version })
			w.must(err)
			if got := client.ProtocolVersion(); got != version {
				t.Errorf("version %s was agreed on", got)
			}
			tools, err := client.Tools(t.Context())
			w.must(err)
			if len(tools) != 1 || tools[0].Name != echoTool[0] || tools[0].Description != "Echo back a message for testing" {
				t.Errorf("tools = %+v", tools)
			}
			want := map[string]any{
				"type": "object", "required": []any{"message"},
				"properties": map[string]any{"message": map[string]any{"type": "string", "description": "The message to echo"}},
			}
			if diff := cmp.Diff(want, tools[0].InputSchema); diff != "" {
				t.Errorf("input schema (-want +got):\n%s", diff)
			}
			result, err := client.Call(t.Context(), echoTool[0], map[string]any{"message": "hello"})
			w.must(err)
			if text := textOf(t, result); result.IsError || !strings.Contains(text, `"arguments":{"message":"hello"}`) {
				t.Errorf("result = %s", text)
			}
		})
	}
}

func TestAnUnknownProtocolVersionIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	g := w.gateway(settings(), "echo_message")
	for _, version := range []string{"2024-11-05", "2025-01-01", "2099-01-01"} {
		status, body := w.sendRaw(http.MethodPost, g.URL, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, adminA, version)
		if status != http.StatusBadRequest {
			t.Errorf("%s: %d %s, want 400", version, status, body)
		}
	}
}

func TestAGatewaySpeaksOnlyTheVersionsItIsSetTo(t *testing.T) {
	w := newWorld(t, nil)
	in := settings()
	in.ProtocolConfiguration = &model.ProtocolSettings{MCP: &model.MCPSettings{SupportedVersions: []string{"2025-03-26"}, Instructions: "Be brief."}}
	g := w.gateway(in, "echo_message")
	client, err := w.connect(g, adminA)
	w.must(err)
	if got := client.ProtocolVersion(); got != "2025-03-26" {
		t.Errorf("version %s was agreed on", got)
	}
	if got, err := w.tools(g, adminA); err != nil || len(got) != 1 {
		t.Errorf("tools = %v, %v", got, err)
	}
}

func TestWhatIsNotAGatewayIsNotFound(t *testing.T) {
	w := newWorld(t, func(_ *gateway.Config, o *model.Options) { o.SettleAfter = time.Minute })
	created, err := w.model.CreateGateway(owner, model.CreateGatewayInput{GatewaySettings: settings()})
	w.must(err)
	if status, body := w.listRaw(created, adminA); status != 404 || !strings.Contains(body, "Gateway not found") {
		t.Errorf("while CREATING: %d %s", status, body)
	}
	w.clock.pass(time.Minute)
	if status, body := w.listRaw(created, adminA); status != 200 || !strings.Contains(body, `"tools":[]`) {
		t.Errorf("when READY: %d %s", status, body)
	}
	nowhere := model.Gateway{URL: w.url + gateway.Path("gw-nowhere") + "/mcp"}
	if status, body := w.listRaw(nowhere, adminA); status != 404 || !strings.Contains(body, "gw-nowhere") {
		t.Errorf("nowhere: %d %s", status, body)
	}
	_, err = w.tools(nowhere, adminA)
	if status, body := refused(t, err); status != 404 || !strings.Contains(body, "gw-nowhere") {
		t.Errorf("nowhere, with the client: %d %s", status, body)
	}
}

func TestATargetServesOnceItIsReady(t *testing.T) {
	w := newWorld(t, func(_ *gateway.Config, o *model.Options) { o.SettleAfter = time.Minute })
	g, err := w.model.CreateGateway(owner, model.CreateGatewayInput{GatewaySettings: settings()})
	w.must(err)
	w.clock.pass(time.Minute)
	w.target(g, "late", []model.Tool{
		{Name: "tool", Description: "d", InputSchema: &model.Schema{Type: "object"}},
		{Name: "text", Description: "MCP has no such tool", InputSchema: &model.Schema{Type: "string"}},
	})
	if got, err := w.tools(g, adminA); err != nil || len(got) != 0 {
		t.Errorf("while CREATING: %v, %v", got, err)
	}
	w.clock.pass(time.Minute)
	got, err := w.tools(g, adminA)
	if diff := cmp.Diff([]string{"late___tool"}, got); err != nil || diff != "" {
		t.Errorf("when READY: %v (-want +got):\n%s", err, diff)
	}
}

func TestToolsComeInPages(t *testing.T) {
	w := newWorld(t, func(c *gateway.Config, _ *model.Options) { c.PageSize = 2 })
	var names, want []string
	for i := range 5 {
		names = append(names, fmt.Sprintf("tool-%d", i))
		want = append(want, fmt.Sprintf("echo-tools___tool-%d", i))
	}
	g := w.gateway(settings(), names...)
	if status, body := w.listRaw(g, adminA); status != 200 || strings.Count(body, "echo-tools___") != 2 || !strings.Contains(body, "nextCursor") {
		t.Errorf("the first page: %d %s", status, body)
	}
	got, err := w.tools(g, adminA)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("all pages: %v (-want +got):\n%s", err, diff)
	}

	all := true
	in := settings()
	in.Name = "unpaged"
	in.ProtocolConfiguration = &model.ProtocolSettings{MCP: &model.MCPSettings{DisableMCPListToolsPagination: &all}}
	if status, body := w.listRaw(w.gateway(in, names...), adminA); status != 200 || strings.Contains(body, "nextCursor") {
		t.Errorf("pagination off: %d %s", status, body)
	}
}

func TestAStatelessServerHasNothingToGet(t *testing.T) {
	w := newWorld(t, nil)
	g := w.gateway(settings(), "echo_message")
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		if status, body := w.sendRaw(method, g.URL, "", adminA, "2025-06-18"); status != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d %s, want 405", method, status, body)
		}
	}
}

func TestAPayloadHasALimit(t *testing.T) {
	const limit = 6 << 20
	for name, authorizer := range map[string]model.AuthorizerType{"signed": model.AWSIAM, "open": model.NoAuthorizer} {
		w := newWorld(t, nil)
		in := settings()
		in.AuthorizerType = authorizer
		g := w.gateway(in, "echo_message")
		body := `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"x":"` + strings.Repeat("x", limit) + `"}}}`
		if status, got := w.sendRaw(http.MethodPost, g.URL, body, adminA, "2025-06-18"); status != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %d %s, want 413", name, status, got)
		}
		body = strings.Replace(body, strings.Repeat("x", 100), "", 1)
		if status, got := w.sendRaw(http.MethodPost, g.URL, body, adminA, "2025-06-18"); status != 200 {
			t.Errorf("%s, just below: %d %.200s", name, status, got)
		}
	}
}

func TestAGatewayAnswersAtAWSsOwnHost(t *testing.T) {
	w := newWorld(t, nil)
	g := w.gateway(settings(), "echo_message")
	g.URL = "http://" + g.ID + ".gateway.bedrock-agentcore.us-east-1.amazonaws.com/mcp"
	toLoopback := &http.Client{Transport: &http.Transport{DialContext: dialTo(w.url)}}
	got, err := w.tools(g, adminA, func(o *mcpclient.Options) { o.HTTPClient, o.Region = toLoopback, region })
	if diff := cmp.Diff(echoTool, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestUnreachableGatewayIsNoRefusal(t *testing.T) {
	w := newWorld(t, nil)
	_, err := w.tools(model.Gateway{URL: "http://127.0.0.1:1/mcp"}, adminA)
	if _, ok := errors.AsType[*mcpclient.UnreachableError](err); !ok {
		t.Errorf("%v, want an UnreachableError", err)
	}
}
