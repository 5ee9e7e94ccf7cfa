package store

import (
	"context"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// Takeover is reconcile.Grants's.
func (g *Grants) Takeover(ctx context.Context, gateway grant.Gateway) (grant.Takeover, error) {
	key := TakeoverKey(gateway)
	items, err := query(ctx, g.client, g.table, inPartition(GrantsLayout.Partition, key.Partition).and("#sort = :sort", GrantsLayout.Sort, key.Sort))
	if err != nil {
		return grant.Takeover{}, unread(g.table, "read which takeover of "+gateway.ARN()+" is approved", err)
	}
	return ParseTakeover(items), nil
}

// ApproveTakeover records that an admin, by ARN, lets the deployment take the gateway
// over. It replaces any earlier approval.
func (g *Grants) ApproveTakeover(ctx context.Context, gateway grant.Gateway, approved grant.Takeover, by string) error {
	return g.put(ctx, TakeoverItem(gateway, approved, by), false)
}
