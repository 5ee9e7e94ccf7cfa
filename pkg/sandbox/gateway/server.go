package gateway

import (
	"context"
	"encoding/json"
	"math"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

// versions are those that AgentCore speaks, newest first.
// https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/gateway-using.html
var versions = []string{"2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26"}

// message is what is read of a request before the MCP server reads all of it.
type message struct {
	ID json.RawMessage `json:"id"`
}

// parseMessage finds nothing in what is no single JSON-RPC message; the MCP
// server will say what is wrong with it.
func parseMessage(body []byte) message {
	var m message
	if json.Unmarshal(body, &m) != nil {
		return message{}
	}
	return m
}

// idText is the id as it stands in the client context of a tool's function.
func (m message) idText() string { return strings.Trim(string(m.ID), `"`) }

// newServer is the MCP server that answers one request: a gateway's tools may
// be others by the next.
func (h *Handler) newServer(gateway model.Gateway, message message) *mcp.Server {
	options := &mcp.ServerOptions{
		SupportedProtocolVersions: versions,
		PageSize:                  h.PageSize,
		Capabilities:              &mcp.ServerCapabilities{Tools: &mcp.ToolCapabilities{}},
	}
	if protocol := gateway.ProtocolConfiguration; protocol != nil && protocol.MCP != nil {
		options.Instructions = protocol.MCP.Instructions
		if supported := protocol.MCP.SupportedVersions; len(supported) > 0 {
			options.SupportedProtocolVersions = supported
		}
		if disabled := protocol.MCP.DisableMCPListToolsPagination; disabled != nil && *disabled {
			options.PageSize = math.MaxInt32
		}
	}
	server := mcp.NewServer(&mcp.Implementation{Name: gateway.Name, Version: "1.0.0"}, options)
	for _, target := range h.Gateways.ReadyTargets(gateway.ID) {
		h.addTools(server, gateway, target, message)
	}
	return server
}

func (h *Handler) addTools(server *mcp.Server, gateway model.Gateway, target model.Target, message message) {
	function, ok := lambdaTarget(target)
	if !ok {
		return
	}
	for _, tool := range function.ToolSchema.InlinePayload {
		if tool.InputSchema == nil || tool.InputSchema.Type != "object" {
			continue // MCP has no tool whose arguments are not an object
		}
		call := toolCall{
			handler: h, gateway: gateway, target: target, message: message,
			function: function.LambdaARN, tool: toolName(target.Name, tool.Name),
		}
		offered := &mcp.Tool{Name: call.tool, Description: tool.Description, InputSchema: tool.InputSchema}
		if tool.OutputSchema != nil && tool.OutputSchema.Type == "object" {
			offered.OutputSchema = tool.OutputSchema
			call.structured = true
		}
		server.AddTool(offered, func(ctx context.Context, request *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return call.run(ctx, request.Params.Arguments)
		})
	}
}

// toolName is how a target's tool is called from outside. Target names have no
// underscores, so the first three separate the two.
// https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/gateway-tool-naming.html
func toolName(target, tool string) string { return target + "___" + tool }

func lambdaTarget(target model.Target) (*model.LambdaTarget, bool) {
	configuration := target.TargetConfiguration
	if configuration == nil || configuration.MCP == nil || configuration.MCP.Lambda == nil {
		return nil, false
	}
	return configuration.MCP.Lambda, true
}
