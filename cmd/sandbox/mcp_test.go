package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/gateway-grants/gateway-grants/pkg/mcpclient"
)

const echoTool = "echo-tools___echo_message"

// openedGateway is a gateway that account B may call.
func openedGateway(t *testing.T, s *sandbox, name string) served {
	t.Helper()
	a := newGoSDK(t, s, "account-a")
	g := serveGateway(t, s, a, name)
	must(t, a, agentcore, "PutResourcePolicy", map[string]any{"resourceArn": g.arn, "policy": document(t, statement(g.arn))})
	return g
}

func TestEveryVersionOfMCPListsAndCallsTheTool(t *testing.T) {
	s := standInFor(t)
	g := openedGateway(t, s, "versions")
	for _, version := range []string{"2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"} {
		t.Run(version, func(t *testing.T) {
			client, err := mcpclient.Connect(t.Context(), g.url, mcpclient.Options{
				Credentials: sdkConfig(t, s, "account-b").Credentials, Region: region, ProtocolVersion: version,
			})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			if got := client.ProtocolVersion(); got != version {
				t.Errorf("we speak %s, want %s", got, version)
			}
			tools, err := client.Tools(t.Context())
			if err != nil || len(tools) != 1 || tools[0].Name != echoTool {
				t.Fatalf("tools: want %s, got %v, %v", echoTool, tools, err)
			}
			answer, err := client.Call(t.Context(), echoTool, map[string]any{"message": "hello in " + version})
			if err != nil || answer.IsError || len(answer.Content) != 1 {
				t.Fatalf("calling the tool: %v, %v", answer, err)
			}
			if text, ok := answer.Content[0].(*mcp.TextContent); !ok || !strings.Contains(text.Text, "hello in "+version) {
				t.Errorf("it answers %v, want our message in it", answer.Content[0])
			}
		})
	}
}

func TestAWrongRegionIsRefusedByTheGateway(t *testing.T) {
	s := standInFor(t)
	g := openedGateway(t, s, "wrong-region")
	_, err := mcpclient.Connect(t.Context(), g.url, mcpclient.Options{Credentials: sdkConfig(t, s, "account-b").Credentials, Region: "eu-west-1"})
	if _, refused := errors.AsType[*mcpclient.RefusedError](err); !refused {
		t.Errorf("want a refusal, got %v", err)
	}
}
