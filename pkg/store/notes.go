package store

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
)

// Notes reads the notes of a topic, sorted by id. A note that cannot be understood is
// an error.
func (a *Accounts) Notes(ctx context.Context, topic directory.Topic) ([]directory.Note, error) {
	op := "read the notes of " + string(topic)
	items, err := query(ctx, a.client, a.table, inPartition(AccountsLayout.Partition, string(topic)))
	if err != nil {
		return nil, unread(a.table, op, err)
	}
	notes, err := Notes(items)
	if err != nil {
		return nil, unread(a.table, op, err)
	}
	return notes, nil
}

// PutNote writes a note, over any of the same topic and id.
func (a *Accounts) PutNote(ctx context.Context, note directory.Note) error {
	_, err := a.client.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String(a.table), Item: NoteItem(note)})
	if err != nil {
		return unwritten(a.table, "put a note on "+string(note.Topic), err)
	}
	return nil
}

// DeleteNote deletes a note, and reports whether it did: a note that another writer
// changed since it was read stays, and is no error.
func (a *Accounts) DeleteNote(ctx context.Context, note directory.Note) (deleted bool, err error) {
	unchanged := unchanged(NoteItem(note))
	_, err = a.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName:                 aws.String(a.table),
		Key:                       AccountsLayout.Item(NoteKey(note)),
		ConditionExpression:       aws.String(unchanged.text),
		ExpressionAttributeNames:  unchanged.names,
		ExpressionAttributeValues: unchanged.values,
	})
	if refused(err) {
		return false, nil
	}
	if err != nil {
		return false, unwritten(a.table, "delete a note on "+string(note.Topic), err)
	}
	return true, nil
}
