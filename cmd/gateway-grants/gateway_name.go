package main

import (
	"context"
	"regexp"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/agentcore"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// scope is what GATEWAY on the command line means: one gateway, or every
// managed one.
type scope struct {
	every   bool
	gateway grant.Gateway
}

// key is the partition of the grants table that holds the scope's rows.
func (s scope) key() string {
	if s.every {
		return grant.EveryGateway
	}
	return s.gateway.ARN()
}

func (s scope) String() string {
	if s.every {
		return "every managed gateway"
	}
	return s.gateway.ID()
}

// A gateway's id is its name, a hyphen and ten more characters.
// https://docs.aws.amazon.com/bedrock-agentcore-control/latest/APIReference/API_GetGateway.html
var (
	gatewayName = regexp.MustCompile(`^[0-9a-zA-Z](?:-?[0-9a-zA-Z])*$`)
	gatewayID   = regexp.MustCompile(`^(?:[0-9a-zA-Z]-?){1,100}-[0-9a-z]{10}$`)
)

// scope reads GATEWAY. Left out, it is the gateway of the configuration file. An
// id is that of a gateway in the caller's account and region, which AWS has to
// be asked for; whoami does so. A name is looked for in the whole deployment.
func (p *program) scope(ctx context.Context, name string, whoami func(context.Context) (region string, who identity, err error)) (scope, error) {
	switch {
	case name == "":
		return p.configuredScope()
	case name == grant.EveryGateway:
		return scope{every: true}, nil
	case strings.HasPrefix(name, "arn:"):
		gateway, err := grant.ParseGateway(name)
		if err != nil {
			return scope{}, refuse("%q is not the ARN of a gateway: write arn:aws:bedrock-agentcore:REGION:ACCOUNT:gateway/ID", name)
		}
		return scope{gateway: gateway}, nil
	case !gatewayName.MatchString(name):
		return scope{}, refuse("%q names no gateway: write its ARN, its id or its name", name)
	case !gatewayID.MatchString(name):
		return p.scopeNamed(ctx, name)
	}
	region, who, err := whoami(ctx)
	if err != nil {
		return scope{}, err
	}
	gateway, err := grant.ParseGateway("arn:" + who.Partition + ":bedrock-agentcore:" + region + ":" + who.Account + ":gateway/" + name)
	if err != nil {
		return scope{}, refuse("%q is no gateway's id: write its ARN, its id or its name", name)
	}
	return scope{gateway: gateway}, nil
}

// scopeNamed looks for the one gateway of the deployment with the name.
func (p *program) scopeNamed(ctx context.Context, name string) (scope, error) {
	s, err := p.session(ctx)
	if err != nil {
		return scope{}, err
	}
	found, err := agentcore.New(s.config, agentcore.Deployment(p.settings.reach)).Named(ctx, name)
	if err != nil {
		return scope{}, err
	}
	return theOne(found, name)
}

// theOne is the gateway of the name, where there is one.
func theOne(found []grant.Gateway, name string) (scope, error) {
	if len(found) == 1 {
		return scope{gateway: found[0]}, nil
	}
	if len(found) == 0 {
		return scope{}, refuse("there is no gateway named %s: write its ARN, its id or its name", name)
	}
	arns := make([]string, len(found))
	for i, gateway := range found {
		arns[i] = gateway.ARN()
	}
	return scope{}, refuse("%d gateways are named %s: write the ARN of one: %s", len(found), name, strings.Join(arns, ", "))
}

func (p *program) configuredScope() (scope, error) {
	config, err := readGatewayConfig(p.settings.config)
	if err != nil {
		return scope{}, err
	}
	if config == nil {
		return scope{}, refuse("no gateway is named and there is no %s: name one by its ARN, id or name", p.settings.config)
	}
	gateway, err := config.gateway()
	return scope{gateway: gateway}, err
}

// scopeOf reads GATEWAY as the session's caller means it.
func (p *program) scopeOf(ctx context.Context, name string, s *session) (scope, error) {
	return p.scope(ctx, name, func(ctx context.Context) (string, identity, error) {
		who, err := s.identity(ctx)
		return s.config.Region, who, err
	})
}
