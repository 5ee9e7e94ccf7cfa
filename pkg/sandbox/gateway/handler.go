// Package gateway is the data plane of Amazon Bedrock AgentCore Gateway: an MCP
// server for each gateway that admits the callers that AWS would admit, and calls the
// Lambda functions behind the gateway's tools.
package gateway

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/sigv4"
)

const (
	service = "bedrock-agentcore"
	action  = "bedrock-agentcore:InvokeGateway"

	// maxBody is the payload limit, in bytes.
	// https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/bedrock-agentcore-limits.html
	maxBody = 6 << 20
)

// Gateways is what the data plane must know of the control plane's state.
type Gateways interface {
	Lookup(gatewayID string) (model.Gateway, bool)
	ReadyTargets(gatewayID string) []model.Target
	// EffectivePolicy is nil for a gateway without a resource policy.
	EffectivePolicy(gatewayARN string) (*policy.Document, error)
}

// Principals gives the unique id of a role, "" if there is none of that ARN.
type Principals interface {
	UniqueID(arn string) (string, error)
}

// Config is what a Handler is made of. All but Origin and PageSize are needed.
type Config struct {
	Gateways   Gateways
	Verifier   *sigv4.Verifier
	Decider    iam.Decider
	Principals Principals
	Functions  lambda.Functions
	Region     string

	// Origin adds to, or changes, the condition keys that tell where a request
	// came from: a loopback connection has no VPC endpoint and no interesting
	// address. An empty list of values removes a key.
	Origin func(*http.Request) map[string][]string
	// PageSize is the number of tools in a page of tools/list; zero is 1000.
	PageSize int
}

// Handler serves every gateway below its path or, for a request that was sent to
// AWS's own host name for it, below the root.
type Handler struct {
	Config

	mcp http.Handler
}

// New makes a handler.
func New(config Config) *Handler {
	return &Handler{
		Config: config,
		mcp: mcp.NewStreamableHTTPHandler(serverOf, &mcp.StreamableHTTPOptions{
			Stateless:           true,
			JSONResponse:        true,
			MaxRequestBodyBytes: maxBody,
			// The host of a gateway is its own name even when it is served on
			// loopback. What the check guards against, a web page reaching a
			// local server, cannot sign requests.
			DisableLocalhostProtection: true,
		}),
	}
}

// Root is where gateways are served on a host that serves many.
const Root = "/gateway/"

// Path is where a gateway is served on a host that serves many; it speaks MCP at
// /mcp below. AWS gives each gateway a host instead, but not every resolver knows
// names below localhost.
func Path(gatewayID string) string { return Root + gatewayID }

var gatewayHost = regexp.MustCompile(`(?i)^([^.]+)\.gateway\.bedrock-agentcore\.[^.]+\.amazonaws\.com(?::\d+)?$`)

// route finds the gateway that a request is for, and whether the request is to
// the path at which it speaks MCP.
func route(r *http.Request) (gatewayID string, speaksMCP bool) {
	if m := gatewayHost.FindStringSubmatch(r.Host); m != nil {
		return strings.ToLower(m[1]), r.URL.Path == "/mcp" // host names have no case
	}
	id, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, Root), "/")
	return id, path == "mcp"
}

// ServeHTTP decides who calls and whether they may, in AWS's order, and then
// speaks MCP.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h.serve(w, r); err != nil {
		refuse(w, err)
	}
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request) error {
	id, speaksMCP := route(r)
	if !speaksMCP {
		return errUnknownOperation
	}
	gateway, exists := h.Gateways.Lookup(id)
	if !exists {
		// Who is not known at all learns nothing of what exists.
		gateway.AuthorizerType = model.AWSIAM
	}
	if err := checkDomain(r, gateway); exists && err != nil {
		return err
	}
	identity, err := h.authenticate(r, gateway)
	if err != nil {
		return err
	}
	message, err := readMessage(r)
	if err != nil {
		return err
	}
	if !exists || gateway.Status != model.Ready && gateway.Status != model.Updating {
		return &refusal{status: http.StatusNotFound, code: codeNotFound, message: "Gateway not found: " + id, id: message.ID}
	}
	if gateway.AuthorizerType == model.AWSIAM {
		if err := h.authorize(r, gateway, identity, message); err != nil {
			return err
		}
	}
	server := h.newServer(gateway, message)
	h.mcp.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), serverKey{}, server)))
	return nil
}

type serverKey struct{}

func serverOf(r *http.Request) *mcp.Server {
	server, _ := r.Context().Value(serverKey{}).(*mcp.Server)
	return server
}

// readMessage looks at the body without taking it away from the MCP server.
func readMessage(r *http.Request) (message, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return message{}, fmt.Errorf("reading the request's body: %w", err)
	}
	if len(body) > maxBody {
		return message{}, tooLarge()
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return parseMessage(body), nil
}
