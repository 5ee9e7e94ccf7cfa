// Package mcpclient calls the tools of an AgentCore gateway with IAM
// authentication: MCP over HTTP, every request signed with SigV4.
package mcpclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Options say who calls, and how. Credentials are needed.
type Options struct {
	Credentials aws.CredentialsProvider
	// Region is the gateway's, which every signature names. It may be left out
	// when the URL is one that AWS gave, which names it too.
	Region string
	// ProtocolVersion pins the version of MCP, such as "2025-06-18". Empty is
	// the newest that both sides speak.
	ProtocolVersion string
	// HTTPClient sends the signed requests; http.DefaultClient if nil.
	HTTPClient *http.Client
	// Now is the clock that signatures are dated by; time.Now if nil.
	Now func() time.Time
}

// Client is a connection to one gateway. It is safe for concurrent use.
type Client struct {
	url     string
	session *mcp.ClientSession
}

// Connect opens a connection, which takes a request or more: a caller who is
// not let in learns it here. The error wraps a *RefusedError if the gateway
// answered and an *UnreachableError if no server did. Close must be called.
func Connect(ctx context.Context, gatewayURL string, options Options) (*Client, error) {
	if options.Credentials == nil {
		return nil, errors.New("connecting to " + gatewayURL + ": no AWS credentials given")
	}
	region, err := regionOf(gatewayURL, options.Region)
	if err != nil {
		return nil, err
	}
	base := http.DefaultClient
	if options.HTTPClient != nil {
		base = options.HTTPClient
	}
	signing := *base
	signing.Transport = newTransport(base.Transport, options, region)
	// A signature is for one host and path: it is not to be carried elsewhere.
	signing.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

	client := mcp.NewClient(&mcp.Implementation{Name: "gateway-grants", Version: "1"}, nil)
	attempted := &attempt{}
	session, err := client.Connect(attempted.in(ctx), &mcp.StreamableClientTransport{
		Endpoint:             gatewayURL,
		HTTPClient:           &signing,
		MaxRetries:           -1,
		DisableStandaloneSSE: true, // gateways push nothing
	}, &mcp.ClientSessionOptions{ProtocolVersion: options.ProtocolVersion})
	if err != nil {
		return nil, attempted.explain("connecting to "+gatewayURL, err)
	}
	return &Client{url: gatewayURL, session: session}, nil
}

// ProtocolVersion is the version of MCP that is spoken.
func (c *Client) ProtocolVersion() string { return c.session.InitializeResult().ProtocolVersion }

// Tools lists every tool that the gateway offers, all pages of them. Errors are
// those of Connect.
func (c *Client) Tools(ctx context.Context) ([]*mcp.Tool, error) {
	attempted := &attempt{}
	var tools []*mcp.Tool
	for tool, err := range c.session.Tools(attempted.in(ctx), nil) {
		if err != nil {
			return nil, attempted.explain("listing the tools of "+c.url, err)
		}
		tools = append(tools, tool)
	}
	return tools, nil
}

// Call calls a tool by the name that Tools gives it. A tool that fails is not an
// error: the result says so in IsError. Errors are those of Connect.
func (c *Client) Call(ctx context.Context, tool string, arguments map[string]any) (*mcp.CallToolResult, error) {
	attempted := &attempt{}
	result, err := c.session.CallTool(attempted.in(ctx), &mcp.CallToolParams{Name: tool, Arguments: arguments})
	if err != nil {
		return nil, attempted.explain("calling "+tool+" of "+c.url, err)
	}
	return result, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.session.Close() }

func regionOf(gatewayURL, given string) (string, error) {
	parsed, err := url.Parse(gatewayURL)
	if err != nil || parsed.Host == "" {
		return "", fmt.Errorf("gateway URL %q: not an absolute URL such as https://ID.gateway.bedrock-agentcore.REGION.amazonaws.com/mcp", gatewayURL)
	}
	if given != "" {
		return given, nil
	}
	if endpoint, err := ParseEndpoint(gatewayURL); err == nil && endpoint.Region != "" {
		return endpoint.Region, nil
	}
	return "", fmt.Errorf("gateway URL %s names no AWS region: give the region to sign for", gatewayURL)
}

func newTransport(base http.RoundTripper, options Options, region string) *transport {
	if base == nil {
		base = http.DefaultTransport
	}
	now := options.Now
	if now == nil {
		now = time.Now
	}
	return &transport{base: base, credentials: options.Credentials, region: region, now: now, signer: v4.NewSigner()}
}
