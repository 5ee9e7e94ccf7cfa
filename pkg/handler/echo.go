package handler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/gateway-grants/gateway-grants/pkg/event"
)

// Tool is a tool of a gateway's Lambda target, as its tool schema declares it.
// https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/gateway-add-target-lambda.html
type Tool struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	InputSchema Schema `json:"inputSchema"`
}

// Schema is the part of JSON Schema that tool schemas know and our tool needs.
type Schema struct {
	Type        string            `json:"type"`
	Description string            `json:"description,omitempty"`
	Properties  map[string]Schema `json:"properties,omitempty"`
	Required    []string          `json:"required,omitempty"`
}

// EchoTool declares the only tool of Echo.
func EchoTool() Tool {
	return Tool{
		Name:        "echo_message",
		Description: "Echo back a message for testing",
		InputSchema: Schema{
			Type:       "object",
			Properties: map[string]Schema{"message": {Type: "string", Description: "The message to echo"}},
			Required:   []string{"message"},
		},
	}
}

// Echoed is what Echo returns; the gateway hands it on as text.
type Echoed struct {
	Message string `json:"message"`
}

const (
	toolNameKey   = "bedrockAgentCoreToolName"
	toolDelimiter = "___" // between the target's name and the tool's; no target's name holds it
)

// Echo is the tool behind a gateway's Lambda target: it returns the message that
// it is given. The arguments arrive as the event itself, the tool's name in the
// client context. A failure is an error, because a gateway takes every answer
// for a success.
// https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/gateway-add-target-lambda.html
func Echo(ctx context.Context, payload json.RawMessage) (Echoed, error) {
	tool, err := calledTool(ctx)
	if err != nil {
		return Echoed{}, err
	}
	if tool != EchoTool().Name {
		return Echoed{}, fmt.Errorf("there is no tool %q; the only one is %s", event.OneLine(tool), EchoTool().Name)
	}
	var arguments map[string]any
	if err := json.Unmarshal(payload, &arguments); err != nil {
		return Echoed{}, errors.New(tool + " takes its arguments as a JSON object, such as {\"message\": \"hello\"}")
	}
	message, ok := arguments["message"]
	if !ok {
		return Echoed{}, errors.New(tool + " needs the argument message")
	}
	text, ok := message.(string)
	if !ok {
		return Echoed{}, errors.New(tool + " needs a string as the argument message")
	}
	return Echoed{Message: text}, nil
}

func calledTool(ctx context.Context) (string, error) {
	invocation, ok := lambdacontext.FromContext(ctx)
	if !ok {
		return "", errors.New("no client context: this function is called by a gateway's Lambda target")
	}
	name := invocation.ClientContext.Custom[toolNameKey]
	if name == "" {
		return "", errors.New("the client context names no " + toolNameKey + ": this function is called by a gateway's Lambda target")
	}
	if _, tool, prefixed := strings.Cut(name, toolDelimiter); prefixed {
		return tool, nil
	}
	return name, nil
}
