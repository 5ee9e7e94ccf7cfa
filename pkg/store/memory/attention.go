package memory

import (
	"context"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

// Attention reads what needs attention about each gateway, by ARN.
func (s *States) Attention(ctx context.Context) (all map[string]plan.Attention, err error) {
	err = s.table.read(ctx, "read what needs attention", func(v *view) error {
		all, err = store.ParseAttention(v.partition(store.AttentionPartition))
		return err
	})
	return all, err
}

// SetAttention records what needs attention about the gateway.
func (s *States) SetAttention(ctx context.Context, gateway grant.Gateway, wants plan.Attention) error {
	return s.table.write(ctx, "record what needs attention about "+gateway.ARN(), func(v *view) error {
		if wants == (plan.Attention{}) {
			v.delete(store.AttentionKey(gateway))
			return nil
		}
		return v.put(store.AttentionItem(gateway, wants))
	})
}
