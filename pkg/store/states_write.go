package store

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// Update applies the transition to the state that the caller loaded, writes what
// differs on condition of the version, and returns what is recorded then. Where another
// update came first, it loads the state and applies the transition again. It fails with
// ledger.CodeVersionConflict if the transition does, or if other updates keep coming
// first. A transition that changes nothing writes nothing.
func (s *States) Update(ctx context.Context, gateway grant.Gateway, loaded ledger.State, transition ledger.Transition) (ledger.State, error) {
	op := "record what changed of " + gateway.ARN()
	for attempt := range attempts {
		next, err := loaded.Record(transition)
		if err != nil {
			return ledger.State{}, fmt.Errorf("%s in table %s: %w", op, s.table, err)
		}
		next.Gateway.Version, err = s.replace(ctx, gateway, loaded, next)
		if err == nil {
			return next, nil
		}
		if !refused(err) && !failed(err) {
			return ledger.State{}, unwritten(s.table, op, err)
		}
		if err := pause(ctx, attempt); err != nil {
			return ledger.State{}, unwritten(s.table, op, err)
		}
		if loaded, err = s.Load(ctx, gateway); err != nil {
			return ledger.State{}, err
		}
	}
	return ledger.State{}, VersionConflict(s.table, op)
}

// replace writes what differs on top of the version that was loaded, and returns the
// version that is recorded then. What one transaction does not take is several, each a
// version of its own, and the ledger comes with the last: until then the gateway is as
// due as it was, and what a crash leaves undone is done again.
func (s *States) replace(ctx context.Context, gateway grant.Gateway, was, is ledger.State) (int, error) {
	if was.Newer != (ledger.Newer{}) {
		return s.mark(ctx, gateway, was, is)
	}
	is.Gateway.Version = was.Gateway.Version + 1
	changes, err := Compare(gateway, was, is)
	if err != nil || changes.Own == nil {
		return was.Gateway.Version, err
	}
	own, writes := changes.Own, s.writes(changes.Statuses, changes.Gone)
	for {
		last := s.owning(own, was.Gateway.Version)
		now := fitting(writes, last)
		if now == len(writes) {
			return is.Gateway.Version, s.transact(ctx, slices.Concat(writes, last))
		}
		counts := []types.TransactWriteItem{s.counting(gateway, was.Gateway.Version)}
		if err := s.transact(ctx, slices.Concat(writes[:now], counts)); err != nil {
			return 0, err
		}
		writes = writes[now:]
		was.Gateway.Version++
		is.Gateway.Version++
		own = LedgerItems(gateway, is.Gateway)
	}
}

// Asked records that the gateway was asked to be reconciled, which keeps
// it from being Due for AskAgainAfter or until it was. A gateway that is
// not due at that time stays as it is.
func (s *States) Asked(ctx context.Context, gateway grant.Gateway, at time.Time) error {
	err := s.update(ctx, GatewayKey(gateway), condition{
		text:   "SET #asked = :asked",
		names:  map[string]string{"#asked": AttrAsked, "#due": AttrDue},
		values: Item{":asked": S(Moment(at))},
	}, "#due <= :asked")
	if err != nil && !refused(err) {
		return unwritten(s.table, "record that "+gateway.ARN()+" was asked for", err)
	}
	return nil
}

// update changes one item, again where a transaction was at it.
func (s *States) update(ctx context.Context, key Key, update condition, only string) error {
	input := &dynamodb.UpdateItemInput{
		TableName:                 aws.String(s.table),
		Key:                       StatesLayout.Item(key),
		UpdateExpression:          aws.String(update.text),
		ExpressionAttributeNames:  update.names,
		ExpressionAttributeValues: update.values,
	}
	if only != "" {
		input.ConditionExpression = aws.String(only)
	}
	return undisturbed(ctx, func() error {
		_, err := s.client.UpdateItem(ctx, input)
		return err
	})
}

// updating is an update within a transaction.
func (s *States) updating(key Key, update condition) types.TransactWriteItem {
	return types.TransactWriteItem{Update: &types.Update{
		TableName:                 aws.String(s.table),
		Key:                       StatesLayout.Item(key),
		UpdateExpression:          aws.String(update.text),
		ExpressionAttributeNames:  update.names,
		ExpressionAttributeValues: update.values,
	}}
}

// counting makes the version after the given one, and leaves the rest of the
// gateway's own item as it is.
func (s *States) counting(gateway grant.Gateway, version int) types.TransactWriteItem {
	write := s.updating(GatewayKey(gateway), condition{
		text:   "ADD #version :one",
		names:  map[string]string{"#version": AttrVersion},
		values: Item{":one": &types.AttributeValueMemberN{Value: "1"}},
	})
	on := onVersion(version)
	write.Update.ConditionExpression = aws.String(on.text)
	maps.Copy(write.Update.ExpressionAttributeValues, on.values)
	return write
}

// owning puts the ledger, whose own item comes first, on top of the given version.
func (s *States) owning(items []Item, version int) []types.TransactWriteItem {
	writes := s.writes(items, nil)
	on := onVersion(version)
	own := writes[0].Put
	own.ConditionExpression, own.ExpressionAttributeNames, own.ExpressionAttributeValues = aws.String(on.text), on.names, on.values
	return writes
}

// onVersion is the condition that the gateway's own item has that version.
func onVersion(version int) condition {
	if version == 0 { // never recorded, or before there were versions
		return condition{text: "attribute_not_exists(#version)", names: map[string]string{"#version": AttrVersion}}
	}
	return condition{
		text: "#version = :version", names: map[string]string{"#version": AttrVersion},
		values: Item{":version": &types.AttributeValueMemberN{Value: strconv.Itoa(version)}},
	}
}

// writes puts and deletes items, each once: a transaction takes no item twice.
func (s *States) writes(put []Item, obsolete []Key) []types.TransactWriteItem {
	writes := make([]types.TransactWriteItem, 0, len(put)+len(obsolete)+1)
	for _, item := range put {
		writes = append(writes, types.TransactWriteItem{Put: &types.Put{TableName: aws.String(s.table), Item: item}})
	}
	deleted := make(map[Key]bool, len(obsolete))
	for _, key := range obsolete {
		if !deleted[key] {
			writes = append(writes, types.TransactWriteItem{Delete: &types.Delete{TableName: aws.String(s.table), Key: StatesLayout.Item(key)}})
		}
		deleted[key] = true
	}
	return writes
}

// transact makes the writes together, again where another transaction was at the
// same items. One write alone needs no transaction, which costs twice as much.
func (s *States) transact(ctx context.Context, writes []types.TransactWriteItem) error {
	if put := writes[0].Put; len(writes) == 1 && put != nil {
		return s.put(ctx, put)
	}
	return undisturbed(ctx, func() error {
		_, err := s.client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: writes})
		return err
	})
}

func (s *States) put(ctx context.Context, put *types.Put) error {
	return undisturbed(ctx, func() error {
		_, err := s.client.PutItem(ctx, &dynamodb.PutItemInput{
			TableName: put.TableName, Item: put.Item, ConditionExpression: put.ConditionExpression,
			ExpressionAttributeNames: put.ExpressionAttributeNames, ExpressionAttributeValues: put.ExpressionAttributeValues,
		})
		return err
	})
}

// undisturbed makes a write until no other transaction is at the same items. Why
// it was refused by its own condition is for the caller to judge.
func undisturbed(ctx context.Context, write func() error) error {
	for attempt := range attempts {
		err := write()
		if !lost(err) || refused(err) || failed(err) {
			return err
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
	return errDisturbed
}

// errDisturbed is a throttle: fewer writes meet fewer others.
var errDisturbed = &types.ThrottlingException{Message: aws.String("other transactions kept being at the same items")}

// Journal adds an entry to the journal of the gateway. It does not add an entry that is
// there already, as after a call whose answer was lost.
func (s *States) Journal(ctx context.Context, gateway grant.Gateway, entry reconcile.Entry) error {
	op := "add to the journal of " + gateway.ARN()
	for number := 0; ; number++ {
		item := JournalItem(gateway, entry, number)
		_, err := s.client.PutItem(ctx, &dynamodb.PutItemInput{
			TableName:                           aws.String(s.table),
			Item:                                item,
			ConditionExpression:                 aws.String("attribute_not_exists(#item)"),
			ExpressionAttributeNames:            map[string]string{"#item": StatesLayout.Sort},
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		})
		switch {
		case !refused(err) && err != nil:
			return unwritten(s.table, op, err)
		case err == nil, reflect.DeepEqual(standing(err), item):
			return nil
		}
	}
}
