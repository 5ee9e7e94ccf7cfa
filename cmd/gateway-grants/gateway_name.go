package main

import (
	"context"
	"regexp"
	"strings"

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

var gatewayID = regexp.MustCompile(`^[0-9a-zA-Z](?:-?[0-9a-zA-Z])*$`)

// scope reads GATEWAY. Left out, it is the gateway of the configuration file. An
// id is that of a gateway in the caller's account and region, which AWS has to
// be asked for; whoami does so.
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
	case !gatewayID.MatchString(name):
		return scope{}, refuse("%q names no gateway: write its ARN or its id", name)
	}
	region, who, err := whoami(ctx)
	if err != nil {
		return scope{}, err
	}
	gateway, err := grant.ParseGateway("arn:" + who.Partition + ":bedrock-agentcore:" + region + ":" + who.Account + ":gateway/" + name)
	if err != nil {
		return scope{}, refuse("%q is no gateway's id: write its ARN or its id", name)
	}
	return scope{gateway: gateway}, nil
}

func (p *program) configuredScope() (scope, error) {
	config, err := readGatewayConfig(p.settings.config)
	if err != nil {
		return scope{}, err
	}
	if config == nil {
		return scope{}, refuse("no gateway is named and there is no %s: name one by its ARN or id", p.settings.config)
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
