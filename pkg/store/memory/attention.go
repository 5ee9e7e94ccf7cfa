package memory

import (
	"context"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

// Attention reads what of each gateway wants a person, by ARN.
func (s *States) Attention(ctx context.Context) (all map[string]plan.Attention, err error) {
	err = s.table.read(ctx, "read what wants a person", func(v *view) error {
		all, err = store.ParseAttention(v.partition(store.AttentionPartition))
		return err
	})
	return all, err
}

// SetAttention records what of the gateway wants a person.
func (s *States) SetAttention(ctx context.Context, gateway grant.Gateway, wants plan.Attention) error {
	return s.table.write(ctx, "record what of "+gateway.ARN()+" wants a person", func(v *view) error {
		if wants == (plan.Attention{}) {
			v.delete(store.AttentionKey(gateway))
			return nil
		}
		return v.put(store.AttentionItem(gateway, wants))
	})
}
