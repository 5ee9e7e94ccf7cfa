package gateway

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

// internalError is what a caller sees of any fault behind the gateway, unless
// the gateway is set to debugging.
// https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/gateway-debug-messages.html
const internalError = "An internal error occurred. Please retry later."

// toolCall is one call of one tool.
type toolCall struct {
	handler    *Handler
	gateway    model.Gateway
	target     model.Target
	message    message
	function   string // ARN
	tool       string // target___tool
	structured bool   // the tool declares what it returns
}

// fault is what went wrong behind the gateway, as a debugging caller reads it.
type fault string

func faultf(format string, args ...any) fault { return fault(fmt.Sprintf(format, args...)) }

func (f fault) Error() string { return string(f) }

// run hands the arguments to the function as they came: checking them against
// the schema is the caller's and the function's business.
func (c toolCall) run(ctx context.Context, arguments json.RawMessage) (*mcp.CallToolResult, error) {
	if len(arguments) == 0 {
		arguments = json.RawMessage("{}")
	}
	function, err := c.lambda(ctx)
	if err != nil {
		return c.failure(err)
	}
	result, err := function.Invoke(ctx, arguments, c.clientContext())
	if err != nil {
		return c.failure(faultf("Lambda function %s could not be invoked: %v", c.function, err))
	}
	if result.FunctionError != "" {
		// AWS documents that debugging shows errors of the function, not how.
		return c.failure(faultf("Lambda function %s returned an error: %s", c.function, result.Payload))
	}
	return c.success(result.Payload)
}

// lambda finds the function if the gateway's role may invoke it.
// https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/gateway-outbound-auth.html
func (c toolCall) lambda(ctx context.Context) (lambda.Function, error) {
	// AWS's own words, as documented for a gateway set to debugging.
	denied := faultf("Access denied while invoking Lambda function %s. Check the permissions on the Lambda function and Gateway execution role, and retry the request.", c.function)
	role, err := c.role()
	if errors.Is(err, iam.ErrNotFound) {
		return nil, denied
	}
	if err != nil {
		return nil, err
	}
	decision, err := c.handler.Decider.Decide(ctx, role, policy.Call{Action: "lambda:InvokeFunction", Resource: c.function})
	if err != nil {
		return nil, err
	}
	if !decision.Allowed {
		return nil, denied
	}
	return c.handler.Functions.Function(ctx, c.function)
}

// role is the session in which the gateway acts.
func (c toolCall) role() (iam.Caller, error) {
	arn := c.gateway.RoleARN
	id, err := c.handler.Principals.UniqueID(arn)
	if err != nil {
		return iam.Caller{}, fmt.Errorf("looking up the gateway's role %s: %w", arn, err)
	}
	if id == "" {
		return iam.Caller{}, fmt.Errorf("the gateway's role %s: %w", arn, iam.ErrNotFound)
	}
	session := c.gateway.ID
	name := arn[strings.LastIndexByte(arn, '/')+1:]
	return iam.Caller{
		Account:      c.gateway.Account,
		ARN:          fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/%s", c.gateway.Account, name, session),
		PrincipalARN: arn,
		UserID:       id + ":" + session,
		Kind:         iam.KindAssumedRole,
	}, nil
}

// clientContext tells the function which tool is called. Nothing in it says who
// calls.
// https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/gateway-add-target-lambda.html
func (c toolCall) clientContext() []byte {
	encoded, _ := json.Marshal(map[string]map[string]string{"custom": {
		"bedrockAgentCoreMessageVersion": "1.0",
		"bedrockAgentCoreAwsRequestId":   rand.Text(),
		"bedrockAgentCoreMcpMessageId":   c.message.idText(),
		"bedrockAgentCoreGatewayId":      c.gateway.ID,
		"bedrockAgentCoreTargetId":       c.target.ID,
		"bedrockAgentCoreToolName":       c.tool,
	}}) // strings always marshal
	return encoded
}

// success wraps what the function returned as text, whatever its shape:
// {"statusCode": 500} is a success like any other.
func (c toolCall) success(payload []byte) (*mcp.CallToolResult, error) {
	var text bytes.Buffer
	if err := json.Compact(&text, payload); err != nil {
		return c.failure(faultf("Lambda function %s returned no valid JSON: %v", c.function, err))
	}
	result := &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text.String()}}}
	// MCP asks for it where the tool declares what it returns.
	// https://modelcontextprotocol.io/specification/2025-06-18/server/tools#structured-content
	if c.structured && strings.HasPrefix(text.String(), "{") {
		result.StructuredContent = json.RawMessage(text.Bytes())
	}
	return result, nil
}

// failure is how a fault behind the gateway is reported: by a result, which to MCP
// is a success.
func (c toolCall) failure(err error) (*mcp.CallToolResult, error) {
	if c.gateway.ExceptionLevel != "DEBUG" {
		return &mcp.CallToolResult{IsError: true, Content: []mcp.Content{&mcp.TextContent{Text: internalError}}}, nil
	}
	message := err.Error()
	return &mcp.CallToolResult{
		IsError: true,
		Content: []mcp.Content{&mcp.TextContent{Text: message}},
		Meta:    mcp.Meta{"debug": map[string]string{"type": "text", "text": message}},
	}, nil
}
