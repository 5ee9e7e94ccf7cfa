package store

import (
	"context"
	"maps"
	"reflect"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// BeginWrite is reconcile.States's. What it adds and the version that tells of it
// become visible at once, so that nobody records on top of the half of it. Each
// update adds to what is there: of two that run at once neither loses anything.
// The due time comes last; whoever records before it is there has seen how long the write is in flight.
func (s *States) BeginWrite(ctx context.Context, gateway grant.Gateway, intent plan.Intent) error {
	op := "mark " + gateway.ARN() + " as due"
	if err := s.mark(ctx, gateway, intent); err != nil {
		return unwritten(s.table, op, err)
	}
	if err := s.setDue(ctx, gateway, intent.Due); err != nil {
		return unwritten(s.table, op, err)
	}
	return nil
}

// mark records the intent, but for when the gateway is due.
func (s *States) mark(ctx context.Context, gateway grant.Gateway, intent plan.Intent) error {
	parts := s.writes(Refusals(gateway, intent.Refused), nil)
	for _, set := range Sets(gateway, intent.WriteAhead) {
		parts = append(parts, s.updating(StatesLayout.Of(set), adding(set)))
	}
	own := s.updating(GatewayKey(gateway), pending(intent))
	for {
		now := fitting(parts, own)
		if err := s.transact(ctx, append(parts[:now:now], own)); err != nil {
			return err
		}
		if parts = parts[now:]; len(parts) == 0 {
			return nil
		}
	}
}

// setDue makes the gateway due at that time unless it is earlier; zero is never.
func (s *States) setDue(ctx context.Context, gateway grant.Gateway, due time.Time) error {
	if due.IsZero() {
		return nil
	}
	err := s.update(ctx, GatewayKey(gateway), condition{
		text:   "SET #due = :due, #shard = :shard",
		names:  map[string]string{"#due": AttrDue, "#shard": AttrDueShard},
		values: Item{":due": S(Moment(due)), ":shard": S(DueShard)},
	}, "attribute_not_exists(#due) OR #due > :due")
	if refused(err) { // what is recorded is due no later
		return nil
	}
	return err
}

// adding adds the members to those that the recorded set has.
func adding(set Item) condition {
	update := condition{
		text:   "SET #of = :of",
		names:  map[string]string{"#of": AttrOf},
		values: Item{":of": set[AttrOf]},
	}
	if members, some := set[AttrMembers]; some { // there are no empty sets
		update.text += " ADD #members :members"
		update.names["#members"], update.values[":members"] = AttrMembers, members
	}
	return update
}

// pending is the update of the gateway's own item.
func pending(intent plan.Intent) condition {
	update := condition{
		text: "ADD #version :one REMOVE #asked SET #hash = :hash",
		names: map[string]string{
			"#version": AttrVersion, "#hash": AttrPendingHash, "#asked": AttrAsked,
		},
		values: Item{":one": &types.AttributeValueMemberN{Value: "1"}, ":hash": S(intent.Hash)},
	}
	if !intent.Due.IsZero() {
		update.text += ", #inFlight = :inFlight"
		update.names["#inFlight"], update.values[":inFlight"] = AttrInFlightUntil, S(Moment(intent.Due))
	}
	if intent.HadDirectory {
		update.text += ", #hadDirectory = :true"
		update.names["#hadDirectory"], update.values[":true"] = AttrHadDirectory, &types.AttributeValueMemberBOOL{Value: true}
	}
	return update
}

// Asked records that somebody asked for the gateway to be reconciled, which keeps
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

// Record is reconcile.States's. The gateway's own item is written last: until
// then it is as due as it was, and what a crash leaves undone is done again. The
// parts go with it, as far as one transaction takes them: nobody is to find a set
// gone before the rest says why. Each transaction makes a new version, and is
// refused unless it is on top of the last: of two records at once only one goes on.
func (s *States) Record(ctx context.Context, gateway grant.Gateway, state plan.GatewayState, statuses map[grant.Key]grant.Status, gone []grant.Key) error {
	op := "record the outcome for " + gateway.ARN()
	recorded, err := s.parts(ctx, gateway)
	if err != nil {
		return err
	}
	writes := s.writes(statusChanges(gateway, statuses, gone))
	writes = append(writes, s.writes(PartChanges(gateway, recorded, state))...)
	for {
		own := s.replacing(gateway, state)
		now := fitting(writes, own)
		if now < len(writes) {
			own = s.counting(gateway, state.Version)
		}
		if err := s.transact(ctx, append(writes[:now:now], own)); err != nil {
			return s.unrecorded(op, err)
		}
		if writes = writes[now:]; len(writes) == 0 {
			return nil
		}
		state.Version++
	}
}

// statusChanges are the statuses to put and the keys of those to delete.
func statusChanges(gateway grant.Gateway, statuses map[grant.Key]grant.Status, gone []grant.Key) (put []Item, obsolete []Key) {
	for key, status := range statuses {
		put = append(put, StatusItem(gateway, key, status))
	}
	for _, key := range gone {
		if _, stays := statuses[key]; !stays {
			obsolete = append(obsolete, StatusKey(gateway, key))
		}
	}
	return put, obsolete
}

// counting makes the version after the given one, and leaves the rest of the
// gateway's own item as it is.
func (s *States) counting(gateway grant.Gateway, version int) types.TransactWriteItem {
	write := s.updating(GatewayKey(gateway), condition{
		text:   "ADD #version :one",
		names:  map[string]string{"#version": AttrVersion},
		values: Item{":one": &types.AttributeValueMemberN{Value: "1"}},
	})
	loaded := loaded(version)
	write.Update.ConditionExpression = aws.String(loaded.text)
	maps.Copy(write.Update.ExpressionAttributeValues, loaded.values)
	return write
}

// replacing puts the gateway's own item, with the version after the given one.
func (s *States) replacing(gateway grant.Gateway, state plan.GatewayState) types.TransactWriteItem {
	loaded := loaded(state.Version)
	state.Version++
	return types.TransactWriteItem{Put: &types.Put{
		TableName: aws.String(s.table), Item: GatewayItem(gateway, state),
		ConditionExpression: aws.String(loaded.text), ExpressionAttributeNames: loaded.names, ExpressionAttributeValues: loaded.values,
	}}
}

// loaded is the condition that the gateway's own item has that version.
func loaded(version int) condition {
	if version == 0 { // never recorded, or before there were versions
		return condition{text: "attribute_not_exists(#version)", names: map[string]string{"#version": AttrVersion}}
	}
	return condition{
		text: "#version = :version", names: map[string]string{"#version": AttrVersion},
		values: Item{":version": &types.AttributeValueMemberN{Value: strconv.Itoa(version)}},
	}
}

func (s *States) unrecorded(op string, err error) error {
	if failed(err) {
		return VersionConflict(s.table, op)
	}
	return unwritten(s.table, op, err)
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
// same items.
func (s *States) transact(ctx context.Context, writes []types.TransactWriteItem) error {
	return undisturbed(ctx, func() error {
		_, err := s.client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: writes})
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

// errDisturbed is a throttle: who makes fewer writes is in nobody's way.
var errDisturbed = &types.ThrottlingException{Message: aws.String("other transactions kept being at the same items")}

// Journal is reconcile.States's. An entry that is in the journal already, as after
// a call whose answer was lost, is not added twice.
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
