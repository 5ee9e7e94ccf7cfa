package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// TargetSettings is what an owner chooses, on creation and on update. Raw
// members are kept and returned as given.
type TargetSettings struct {
	Name                      string               `json:"name"`
	Description               string               `json:"description,omitempty"`
	TargetConfiguration       *TargetConfiguration `json:"targetConfiguration,omitempty"`
	CredentialProviders       []CredentialProvider `json:"credentialProviderConfigurations"`
	MetadataConfiguration     json.RawMessage      `json:"metadataConfiguration,omitempty"`
	PrivateEndpoint           json.RawMessage      `json:"privateEndpoint,omitempty"`
	CertificateConfigurations json.RawMessage      `json:"certificateConfigurations,omitempty"`
}

// TargetConfiguration is a union: exactly one member is set.
type TargetConfiguration struct {
	MCP       *MCPTarget      `json:"mcp,omitempty"`
	HTTP      json.RawMessage `json:"http,omitempty"`
	Inference json.RawMessage `json:"inference,omitempty"`
}

// MCPTarget is a union: exactly one member is set.
type MCPTarget struct {
	Lambda        *LambdaTarget   `json:"lambda,omitempty"`
	OpenAPISchema json.RawMessage `json:"openApiSchema,omitempty"`
	SmithyModel   json.RawMessage `json:"smithyModel,omitempty"`
	MCPServer     json.RawMessage `json:"mcpServer,omitempty"`
	APIGateway    json.RawMessage `json:"apiGateway,omitempty"`
	Connector     json.RawMessage `json:"connector,omitempty"`
}

func (c *TargetConfiguration) protocol() string {
	switch {
	case c.MCP != nil:
		return "MCP"
	case given(c.HTTP):
		return "HTTP"
	}
	return ""
}

// kind is a value of the service model's TargetType.
func (c *TargetConfiguration) kind() string {
	switch m := c.MCP; {
	case m == nil:
		return ""
	case m.Lambda != nil:
		return "LAMBDA"
	case given(m.OpenAPISchema):
		return "OPEN_API_SCHEMA"
	case given(m.SmithyModel):
		return "SMITHY_MODEL"
	case given(m.MCPServer):
		return "MCP_SERVER"
	case given(m.APIGateway):
		return "API_GATEWAY"
	default:
		return "CONNECTOR"
	}
}

// LambdaTarget serves tools from a Lambda function.
// https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/gateway-add-target-lambda.html
type LambdaTarget struct {
	LambdaARN  string     `json:"lambdaArn"`
	ToolSchema ToolSchema `json:"toolSchema"`
}

// ToolSchema is a union: exactly one member is set.
type ToolSchema struct {
	InlinePayload []Tool          `json:"inlinePayload,omitempty"`
	S3            json.RawMessage `json:"s3,omitempty"`
}

// Tool is one tool of a Lambda target, by the name that callers see after the
// target's own.
type Tool struct {
	Name         string  `json:"name"`
	Description  string  `json:"description"`
	InputSchema  *Schema `json:"inputSchema"`
	OutputSchema *Schema `json:"outputSchema,omitempty"`
}

// Schema is the part of JSON Schema that AgentCore knows.
// https://docs.aws.amazon.com/bedrock-agentcore-control/latest/APIReference/API_SchemaDefinition.html
type Schema struct {
	Type        string            `json:"type"`
	Description string            `json:"description,omitempty"`
	Properties  map[string]Schema `json:"properties,omitempty"`
	Required    []string          `json:"required,omitempty"`
	Items       *Schema           `json:"items,omitempty"`
}

// CredentialProvider is how the gateway authenticates to the target.
type CredentialProvider struct {
	Type     string          `json:"credentialProviderType"`
	Provider json.RawMessage `json:"credentialProvider,omitempty"`
}

// gatewayRole is the credential provider of targets that are AWS's own.
const gatewayRole = "GATEWAY_IAM_ROLE"

// https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/bedrock-agentcore-limits.html
const (
	toolsPerTarget     = 1000
	toolNameCharacters = 256
	inlineSchemaBytes  = 1 << 20
)

// checkTarget holds the settings to the service model.
// https://docs.aws.amazon.com/bedrock-agentcore-control/latest/APIReference/API_CreateGatewayTarget.html
func checkTarget(in TargetSettings) violations {
	var v violations
	// The newest model no longer requires a name; which name a target without
	// one gets is not documented, so it is required here as it long was.
	if v.required("name", in.Name) {
		v.pattern("name", in.Name, targetNamePattern)
	}
	v.length("description", in.Description, 0, 200)
	if len(in.CredentialProviders) > 1 {
		v.add("credentialProviderConfigurations", strconv.Itoa(len(in.CredentialProviders)),
			"Member must have length less than or equal to 1")
	}
	for _, c := range in.CredentialProviders {
		v.oneOf("credentialProviderConfigurations.1.credentialProviderType", c.Type,
			gatewayRole, "OAUTH", "API_KEY", "CALLER_IAM_CREDENTIALS", "JWT_PASSTHROUGH")
	}
	if in.TargetConfiguration == nil {
		v.add("targetConfiguration", "null", "Member must not be null")
		return v
	}
	v.targetConfiguration(*in.TargetConfiguration)
	return v
}

func (v *violations) targetConfiguration(in TargetConfiguration) {
	const at = "targetConfiguration"
	v.union(at, in.MCP != nil, given(in.HTTP), given(in.Inference))
	if in.MCP == nil {
		return
	}
	m := in.MCP
	v.union(at+".mcp", m.Lambda != nil, given(m.OpenAPISchema), given(m.SmithyModel),
		given(m.MCPServer), given(m.APIGateway), given(m.Connector))
	if m.Lambda != nil {
		v.lambda(at+".mcp.lambda", *m.Lambda)
	}
}

func (v *violations) lambda(at string, in LambdaTarget) {
	if v.required(at+".lambdaArn", in.LambdaARN) {
		v.pattern(at+".lambdaArn", in.LambdaARN, lambdaPattern)
		v.length(at+".lambdaArn", in.LambdaARN, 1, 170)
	}
	schema := in.ToolSchema
	at += ".toolSchema"
	v.union(at, schema.InlinePayload != nil, given(schema.S3))
	at += ".inlinePayload"
	if n := len(schema.InlinePayload); n > toolsPerTarget {
		v.add(at, strconv.Itoa(n), fmt.Sprintf("Member must have length less than or equal to %d", toolsPerTarget))
	}
	if text, err := json.Marshal(schema.InlinePayload); err == nil && len(text) > inlineSchemaBytes {
		v.add(at, strconv.Itoa(len(text)), fmt.Sprintf("Member must have at most %d bytes", inlineSchemaBytes))
	}
	for i, tool := range schema.InlinePayload {
		v.tool(fmt.Sprintf("%s.%d", at, i+1), tool)
	}
}

func (v *violations) tool(at string, in Tool) {
	if v.required(at+".name", in.Name) {
		v.length(at+".name", in.Name, 1, toolNameCharacters)
	}
	v.required(at+".description", in.Description)
	if in.InputSchema == nil {
		v.add(at+".inputSchema", "null", "Member must not be null")
	} else {
		v.schema(at+".inputSchema", *in.InputSchema)
	}
	if in.OutputSchema != nil {
		v.schema(at+".outputSchema", *in.OutputSchema)
	}
}

func (v *violations) schema(at string, in Schema) {
	v.oneOf(at+".type", in.Type, "string", "number", "object", "array", "boolean", "integer")
	for name, property := range in.Properties {
		v.schema(at+".properties."+name, property)
	}
	if in.Items != nil {
		v.schema(at+".items", *in.Items)
	}
}

// union: exactly one member of a Smithy union may be set.
// https://smithy.io/2.0/spec/aggregate-types.html#union
func (v *violations) union(at string, members ...bool) {
	set := 0
	for _, m := range members {
		if m {
			set++
		}
	}
	if set != 1 {
		v.add(at, strings.TrimSpace(fmt.Sprintf("%d members", set)), "Exactly one member of the union must be set")
	}
}

func given(raw json.RawMessage) bool {
	return len(raw) > 0 && !bytes.Equal(raw, []byte("null"))
}

// outboundAuth: a Lambda target needs the gateway's own role. The service model
// has it as optional; the first sentence is what users quote when they leave it
// out, the second is that of connector targets.
// https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/gateway-outbound-auth.html
func outboundAuth(in TargetSettings) error {
	mcp := in.TargetConfiguration.MCP
	if mcp == nil || mcp.Lambda == nil {
		return nil
	}
	if len(in.CredentialProviders) == 0 {
		return invalid("Credential provider configurations is not defined")
	}
	if in.CredentialProviders[0].Type != gatewayRole {
		return invalid("Lambda target only supports %s credential provider type", gatewayRole)
	}
	return nil
}
