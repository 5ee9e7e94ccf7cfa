package main

import (
	"context"

	"github.com/gateway-grants/gateway-grants/pkg/access"
	"github.com/gateway-grants/gateway-grants/pkg/agentcore"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
)

// gatewaySide asks what the gateway's policy says to a call that was denied. It is
// nil where the caller may not read the policy, or the gateway's ARN is not known.
func (p *program) gatewaySide(ctx context.Context, name, url string, s *session, refused refusedText) (arn string, side *partText) {
	gateway, known := p.invokedGateway(ctx, name, url, s)
	if !known {
		return "", nil
	}
	who, err := s.identity(ctx)
	if err != nil || !refused.Denied {
		return gateway.ARN(), nil
	}
	named, err := parseAsked(who.ARN, who.Partition)
	if err != nil {
		return gateway.ARN(), nil
	}
	document, err := agentcore.New(s.config, agentcore.Deployment{}).Policy(ctx, gateway)
	if err != nil {
		return gateway.ARN(), nil
	}
	seen := access.Gateway{World: plan.World{Now: p.now(), Gateway: plan.Observed{Gateway: gateway, Authorizer: "AWS_IAM", Policy: document}}}
	part := partTextOf(seen.Answer(access.Question{Caller: named.caller()}).Gateway)
	return gateway.ARN(), &part
}

// invokedGateway is the gateway that was called, where its ARN can be known: a URL
// names no account, unless it is that of the configuration file.
func (p *program) invokedGateway(ctx context.Context, name, url string, s *session) (grant.Gateway, bool) {
	if where, err := p.scopeOf(ctx, name, s); err == nil && !where.every {
		return where.gateway, true
	}
	config, err := readGatewayConfig(p.settings.config)
	if err != nil || config == nil || config.GatewayURL != url {
		return grant.Gateway{}, false
	}
	gateway, err := config.gateway()
	return gateway, err == nil
}
