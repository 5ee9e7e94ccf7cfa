package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/gateway-grants/gateway-grants/pkg/ledger"
)

// OwnersPartition holds an item for each owner account that has joined.
const OwnersPartition = "#owners"

// The attributes of an owner's item, besides its key.
const (
	attrJoinedAt     = "joinedAt"
	attrFailingSince = "failingSince"
	attrMessage      = "message"
)

// OwnerItem is what is recorded of an owner account.
func OwnerItem(account string, owner ledger.Owner) Item {
	item := StatesLayout.Item(Key{Partition: OwnersPartition, Sort: account})
	for name, at := range map[string]time.Time{attrJoinedAt: owner.JoinedAt, attrFailingSince: owner.FailingSince} {
		if !at.IsZero() {
			item[name] = S(Moment(at))
		}
	}
	if owner.Message != "" {
		item[attrMessage] = S(owner.Message)
	}
	return item
}

// ParseOwners reads the items of the OwnersPartition, by account.
func ParseOwners(items []Item) (map[string]ledger.Owner, error) {
	owners := make(map[string]ledger.Owner, len(items))
	for _, item := range items {
		account, owner := StatesLayout.Of(item).Sort, ledger.Owner{Message: text(item[attrMessage])}
		for name, at := range map[string]*time.Time{attrJoinedAt: &owner.JoinedAt, attrFailingSince: &owner.FailingSince} {
			var err error
			if *at, err = parseMoment(text(item[name])); err != nil {
				return nil, fmt.Errorf("item of owner %s in the state table: attribute %s is no RFC 3339 time: %w", account, name, err)
			}
		}
		owners[account] = owner
	}
	return owners, nil
}

// RecordedOwners reads what is recorded of owner accounts, by account.
func (s *States) RecordedOwners(ctx context.Context) (map[string]ledger.Owner, error) {
	const op = "read which owners have joined"
	items, err := query(ctx, s.client, s.table, inPartition(StatesLayout.Partition, OwnersPartition))
	if err != nil {
		return nil, unread(s.table, op, err)
	}
	owners, err := ParseOwners(items)
	if err != nil {
		return nil, unread(s.table, op, err)
	}
	return owners, nil
}

// SetOwner records an owner account. Of two at once the later stays.
func (s *States) SetOwner(ctx context.Context, account string, owner ledger.Owner) error {
	item, names, values := OwnerItem(account, owner), map[string]string{}, Item{}
	var sets, removes, update []string
	for i, name := range []string{attrJoinedAt, attrFailingSince, attrMessage} {
		place, given := fmt.Sprintf("#a%d", i), fmt.Sprintf(":a%d", i)
		names[place] = name
		if value, has := item[name]; has {
			sets = append(sets, place+" = "+given)
			values[given] = value
		} else {
			removes = append(removes, place)
		}
	}
	if len(sets) > 0 {
		update = append(update, "SET "+strings.Join(sets, ", "))
	}
	if len(removes) > 0 {
		update = append(update, "REMOVE "+strings.Join(removes, ", "))
	}
	_, err := s.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: aws.String(s.table), Key: StatesLayout.Item(StatesLayout.Of(item)), UpdateExpression: aws.String(strings.Join(update, " ")),
		ExpressionAttributeNames: names, ExpressionAttributeValues: condition{values: values}.given(),
	})
	if err != nil {
		return unwritten(s.table, "record owner "+account, err)
	}
	return nil
}
