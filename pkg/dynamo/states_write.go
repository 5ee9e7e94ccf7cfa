package dynamo

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/tables"
)

// MarkDue is reconcile.States's. Each of its updates is atomic and can be made
// again, so of two that run at once neither loses what it added.
func (s *States) MarkDue(ctx context.Context, gateway grant.Gateway, intent plan.Intent) error {
	op := "mark " + gateway.ARN() + " as due"
	for _, selection := range slices.Sorted(maps.Keys(intent.Selected)) {
		if err := s.addSelected(ctx, gateway, selection, intent.Selected[selection]); err != nil {
			return unwritten(s.table, op, err)
		}
	}
	err := s.setPending(ctx, gateway, intent.Hash, intent.Due)
	if refused(err) { // what is recorded is due no later
		err = s.setPending(ctx, gateway, intent.Hash, time.Time{})
	}
	if err != nil {
		return unwritten(s.table, op, err)
	}
	return nil
}

// addSelected adds accounts to the set of those that a selector means.
func (s *States) addSelected(ctx context.Context, gateway grant.Gateway, selection string, accounts []string) error {
	update := condition{
		text:   "SET #selection = :selection",
		names:  map[string]string{"#selection": tables.AttrSelection},
		values: tables.Item{":selection": tables.S(selection)},
	}
	if len(accounts) > 0 { // there are no empty sets
		update.text += " ADD #accounts :accounts"
		update.names["#accounts"] = tables.AttrAccounts
		update.values[":accounts"] = &types.AttributeValueMemberSS{Value: slices.Compact(slices.Sorted(slices.Values(accounts)))}
	}
	return s.update(ctx, tables.SelectedKey(gateway, selection), update, "")
}

// setPending records the hash and, unless it is zero, when the gateway is due. It
// is refused where a due time is recorded that is no later.
func (s *States) setPending(ctx context.Context, gateway grant.Gateway, hash string, due time.Time) error {
	update := condition{
		text:   "REMOVE #asked SET #hash = :hash",
		names:  map[string]string{"#hash": tables.AttrPendingHash, "#asked": tables.AttrAsked},
		values: tables.Item{":hash": tables.S(hash)},
	}
	only := ""
	if !due.IsZero() {
		update.text += ", #due = :due, #shard = :shard"
		update.names["#due"], update.names["#shard"] = tables.AttrDue, tables.AttrDueShard
		update.values[":due"], update.values[":shard"] = tables.S(tables.Moment(due)), tables.S(tables.DueShard)
		only = "attribute_not_exists(#due) OR #due > :due"
	}
	return s.update(ctx, tables.GatewayKey(gateway), update, only)
}

// Asked records that somebody asked for the gateway to be reconciled, which keeps
// it from being Due for tables.AskAgainAfter or until it was. A gateway that is
// not due at that time stays as it is.
func (s *States) Asked(ctx context.Context, gateway grant.Gateway, at time.Time) error {
	err := s.update(ctx, tables.GatewayKey(gateway), condition{
		text:   "SET #asked = :asked",
		names:  map[string]string{"#asked": tables.AttrAsked, "#due": tables.AttrDue},
		values: tables.Item{":asked": tables.S(tables.Moment(at))},
	}, "#due <= :asked")
	if err != nil && !refused(err) {
		return unwritten(s.table, "record that "+gateway.ARN()+" was asked for", err)
	}
	return nil
}

func (s *States) update(ctx context.Context, key tables.Key, update condition, only string) error {
	input := &dynamodb.UpdateItemInput{
		TableName:                 aws.String(s.table),
		Key:                       tables.StatesLayout.Item(key),
		UpdateExpression:          aws.String(update.text),
		ExpressionAttributeNames:  update.names,
		ExpressionAttributeValues: update.values,
	}
	if only != "" {
		input.ConditionExpression = aws.String(only)
	}
	_, err := s.client.UpdateItem(ctx, input)
	return err
}

// Record is reconcile.States's. The gateway's own item is written last: until
// then it is as due as it was, and what a crash leaves undone is done again.
func (s *States) Record(ctx context.Context, gateway grant.Gateway, state plan.GatewayState, statuses map[grant.Key]grant.Status, gone []grant.Key) error {
	op := "record the outcome for " + gateway.ARN()
	recorded, err := s.selected(ctx, gateway)
	if err != nil {
		return err
	}
	put, obsolete := tables.SelectedChanges(gateway, recorded, state.Selected)
	for key, status := range statuses {
		put = append(put, tables.StatusItem(gateway, key, status))
	}
	for _, key := range gone {
		if _, stays := statuses[key]; !stays {
			obsolete = append(obsolete, tables.StatusKey(gateway, key))
		}
	}
	if err := s.batch(ctx, requests(put, obsolete)); err != nil {
		return unwritten(s.table, op, err)
	}
	own := &dynamodb.PutItemInput{TableName: aws.String(s.table), Item: tables.GatewayItem(gateway, state)}
	if _, err := s.client.PutItem(ctx, own); err != nil {
		return unwritten(s.table, op, err)
	}
	return nil
}

// requests puts and deletes items, each once: a batch takes no item twice.
func requests(put []tables.Item, obsolete []tables.Key) []types.WriteRequest {
	writes := make([]types.WriteRequest, 0, len(put)+len(obsolete))
	for _, item := range put {
		writes = append(writes, types.WriteRequest{PutRequest: &types.PutRequest{Item: item}})
	}
	deleted := make(map[tables.Key]bool, len(obsolete))
	for _, key := range obsolete {
		if !deleted[key] {
			writes = append(writes, types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: tables.StatesLayout.Item(key)}})
		}
		deleted[key] = true
	}
	return writes
}

// batch makes every write, in no particular order.
func (s *States) batch(ctx context.Context, writes []types.WriteRequest) error {
	const most = 25 // https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
	for chunk := range slices.Chunk(writes, most) {
		if err := s.writeAll(ctx, chunk); err != nil {
			return err
		}
	}
	return nil
}

// writeAll makes the writes of one batch, asking again for what DynamoDB leaves
// out.
func (s *States) writeAll(ctx context.Context, open []types.WriteRequest) error {
	for attempt := range attempts {
		output, err := s.client.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{
			RequestItems: map[string][]types.WriteRequest{s.table: open},
		})
		if err != nil {
			return err
		}
		if open = output.UnprocessedItems[s.table]; len(open) == 0 {
			return nil
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
	return errLeftOut
}

// Journal is reconcile.States's. An entry that is in the journal already, as after
// a call whose answer was lost, is not added twice.
func (s *States) Journal(ctx context.Context, gateway grant.Gateway, entry reconcile.Entry) error {
	op := "add to the journal of " + gateway.ARN()
	for number := 0; ; number++ {
		item := tables.JournalItem(gateway, entry, number)
		_, err := s.client.PutItem(ctx, &dynamodb.PutItemInput{
			TableName:                           aws.String(s.table),
			Item:                                item,
			ConditionExpression:                 aws.String("attribute_not_exists(#item)"),
			ExpressionAttributeNames:            map[string]string{"#item": tables.StatesLayout.Sort},
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
