package dynamo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/tables"
)

// transactionItems is how many items one transaction may write.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
const transactionItems = 100

// Write is dirsync.Accounts's. An account and its memberships change in one
// transaction.
func (a *Accounts) Write(ctx context.Context, account directory.Account) (changed bool, err error) {
	op := "write account " + account.ID
	err = a.settle(ctx, op, func() (done bool, err error) {
		item, stored, found, err := a.read(ctx, account.ID)
		if err != nil || found && (stored.ReadAt.After(account.ReadAt) || tables.SameAccount(stored, account)) {
			return true, err
		}
		next := within(stored, account)
		if err := a.replace(ctx, item, stored, next); err != nil {
			return false, err
		}
		changed = true
		return tables.SameAccount(next, account), nil
	})
	return changed, err
}

// within is the account, if one transaction can put it where stored was. Else it
// is stored without the tags that it no longer has, a step after which one can:
// only tags can be so many, at 50 an account.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html
func within(stored, account directory.Account) directory.Account {
	if 1+len(tables.Memberships(account))+len(tables.Stale(stored, account)) <= transactionItems {
		return account
	}
	step := stored
	step.Tags = maps.Clone(stored.Tags)
	maps.DeleteFunc(step.Tags, func(key, value string) bool { return account.Tags[key] != value })
	return step
}

// Remove is dirsync.Accounts's.
func (a *Accounts) Remove(ctx context.Context, id string, readAt time.Time) (removed bool, err error) {
	err = a.settle(ctx, "remove account "+id, func() (done bool, err error) {
		item, stored, found, err := a.read(ctx, id)
		if err != nil || !found || stored.ReadAt.After(readAt) {
			return true, err
		}
		unchanged := unchanged(item)
		writes := a.deletions(append([]tables.Key{tables.AccountKey(id)}, tables.Memberships(stored)...))
		own := writes[0].Delete
		own.ConditionExpression = aws.String(unchanged.text)
		own.ExpressionAttributeNames, own.ExpressionAttributeValues = unchanged.names, unchanged.values
		err = a.transact(ctx, writes)
		removed = err == nil
		return true, err
	})
	return removed, err
}

// settle decides and writes until it is done, again where another writer was
// there first.
func (a *Accounts) settle(ctx context.Context, op string, try func() (done bool, err error)) error {
	for attempt := range attempts {
		done, err := try()
		switch {
		case lost(err):
			if err := pause(ctx, attempt); err != nil {
				return unwritten(a.table, op, err)
			}
		case err != nil || done:
			return err
		}
	}
	return fault(reconcile.CodeContended, a.table, op, errContended)
}

var errContended = errors.New("others kept writing the same account")

// replace puts next where the account was stored, if that is still as it was
// read.
func (a *Accounts) replace(ctx context.Context, read tables.Item, stored, next directory.Account) error {
	var writes []types.TransactWriteItem
	for _, item := range tables.AccountItems(next) {
		writes = append(writes, types.TransactWriteItem{Put: &types.Put{TableName: aws.String(a.table), Item: item}})
	}
	unchanged := unchanged(read)
	own := writes[0].Put
	own.ConditionExpression = aws.String(unchanged.text)
	own.ExpressionAttributeNames, own.ExpressionAttributeValues = unchanged.names, unchanged.values
	return a.transact(ctx, append(writes, a.deletions(tables.Stale(stored, next))...))
}

func (a *Accounts) deletions(keys []tables.Key) []types.TransactWriteItem {
	deletions := make([]types.TransactWriteItem, len(keys))
	for i, key := range keys {
		deletions[i].Delete = &types.Delete{TableName: aws.String(a.table), Key: tables.AccountsLayout.Item(key)}
	}
	return deletions
}

func (a *Accounts) transact(ctx context.Context, writes []types.TransactWriteItem) error {
	_, err := a.client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: writes})
	if err != nil {
		return unwritten(a.table, fmt.Sprintf("write %d items at once", len(writes)), err)
	}
	return nil
}

// unchanged holds as long as an item has every attribute as it was read, or there
// is still none. An account that is not as it was read has other memberships
// than those that were counted on.
func unchanged(read tables.Item) condition {
	if len(read) == 0 {
		return condition{
			text:  "attribute_not_exists(#key)",
			names: map[string]string{"#key": tables.AccountsLayout.Partition},
		}
	}
	is := condition{names: make(map[string]string), values: make(tables.Item)}
	var texts []string
	for i, name := range slices.Sorted(maps.Keys(read)) {
		texts = append(texts, fmt.Sprintf("#a%d = :a%d", i, i))
		is.names[fmt.Sprintf("#a%d", i)] = name
		is.values[fmt.Sprintf(":a%d", i)] = read[name]
	}
	is.text = strings.Join(texts, " AND ")
	return is
}

// MarkSynced is dirsync.Accounts's. An earlier time never replaces a later one.
func (a *Accounts) MarkSynced(ctx context.Context, at time.Time) error {
	_, err := a.client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName:                 aws.String(a.table),
		Item:                      tables.SyncItem(at),
		ConditionExpression:       aws.String("attribute_not_exists(#at) OR #at < :at"),
		ExpressionAttributeNames:  map[string]string{"#at": tables.AttrSyncedAt},
		ExpressionAttributeValues: tables.Item{":at": tables.S(tables.Moment(at))},
	})
	if err != nil && !refused(err) {
		return unwritten(a.table, "mark the listing as complete", err)
	}
	return nil
}
