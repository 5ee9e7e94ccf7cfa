package store

import (
	"fmt"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
)

// AttentionPartition holds an item for each gateway that needs attention, by its ARN.
// It is empty where all is well, so that reading it each minute costs next to nothing.
const AttentionPartition = "#attention"

type attentionItem struct {
	Gateway    string `dynamodbav:"gateway"` // AttentionPartition
	Item       string `dynamodbav:"item"`    // the gateway's ARN
	Failing    bool   `dynamodbav:"failing,omitempty"`
	LeftOut    int    `dynamodbav:"leftOut,omitempty"`
	NearlyFull bool   `dynamodbav:"nearlyFull,omitempty"`
	LetsIn     bool   `dynamodbav:"letsIn,omitempty"`
}

// AttentionKey is the key of a gateway's item in the AttentionPartition.
func AttentionKey(gateway grant.Gateway) Key {
	return Key{Partition: AttentionPartition, Sort: gateway.ARN()}
}

// AttentionItem says what needs attention about the gateway.
func AttentionItem(gateway grant.Gateway, a plan.Attention) Item {
	return marshal(attentionItem{
		Gateway: AttentionPartition, Item: gateway.ARN(),
		Failing: a.Failing, LeftOut: a.LeftOut, NearlyFull: a.NearlyFull, LetsIn: a.LetsIn,
	})
}

// ParseAttention reads items of the AttentionPartition, by the gateways' ARNs.
func ParseAttention(items []Item) (map[string]plan.Attention, error) {
	all := make(map[string]plan.Attention, len(items))
	for _, item := range items {
		var read attentionItem
		if err := unmarshal(item, &read); err != nil {
			return nil, fmt.Errorf("item %q of the state table: %w", StatesLayout.Of(item).Sort, err)
		}
		all[read.Item] = plan.Attention{Failing: read.Failing, LeftOut: read.LeftOut, NearlyFull: read.NearlyFull, LetsIn: read.LetsIn}
	}
	return all, nil
}
