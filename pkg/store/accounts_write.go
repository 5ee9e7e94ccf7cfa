package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
)

// transactionItems is how many items one transaction may write.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
const transactionItems = 100

// Update writes what decide makes of an account, nil for removed, and reports whether
// it changed anything. It passes nil for an account that is not recorded. Where another
// writer changes the account first, Update reads it and calls decide again. An account
// and its memberships change in one transaction, or in several steps if their number
// exceeds what one transaction takes.
func (a *Accounts) Update(ctx context.Context, id string, decide func(was *directory.Account) (is *directory.Account, change bool)) (changed bool, err error) {
	err = a.retry(ctx, "write account "+id, func() (done bool, err error) {
		item, stored, found, err := a.read(ctx, id)
		if err != nil {
			return true, err
		}
		var was *directory.Account
		if found {
			was = &stored
		}
		is, change := decide(was)
		switch {
		case !change:
			return true, nil
		case is == nil:
			err = a.forget(ctx, item, stored)
			changed = changed || err == nil
			return true, err
		}
		next, err := within(stored, *is)
		if err != nil {
			return true, unwritten(a.table, "write account "+id, err)
		}
		if err := a.replace(ctx, item, stored, next); err != nil {
			return false, err
		}
		changed = true
		return directory.SameAccount(next, *is), nil
	})
	return changed, err
}

// within is the account, if one transaction can put it where stored was. Else it
// is stored without the tags that it no longer has, a step after which one can:
// only tags can be so many, at 50 an account.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html
func within(stored, account directory.Account) (directory.Account, error) {
	if 1+len(Memberships(account))+len(Stale(stored, account)) <= transactionItems {
		return account, nil
	}
	has := func(key, value string) bool {
		return slices.ContainsFunc(account.Views(), func(v directory.View) bool { return v.Tags[key] == value })
	}
	without := func(tags map[string]string) map[string]string {
		tags = maps.Clone(tags)
		maps.DeleteFunc(tags, func(key, value string) bool { return !has(key, value) })
		return tags
	}
	step := stored
	step.Tags, step.Kept = without(stored.Tags), slices.Clone(stored.Kept)
	for i := range step.Kept {
		step.Kept[i].Tags = without(step.Kept[i].Tags)
	}
	if len(Memberships(account)) >= transactionItems || directory.SameAccount(step, stored) {
		return directory.Account{}, fmt.Errorf("it is in %d places and tags that grants name, more than one transaction can write", len(Memberships(account)))
	}
	return step, nil
}

// forget deletes an account and its memberships, if it is still as it was read.
func (a *Accounts) forget(ctx context.Context, item Item, stored directory.Account) error {
	unchanged := unchanged(item)
	writes := a.deletions(append([]Key{AccountKey(stored.ID)}, Memberships(stored)...))
	own := writes[0].Delete
	own.ConditionExpression = aws.String(unchanged.text)
	own.ExpressionAttributeNames, own.ExpressionAttributeValues = unchanged.names, unchanged.values
	return a.transact(ctx, writes)
}

// Write records an account, unless a newer reading of it is recorded or it says
// nothing new besides its ReadAt, and reports whether it did.
func (a *Accounts) Write(ctx context.Context, account directory.Account) (changed bool, err error) {
	return a.Update(ctx, account.ID, func(was *directory.Account) (*directory.Account, bool) {
		return &account, was == nil || !was.ReadAt.After(account.ReadAt) && !directory.SameAccount(*was, account)
	})
}

// Remove forgets an account, unless a reading newer than readAt is recorded, and
// reports whether it did.
func (a *Accounts) Remove(ctx context.Context, id string, readAt time.Time) (removed bool, err error) {
	return a.Update(ctx, id, func(was *directory.Account) (*directory.Account, bool) {
		return nil, was != nil && !was.ReadAt.After(readAt)
	})
}

// retry decides and writes until it is done, again where another writer was
// there first.
func (a *Accounts) retry(ctx context.Context, op string, try func() (done bool, err error)) error {
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
	return fault(ledger.CodeVersionConflict, a.table, op, errOthersWrite)
}

var errOthersWrite = errors.New("others kept writing the same account")

// replace puts next where the account was stored, if that is still as it was
// read.
func (a *Accounts) replace(ctx context.Context, read Item, stored, next directory.Account) error {
	var writes []types.TransactWriteItem
	for _, item := range AccountItems(next) {
		writes = append(writes, types.TransactWriteItem{Put: &types.Put{TableName: aws.String(a.table), Item: item}})
	}
	unchanged := unchanged(read)
	own := writes[0].Put
	own.ConditionExpression = aws.String(unchanged.text)
	own.ExpressionAttributeNames, own.ExpressionAttributeValues = unchanged.names, unchanged.values
	return a.transact(ctx, append(writes, a.deletions(Stale(stored, next))...))
}

func (a *Accounts) deletions(keys []Key) []types.TransactWriteItem {
	deletions := make([]types.TransactWriteItem, len(keys))
	for i, key := range keys {
		deletions[i].Delete = &types.Delete{TableName: aws.String(a.table), Key: AccountsLayout.Item(key)}
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

// optional are the attributes that an account's item may lack: one that was added
// since is a change, too.
var optional = []string{directory.AttrName, directory.AttrPath, directory.AttrTags, directory.AttrMissingSince, directory.AttrHeldSince, directory.AttrKept}

// unchanged holds as long as an item has every attribute as it was read, or there
// is still none. An account that is not as it was read has other memberships
// than those that were counted on.
func unchanged(read Item) condition {
	if len(read) == 0 {
		return condition{
			text:  "attribute_not_exists(#key)",
			names: map[string]string{"#key": AccountsLayout.Partition},
		}
	}
	return equal(read, optional)
}

// MarkSynced records that a complete listing, begun at the given time, ended. An
// earlier time never replaces a later one.
func (a *Accounts) MarkSynced(ctx context.Context, at time.Time) error {
	_, err := a.client.PutItem(ctx, &dynamodb.PutItemInput{
		TableName:                 aws.String(a.table),
		Item:                      SyncItem(at),
		ConditionExpression:       aws.String("attribute_not_exists(#at) OR #at < :at"),
		ExpressionAttributeNames:  map[string]string{"#at": AttrSyncedAt},
		ExpressionAttributeValues: Item{":at": S(Moment(at))},
	})
	if err != nil && !refused(err) {
		return unwritten(a.table, "mark the listing as complete", err)
	}
	return nil
}
