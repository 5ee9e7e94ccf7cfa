package main

import (
	"context"
	"net/url"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/mcpclient"
)

const urlHint = "write https://ID.gateway.bedrock-agentcore.REGION.amazonaws.com/mcp, or the gateway's id or ARN"

// endpoint is where the named gateway is called, and the Region to sign for: a
// URL with or without /mcp, a host, an id in the session's Region, or an ARN. Left
// out, it is the gateway of the configuration file.
func (p *program) endpoint(ctx context.Context, name string, s *session) (mcpclient.Endpoint, error) {
	switch {
	case name == "":
		return p.configuredEndpoint(s)
	case strings.HasPrefix(name, "arn:"):
		gateway, err := grant.ParseGateway(name)
		if err != nil {
			return mcpclient.Endpoint{}, refuse("%q is not the ARN of a gateway: write arn:aws:bedrock-agentcore:REGION:ACCOUNT:gateway/ID", name)
		}
		return p.served(ctx, gateway.ID(), gateway.Region(), s)
	case gatewayID.MatchString(name):
		return p.served(ctx, name, s.config.Region, s)
	default:
		return p.endpointAt(name, s)
	}
}

func (p *program) configuredEndpoint(s *session) (mcpclient.Endpoint, error) {
	config, err := readGatewayConfig(p.settings.config)
	if err != nil {
		return mcpclient.Endpoint{}, err
	}
	if config == nil {
		return mcpclient.Endpoint{}, refuse("no gateway is named and there is no %s: give the gateway's URL, id or ARN", p.settings.config)
	}
	return p.endpointAt(config.GatewayURL, s)
}

// served is where a gateway with this id is. AWS's hosts are made of id and
// Region, so that it need not be asked: a caller in another account could not.
// Any other endpoint is asked.
func (p *program) served(ctx context.Context, id, region string, s *session) (mcpclient.Endpoint, error) {
	if s.config.BaseEndpoint == nil {
		return mcpclient.EndpointOf(id, region), nil
	}
	setup, _ := p.setup(s.config)
	at, err := setup.URL(ctx, id)
	if err != nil {
		return mcpclient.Endpoint{}, refuse("the endpoint %s does not tell where gateway %s is (%v): give its URL", *s.config.BaseEndpoint, id, err)
	}
	return p.endpointAt(at, s)
}

// endpointAt reads a URL or a host. Where that names no Region, as a custom domain
// does not, the user has to: a signature for another Region is refused in the
// words of a missing permission.
func (p *program) endpointAt(text string, s *session) (mcpclient.Endpoint, error) {
	at, err := mcpclient.ParseEndpoint(text)
	if err != nil {
		return mcpclient.Endpoint{}, refuse("%q is not a gateway's URL (%v): %s", text, err, urlHint)
	}
	switch {
	case at.Region != "":
	case p.settings.region != "":
		at.Region = p.settings.region
	case isLocal(at.URL, s):
		at.Region = s.config.Region
	default:
		return mcpclient.Endpoint{}, refuse("%s does not say in which Region the gateway is, and the call has to be signed for it: add --region", at.URL)
	}
	return at, nil
}

// isLocal reports whether the URL is on this machine, or where the session finds
// AWS's other services.
func isLocal(at string, s *session) bool {
	parsed, err := url.Parse(at)
	if err != nil {
		return false
	}
	if s.config.BaseEndpoint != nil {
		if base, err := url.Parse(*s.config.BaseEndpoint); err == nil && base.Host == parsed.Host {
			return true
		}
	}
	host := parsed.Hostname()
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || host == "::1" || strings.HasPrefix(host, "127.")
}
