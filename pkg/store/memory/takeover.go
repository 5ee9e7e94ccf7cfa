package memory

import (
	"context"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

// Takeover is reconcile.Grants's.
func (g *Grants) Takeover(ctx context.Context, gateway grant.Gateway) (approved grant.Takeover, err error) {
	err = g.table.read(ctx, "read which takeover of "+gateway.ARN()+" is approved", func(v *view) error {
		if item, found := v.get(store.TakeoverKey(gateway)); found {
			approved = store.ParseTakeover([]store.Item{item})
		}
		return nil
	})
	return approved, err
}

// ApproveTakeover records that an admin, by ARN, lets the deployment take the gateway
// over. It replaces any earlier approval.
func (g *Grants) ApproveTakeover(ctx context.Context, gateway grant.Gateway, approved grant.Takeover, by string) error {
	return g.put(ctx, store.TakeoverItem(gateway, approved, by), false)
}
