package store

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// RecordRow keeps a change of a row for JournalFor. The same change twice is one.
func (s *States) RecordRow(ctx context.Context, change grant.RowChange) error {
	return s.putItem(ctx, RowChangeItem(change), "keep what grant "+change.String()+" was")
}

// RowChanges reads the changes of rows since a time, in the order of their time.
func (s *States) RowChanges(ctx context.Context, since time.Time) ([]grant.RowChange, error) {
	const op = "read the changes of rows"
	items, err := query(ctx, s.client, s.table, inPartition(StatesLayout.Partition, RowChangesPartition).
		and("#sort >= :sort", StatesLayout.Sort, Moment(since)))
	if err != nil {
		return nil, unread(s.table, op, err)
	}
	changes, err := ParseRowChanges(items)
	if err != nil {
		return nil, unread(s.table, op, err)
	}
	return changes, nil
}

// Removal reads the last mass removal; the zero MassRemoval is none.
func (s *States) Removal(ctx context.Context) (grant.MassRemoval, error) {
	const op = "read the last mass removal"
	items, err := query(ctx, s.client, s.table, inPartition(StatesLayout.Partition, RemovalPartition))
	if err != nil {
		return grant.MassRemoval{}, unread(s.table, op, err)
	}
	removal, err := ParseRemoval(items)
	if err != nil {
		return grant.MassRemoval{}, unread(s.table, op, err)
	}
	return removal, nil
}

// SetRemoval records the last mass removal.
func (s *States) SetRemoval(ctx context.Context, removal grant.MassRemoval) error {
	return s.putItem(ctx, RemovalItem(removal), "record a mass removal")
}

func (s *States) putItem(ctx context.Context, item Item, op string) error {
	if _, err := s.client.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String(s.table), Item: item}); err != nil {
		return unwritten(s.table, op, err)
	}
	return nil
}

// Journals reads the journal of every gateway since a time, by ARN, each the oldest
// entry first. It reads the whole table.
func (s *States) Journals(ctx context.Context, since time.Time) (map[string][]reconcile.Entry, error) {
	const op = "read every journal"
	items, err := scan(ctx, s.client, &dynamodb.ScanInput{
		TableName: aws.String(s.table), FilterExpression: aws.String("begins_with(#item, :journal) AND #item >= :since"),
		ExpressionAttributeNames:  map[string]string{"#item": StatesLayout.Sort},
		ExpressionAttributeValues: Item{":journal": S(JournalPrefix), ":since": S(JournalPrefix + Moment(since))},
	})
	if err != nil {
		return nil, unread(s.table, op, err)
	}
	journals, err := ParseJournals(items)
	if err != nil {
		return nil, unread(s.table, op, err)
	}
	return journals, nil
}

// Texts reads every row but the sentinel as RowText has it.
func (g *Grants) Texts(ctx context.Context) (map[grant.Key]string, error) {
	items, err := scan(ctx, g.client, &dynamodb.ScanInput{TableName: aws.String(g.table)})
	if err != nil {
		return nil, unread(g.table, "read every row", err)
	}
	return Texts(g.table, items)
}

// PutBack makes a row again what it was, where it is as the change left it. Else it
// fails with CodeRowChanged, and writes nothing.
func (g *Grants) PutBack(ctx context.Context, change grant.RowChange) error {
	op := "put back grant " + change.String()
	was, err := RowItem(change.Was)
	if err != nil {
		return unwritten(g.table, op, err)
	}
	var item Item
	if change.Is != "" {
		if item, err = RowItem(change.Is); err != nil {
			return unwritten(g.table, op, err)
		}
	}
	is := asRead(item)
	_, err = g.client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: aws.String(g.table), Item: was, ConditionExpression: aws.String(is.text),
		ExpressionAttributeNames: is.names, ExpressionAttributeValues: is.given(),
	})
	switch {
	case refused(err):
		return RowChanged(change.Key)
	case err != nil:
		return unwritten(g.table, op, err)
	}
	return nil
}
