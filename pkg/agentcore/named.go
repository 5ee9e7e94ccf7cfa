package agentcore

import (
	"cmp"
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// Named lists the gateways of every owner and region that have the name, managed or
// not, sorted by ARN, or fails. A name is unique only in a region of an account.
func (g *Gateways) Named(ctx context.Context, name string) ([]grant.Gateway, error) {
	var all []grant.Gateway
	owners, err := g.Owners(ctx)
	if err != nil {
		return nil, err
	}
	for _, owner := range owners {
		for _, region := range g.regions {
			found, err := g.namedAt(ctx, place{owner, region}, name)
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
		}
	}
	slices.SortFunc(all, func(a, b grant.Gateway) int { return cmp.Compare(a.ARN(), b.ARN()) })
	return all, nil
}

func (g *Gateways) namedAt(ctx context.Context, at place, name string) ([]grant.Gateway, error) {
	client, err := g.site(ctx, at)
	if err != nil {
		return nil, err
	}
	l := listing{client: client, gateways: g, pace: newPace(g.clock, listingRate, listingBurst), op: "list the gateways of " + at.String()}
	items, err := l.items(ctx)
	if err != nil {
		return nil, err
	}
	var found []grant.Gateway
	for _, item := range items {
		if aws.ToString(item.Name) != name {
			continue
		}
		gateway, exists, err := l.named(ctx, aws.ToString(item.GatewayId), grant.Gateway{})
		if err != nil {
			return nil, err
		}
		if exists {
			found = append(found, gateway)
		}
	}
	return found, nil
}
