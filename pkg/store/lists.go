package store

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// List reads a list (directory.TopicTrusted, TopicOwner), sorted by id, or fails: a list
// without its sentinel fails with CodeNoListSentinel.
func (a *Accounts) List(ctx context.Context, list directory.Topic) ([]directory.Note, error) {
	op := "read list " + string(list)
	items, err := query(ctx, a.client, a.table, inPartition(AccountsLayout.Partition, string(list)))
	if err != nil {
		return nil, unread(a.table, op, err)
	}
	entries, err := ParseList(a.table, list, items)
	if err != nil && grant.CodeOf(err) == "" {
		return nil, unread(a.table, op, err)
	}
	return entries, err
}

// Owners lists the accounts whose gateways are managed, sorted. It fails as List does.
func (a *Accounts) Owners(ctx context.Context) ([]string, error) {
	owners, err := a.List(ctx, directory.TopicOwner)
	return directory.IDs(owners), err
}

// IsOwner reports whether the account is on the list of those whose gateways are
// managed. It fails as List does.
func (a *Accounts) IsOwner(ctx context.Context, account string) (bool, error) {
	found, err := a.listed(ctx, directory.TopicOwner, []string{account})
	return len(found) > 0, err
}

// listed are those of the accounts that are on the list. It fails as List does. Only
// these items are read, however long the list is.
func (a *Accounts) listed(ctx context.Context, list directory.Topic, ids []string) ([]string, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	asked := slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(ids), directory.ListSentinelID))))
	keys := make([]Item, len(asked))
	for i, id := range asked {
		keys[i] = AccountsLayout.Item(Key{Partition: string(list), Sort: id})
	}
	items, err := a.items(ctx, keys)
	if err != nil {
		return nil, unread(a.table, "read list "+string(list), err)
	}
	entries, err := ParseList(a.table, list, items)
	if err != nil && grant.CodeOf(err) == "" {
		err = unread(a.table, "read list "+string(list), err)
	}
	return directory.IDs(entries), err
}

// AddToList adds entries that a list lacks, all of them or none. It fails with
// CodeListChanged where it has one by now. At most MostListed at once.
func (a *Accounts) AddToList(ctx context.Context, list directory.Topic, entries []directory.Note) error {
	writes := []types.TransactWriteItem{{Put: &types.Put{TableName: aws.String(a.table), Item: ListSentinel(list)}}}
	absent := unchanged(nil)
	for _, entry := range entries {
		entry.Topic = list
		writes = append(writes, types.TransactWriteItem{Put: &types.Put{
			TableName: aws.String(a.table), Item: NoteItem(entry),
			ConditionExpression: aws.String(absent.text), ExpressionAttributeNames: absent.names,
		}})
	}
	return a.changeList(ctx, list, writes)
}

// RemoveFromList removes entries from a list as they were read, all of them or none. It
// fails with CodeListChanged where one is another by now. At most MostListed at once.
func (a *Accounts) RemoveFromList(ctx context.Context, list directory.Topic, entries []directory.Note) error {
	var writes []types.TransactWriteItem
	for _, entry := range entries {
		entry.Topic = list
		same := unchanged(NoteItem(entry))
		writes = append(writes, types.TransactWriteItem{Delete: &types.Delete{
			TableName: aws.String(a.table), Key: AccountsLayout.Item(NoteKey(entry)),
			ConditionExpression: aws.String(same.text), ExpressionAttributeNames: same.names, ExpressionAttributeValues: same.values,
		}})
	}
	return a.changeList(ctx, list, writes)
}

// MostListed is how many entries of a list one transaction changes, beside the sentinel.
const MostListed = transactionItems - 1

func (a *Accounts) changeList(ctx context.Context, list directory.Topic, writes []types.TransactWriteItem) error {
	err := a.transact(ctx, writes)
	if lost(err) {
		return ListChanged(list)
	}
	return err
}

// PutListSentinels puts the items that prove reads of the lists.
func (a *Accounts) PutListSentinels(ctx context.Context) error {
	var writes []types.TransactWriteItem
	for _, list := range []directory.Topic{directory.TopicTrusted, directory.TopicOwner} {
		writes = append(writes, types.TransactWriteItem{Put: &types.Put{TableName: aws.String(a.table), Item: ListSentinel(list)}})
	}
	return a.transact(ctx, writes)
}
