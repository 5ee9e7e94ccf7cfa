package store

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// AccountsClient is what the accounts table asks of DynamoDB. Only the function
// that reads the organization may write.
type AccountsClient interface {
	dynamodb.QueryAPIClient
	dynamodb.ScanAPIClient
	GetItem(ctx context.Context, input *dynamodb.GetItemInput, options ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	BatchGetItem(ctx context.Context, input *dynamodb.BatchGetItemInput, options ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error)
	PutItem(ctx context.Context, input *dynamodb.PutItemInput, options ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	DeleteItem(ctx context.Context, input *dynamodb.DeleteItemInput, options ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	TransactWriteItems(ctx context.Context, input *dynamodb.TransactWriteItemsInput, options ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
}

// Accounts is the accounts table.
type Accounts struct {
	client AccountsClient
	table  string
}

var _ reconcile.Directory = (*Accounts)(nil)

// NewAccounts is the accounts table of that name.
func NewAccounts(client AccountsClient, table string) *Accounts {
	return &Accounts{client: client, table: table}
}

// Lookup reads the accounts that any of the selectors matches, and which of the given
// ids are members of the organization or on the list of trusted accounts. Where no
// complete listing has ended, the snapshot is Absent; where the list of trusted accounts
// has lost its sentinel, it is WithoutTrust. With an error the snapshot is Unreadable.
func (a *Accounts) Lookup(ctx context.Context, selectors []grant.Principal, ids []string) (directory.Snapshot, error) {
	synced, err := a.Synced(ctx)
	if err != nil {
		return directory.Failed(), err
	}
	if synced.IsZero() {
		return directory.Snapshot{}, nil
	}
	found, err := a.selected(ctx, selectors)
	if err != nil {
		return directory.Failed(), err
	}
	if err := a.add(ctx, found, ids); err != nil {
		return directory.Failed(), err
	}
	members := slices.Collect(maps.Values(found))
	outside := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { _, member := found[id]; return member })
	switch trusted, err := a.listed(ctx, directory.TopicTrusted, outside); {
	case grant.CodeOf(err) == CodeNoListSentinel:
		return directory.Complete(selectors, members).WithoutTrust(), nil
	case err != nil:
		return directory.Failed(), err
	default:
		return directory.Complete(selectors, members, trusted...), nil
	}
}

// errRestless is why a read of several partitions came to no end.
var errRestless = errors.New("accounts kept moving while they were read")

// selected reads the accounts that any of the selectors matches, by id.
//
// An account that moves between two selectors' partitions while these are read
// could be missed in both, and lose access for no reason. So several are read
// until two readings in a row say the same: whatever they show then was all
// there at the moment between them.
func (a *Accounts) selected(ctx context.Context, selectors []grant.Principal) (map[string]directory.Account, error) {
	var partitions []string
	for _, selector := range selectors {
		partitions = append(partitions, SelectorPartition(selector))
	}
	slices.Sort(partitions)
	partitions = slices.Compact(partitions)
	found, err := a.collect(ctx, partitions)
	if err != nil || len(partitions) < 2 {
		return found, err
	}
	for range attempts {
		again, err := a.collect(ctx, partitions)
		if err != nil {
			return nil, err
		}
		if maps.EqualFunc(found, again, directory.SameAccount) {
			return again, nil
		}
		found = again
	}
	return nil, unread(a.table, "look up accounts", errRestless)
}

func (a *Accounts) collect(ctx context.Context, partitions []string) (map[string]directory.Account, error) {
	found := make(map[string]directory.Account)
	for _, partition := range partitions {
		items, err := query(ctx, a.client, a.table, inPartition(AccountsLayout.Partition, partition))
		if err != nil {
			return nil, unread(a.table, "look up the accounts of "+partition, err)
		}
		if err := a.parse(items, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// parse adds the accounts that items hold, the newest reading of each.
func (a *Accounts) parse(items []Item, found map[string]directory.Account) error {
	for _, item := range items {
		account, err := ParseAccount(item)
		if err != nil {
			return unread(a.table, "read an account", err)
		}
		if other, twice := found[account.ID]; !twice || !other.ReadAt.After(account.ReadAt) {
			found[account.ID] = account
		}
	}
	return nil
}

// add reads those of the accounts that were not found yet and are members.
func (a *Accounts) add(ctx context.Context, found map[string]directory.Account, ids []string) error {
	missing := slices.DeleteFunc(slices.Compact(slices.Sorted(slices.Values(ids))), func(id string) bool {
		_, known := found[id]
		return known
	})
	keys := make([]Item, len(missing))
	for i, id := range missing {
		keys[i] = AccountsLayout.Item(AccountKey(id))
	}
	items, err := a.items(ctx, keys)
	if err != nil {
		return unread(a.table, "read accounts by id", err)
	}
	return a.parse(items, found)
}

// items reads those of the keys that there are.
func (a *Accounts) items(ctx context.Context, keys []Item) ([]Item, error) {
	const most = 100 // https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
	var all []Item
	for some := range slices.Chunk(keys, most) {
		items, err := a.batch(ctx, some)
		if err != nil {
			return nil, err
		}
		all = append(all, items...)
	}
	return all, nil
}

func (a *Accounts) batch(ctx context.Context, keys []Item) ([]Item, error) {
	var items []Item
	open := map[string]types.KeysAndAttributes{a.table: {Keys: keys, ConsistentRead: aws.Bool(true)}}
	for attempt := range attempts {
		output, err := a.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: open})
		if err != nil {
			return nil, err
		}
		items = append(items, output.Responses[a.table]...)
		if open = output.UnprocessedKeys; len(open) == 0 {
			return items, nil
		}
		if err := pause(ctx, attempt); err != nil {
			return nil, err
		}
	}
	return nil, errLeftOut
}

// Account reads one account as it is recorded, and reports whether it is.
func (a *Accounts) Account(ctx context.Context, id string) (account directory.Account, found bool, err error) {
	_, account, found, err = a.read(ctx, id)
	return account, found, err
}

// All lists the id of every account that is recorded, sorted, or fails.
func (a *Accounts) All(ctx context.Context) ([]string, error) {
	accounts, err := a.Recorded(ctx)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(accounts))
	for i, account := range accounts {
		ids[i] = account.ID
	}
	return ids, nil
}

// Recorded lists every account that is recorded, sorted by id. It parses each page
// before it reads the next, because items are many times as large as accounts.
func (a *Accounts) Recorded(ctx context.Context) ([]directory.Account, error) {
	found := make(map[string]directory.Account)
	pages := dynamodb.NewScanPaginator(a.client, &dynamodb.ScanInput{
		TableName:                 aws.String(a.table),
		ConsistentRead:            aws.Bool(true),
		FilterExpression:          aws.String("#sort = :account"),
		ExpressionAttributeNames:  map[string]string{"#sort": AccountsLayout.Sort},
		ExpressionAttributeValues: Item{":account": S(AccountSort)},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, unread(a.table, "list accounts", err)
		}
		if err := a.parse(page.Items, found); err != nil {
			return nil, err
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b directory.Account) int { return strings.Compare(a.ID, b.ID) }), nil
}

// Synced reads when a complete listing last ended; zero for never.
func (a *Accounts) Synced(ctx context.Context) (time.Time, error) {
	item, err := a.get(ctx, SyncKey)
	if err != nil {
		return time.Time{}, err
	}
	at, err := ParseSync(item)
	if err != nil {
		return time.Time{}, unread(a.table, "read when the listing was complete", err)
	}
	return at, nil
}

func (a *Accounts) get(ctx context.Context, key Key) (Item, error) {
	output, err := a.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName:      aws.String(a.table),
		Key:            AccountsLayout.Item(key),
		ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return nil, unread(a.table, "read item "+key.Partition, err)
	}
	return output.Item, nil
}

// read reads an account, and its item; no item is no account.
func (a *Accounts) read(ctx context.Context, id string) (Item, directory.Account, bool, error) {
	item, err := a.get(ctx, AccountKey(id))
	if err != nil || len(item) == 0 {
		return nil, directory.Account{}, false, err
	}
	account, err := ParseAccount(item)
	if err != nil {
		return nil, directory.Account{}, false, unread(a.table, "read account "+id, err)
	}
	return item, account, true, nil
}
