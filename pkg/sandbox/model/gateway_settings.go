package model

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// GatewaySettings is what an owner chooses, on creation and on update. Raw
// members are kept and returned as given.
type GatewaySettings struct {
	Name                         string              `json:"name"`
	Description                  string              `json:"description,omitempty"`
	RoleARN                      string              `json:"roleArn,omitempty"`
	ProtocolType                 string              `json:"protocolType,omitempty"`
	ProtocolConfiguration        *ProtocolSettings   `json:"protocolConfiguration,omitempty"`
	AuthorizerType               AuthorizerType      `json:"authorizerType"`
	AuthorizerConfiguration      *AuthorizerSettings `json:"authorizerConfiguration,omitempty"`
	ExceptionLevel               string              `json:"exceptionLevel,omitempty"`
	KMSKeyARN                    string              `json:"kmsKeyArn,omitempty"`
	InterceptorConfigurations    json.RawMessage     `json:"interceptorConfigurations,omitempty"`
	PolicyEngineConfiguration    json.RawMessage     `json:"policyEngineConfiguration,omitempty"`
	CustomTransformConfiguration json.RawMessage     `json:"customTransformConfiguration,omitempty"`
	WAFConfiguration             json.RawMessage     `json:"wafConfiguration,omitempty"`
	DomainOverride               *Domains            `json:"domainOverride,omitempty"`
}

// Domains are the public names that a gateway advertises where it would else
// repeat the request's Host. They change neither its URL nor how it is reached.
// https://docs.aws.amazon.com/bedrock-agentcore-control/latest/APIReference/API_DomainOverride.html
type Domains struct {
	Default    string   `json:"default"`
	Alternates []string `json:"alternateDomains,omitempty"`
}

// ProtocolSettings is a union with MCP as its only member.
type ProtocolSettings struct {
	MCP *MCPSettings `json:"mcp,omitempty"`
}

// MCPSettings is how a gateway speaks MCP.
type MCPSettings struct {
	SupportedVersions             []string         `json:"supportedVersions,omitempty"`
	Instructions                  string           `json:"instructions,omitempty"`
	SearchType                    string           `json:"searchType,omitempty"`
	SessionConfiguration          *SessionSettings `json:"sessionConfiguration,omitempty"`
	StreamingConfiguration        json.RawMessage  `json:"streamingConfiguration,omitempty"`
	DisableMCPListToolsPagination *bool            `json:"disableMcpListToolsPagination,omitempty"`
}

// SessionSettings opts a gateway in to sessions.
// https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/gateway-sessions.html
type SessionSettings struct {
	// TimeoutSeconds is 900 to 28800; nil stands for 3600.
	TimeoutSeconds *int `json:"sessionTimeoutInSeconds,omitempty"`
}

// AuthorizerSettings is a union with a JWT authorizer as its only member.
type AuthorizerSettings struct {
	CustomJWT *JWTSettings `json:"customJWTAuthorizer,omitempty"`
}

// JWTSettings is what a CUSTOM_JWT gateway checks a token against.
type JWTSettings struct {
	DiscoveryURL                 string          `json:"discoveryUrl"`
	AllowedAudience              []string        `json:"allowedAudience,omitempty"`
	AllowedClients               []string        `json:"allowedClients,omitempty"`
	AllowedScopes                []string        `json:"allowedScopes,omitempty"`
	CustomClaims                 json.RawMessage `json:"customClaims,omitempty"`
	AdvertisedScopeMapping       json.RawMessage `json:"advertisedScopeMapping,omitempty"`
	CertificateConfigurations    json.RawMessage `json:"certificateConfigurations,omitempty"`
	AllowedWorkloadConfiguration json.RawMessage `json:"allowedWorkloadConfiguration,omitempty"`
	PrivateEndpoint              json.RawMessage `json:"privateEndpoint,omitempty"`
	PrivateEndpointOverrides     json.RawMessage `json:"privateEndpointOverrides,omitempty"`
}

// checkNewGateway holds a CreateGateway request to the service model.
// https://docs.aws.amazon.com/bedrock-agentcore-control/latest/APIReference/API_CreateGateway.html
func checkNewGateway(in CreateGatewayInput) error {
	v := checkSettings(in.GatewaySettings)
	v.token(in.ClientToken)
	v.tags("tags", in.Tags)
	if err := v.err(); err != nil {
		return err
	}
	return jwtNeedsSettings(in.GatewaySettings)
}

func checkSettings(in GatewaySettings) violations {
	var v violations
	if v.required("name", in.Name) {
		v.pattern("name", in.Name, gatewayNamePattern)
	}
	if v.required("roleArn", in.RoleARN) {
		v.pattern("roleArn", in.RoleARN, rolePattern)
		v.length("roleArn", in.RoleARN, 1, 2048)
	}
	if v.required("authorizerType", string(in.AuthorizerType)) {
		v.oneOf("authorizerType", string(in.AuthorizerType),
			string(CustomJWT), string(AWSIAM), string(NoAuthorizer), string(AuthenticateOnly))
	}
	v.length("description", in.Description, 0, 200)
	if in.ProtocolType != "" {
		v.oneOf("protocolType", in.ProtocolType, "MCP")
	}
	if in.ExceptionLevel != "" {
		v.oneOf("exceptionLevel", in.ExceptionLevel, "DEBUG")
	}
	if in.KMSKeyARN != "" {
		v.pattern("kmsKeyArn", in.KMSKeyARN, kmsKeyPattern)
	}
	if d := in.DomainOverride; d != nil {
		v.domains(*d)
	}
	if p := in.ProtocolConfiguration; p != nil && p.MCP != nil {
		v.mcp(*p.MCP)
	}
	if a := in.AuthorizerConfiguration; a != nil && a.CustomJWT != nil {
		v.pattern("authorizerConfiguration.customJWTAuthorizer.discoveryUrl", a.CustomJWT.DiscoveryURL, discoveryPattern)
	}
	return v
}

// domains: up to ten alternates, and no name twice.
func (v *violations) domains(in Domains) {
	const at = "domainOverride."
	if v.required(at+"default", in.Default) {
		v.domain(at+"default", in.Default)
	}
	if n := len(in.Alternates); n > 10 {
		v.add(at+"alternateDomains", strconv.Itoa(n), "Member must have length less than or equal to 10")
	}
	seen := []string{in.Default}
	for i, name := range in.Alternates {
		member := fmt.Sprintf("%salternateDomains.%d", at, i+1)
		v.domain(member, name)
		if slices.Contains(seen, name) {
			v.add(member, name, "Member must be unique")
		}
		seen = append(seen, name)
	}
}

func (v *violations) domain(at, name string) {
	v.length(at, name, 1, 253)
	v.pattern(at, name, domainPattern)
}

func (v *violations) mcp(in MCPSettings) {
	const at = "protocolConfiguration.mcp."
	v.length(at+"instructions", in.Instructions, 0, 2048)
	if in.SearchType != "" {
		v.oneOf(at+"searchType", in.SearchType, "SEMANTIC")
	}
	if session := in.SessionConfiguration; session != nil && session.TimeoutSeconds != nil {
		v.between(at+"sessionConfiguration.sessionTimeoutInSeconds", *session.TimeoutSeconds, 900, 28800)
	}
}

// jwtNeedsSettings: "Required if authorizerType is CUSTOM_JWT" (service model);
// the sentence was observed:
// https://github.com/hashicorp/terraform-provider-aws/issues/44825
func jwtNeedsSettings(in GatewaySettings) error {
	if in.AuthorizerType != CustomJWT {
		return nil
	}
	if in.AuthorizerConfiguration == nil || in.AuthorizerConfiguration.CustomJWT == nil {
		return invalid("AuthorizerConfiguration is required for CUSTOM_JWT authorizer type")
	}
	return nil
}

func (v *violations) token(token string) {
	if token == "" {
		return
	}
	v.length("clientToken", token, 33, 256)
	v.pattern("clientToken", token, clientTokenPattern)
}

// redacted is a request as CloudTrail shows it: name and description hidden, no
// tags.
// https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/understanding-gateway-cloudtrail-log-entries.html
func redacted(in GatewaySettings) map[string]any {
	text, err := json.Marshal(in)
	if err != nil {
		return map[string]any{} // a raw member that is no JSON; validation is about to say so
	}
	var shown map[string]any
	if err := json.Unmarshal(text, &shown); err != nil {
		return map[string]any{}
	}
	for _, member := range []string{"name", "description"} {
		if _, ok := shown[member]; ok {
			shown[member] = "***"
		}
	}
	return shown
}
