package store

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
)

// Attention reads what needs attention about each gateway, by ARN. A gateway of which
// nothing does is not in it.
func (s *States) Attention(ctx context.Context) (map[string]plan.Attention, error) {
	return s.attention(ctx, inPartition(StatesLayout.Partition, AttentionPartition))
}

// SetAttention records what needs attention about the gateway. It writes only what
// differs; of two at once the later stays, until the gateway's next reconcile.
func (s *States) SetAttention(ctx context.Context, gateway grant.Gateway, wants plan.Attention) error {
	key := AttentionKey(gateway)
	recorded, err := s.attention(ctx, inPartition(StatesLayout.Partition, key.Partition).
		and("#sort = :sort", StatesLayout.Sort, key.Sort))
	if err != nil {
		return err
	}
	if recorded[key.Sort] == wants {
		return nil
	}
	if wants == (plan.Attention{}) {
		_, err = s.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: aws.String(s.table), Key: StatesLayout.Item(key)})
	} else {
		_, err = s.client.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String(s.table), Item: AttentionItem(gateway, wants)})
	}
	if err != nil {
		return unwritten(s.table, "record what needs attention about "+gateway.ARN(), err)
	}
	return nil
}

func (s *States) attention(ctx context.Context, keys condition) (map[string]plan.Attention, error) {
	const op = "read what needs attention"
	items, err := query(ctx, s.client, s.table, keys)
	if err != nil {
		return nil, unread(s.table, op, err)
	}
	all, err := ParseAttention(items)
	if err != nil {
		return nil, unread(s.table, op, err)
	}
	return all, nil
}
