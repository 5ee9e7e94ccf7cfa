package memory

import (
	"context"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

// Accounts is the accounts table. It is safe for concurrent use.
type Accounts struct{ table *table }

var _ reconcile.Directory = (*Accounts)(nil)

// NewAccounts makes an empty accounts table.
func NewAccounts(config Config) *Accounts {
	return &Accounts{newTable(config.or(store.DefaultNames().Accounts), store.AccountsLayout)}
}

// Lookup reads the accounts that any of the selectors matches, and which of the given
// ids are members of the organization or on the list of trusted accounts. Where no
// complete listing has ended, the snapshot is Absent; where the list of trusted accounts
// has lost its sentinel, it is WithoutTrust.
func (a *Accounts) Lookup(ctx context.Context, selectors []grant.Principal, ids []string) (snapshot directory.Snapshot, err error) {
	err = a.table.read(ctx, "look up accounts", func(v *view) error {
		synced, err := v.synced()
		if err != nil || synced.IsZero() {
			return err
		}
		accounts, err := v.accounts()
		if err != nil {
			return err
		}
		unasked := func(account directory.Account) bool {
			return !slices.Contains(ids, account.ID) && !slices.ContainsFunc(selectors, func(selector grant.Principal) bool {
				return directory.Matches(selector, account)
			})
		}
		snapshot, err = v.snapshot(selectors, slices.DeleteFunc(accounts, unasked), ids)
		return err
	})
	return snapshot, err
}

// snapshot adds to what was selected which of the accounts asked for are trusted.
func (v *view) snapshot(selectors []grant.Principal, members []directory.Account, ids []string) (directory.Snapshot, error) {
	trusted, err := v.listed(directory.TopicTrusted, ids)
	if grant.CodeOf(err) == store.CodeNoListSentinel {
		return directory.Complete(selectors, members).WithoutTrust(), nil
	}
	return directory.Complete(selectors, members, trusted...), err
}

// Account reads one account as it is recorded, and reports whether it is.
func (a *Accounts) Account(ctx context.Context, id string) (account directory.Account, found bool, err error) {
	err = a.table.read(ctx, "read account "+id, func(v *view) error {
		account, found, err = v.account(id)
		return err
	})
	return account, found, err
}

// All lists the id of every account that is recorded, sorted.
func (a *Accounts) All(ctx context.Context) (ids []string, err error) {
	err = a.table.read(ctx, "list accounts", func(v *view) error {
		accounts, err := v.accounts()
		for _, account := range accounts {
			ids = append(ids, account.ID)
		}
		return err
	})
	return ids, err
}

// Recorded lists every account that is recorded, sorted by id.
func (a *Accounts) Recorded(ctx context.Context) (accounts []directory.Account, err error) {
	err = a.table.read(ctx, "list accounts", func(v *view) error {
		accounts, err = v.accounts()
		return err
	})
	return accounts, err
}

// Update writes what decide makes of an account, nil for removed, and reports whether
// it changed anything. It passes nil for an account that is not recorded.
func (a *Accounts) Update(ctx context.Context, id string, decide func(was *directory.Account) (is *directory.Account, change bool)) (changed bool, err error) {
	err = a.table.write(ctx, "write account "+id, func(v *view) error {
		stored, found, err := v.account(id)
		if err != nil {
			return err
		}
		var was *directory.Account
		if found {
			was = &stored
		}
		is, change := decide(was)
		switch {
		case !change:
			return nil
		case is == nil:
			v.forgetAccount(stored)
		default:
			err = v.replaceAccount(stored, *is)
		}
		changed = err == nil
		return err
	})
	return changed, err
}

func (v *view) replaceAccount(stored, account directory.Account) error {
	for _, item := range store.AccountItems(account) {
		if err := v.put(item); err != nil {
			return err
		}
	}
	for _, key := range store.Stale(stored, account) {
		v.delete(key)
	}
	return nil
}

func (v *view) forgetAccount(stored directory.Account) {
	v.delete(store.AccountKey(stored.ID))
	for _, key := range store.Memberships(stored) {
		v.delete(key)
	}
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

// MarkSynced records that a complete listing, begun at the given time, ended. An
// earlier time never replaces a later one.
func (a *Accounts) MarkSynced(ctx context.Context, at time.Time) error {
	return a.table.write(ctx, "mark the listing as complete", func(v *view) error {
		synced, err := v.synced()
		if err != nil || !at.After(synced) {
			return err
		}
		return v.put(store.SyncItem(at))
	})
}

// Synced reads when a complete listing last ended; zero for never.
func (a *Accounts) Synced(ctx context.Context) (at time.Time, err error) {
	err = a.table.read(ctx, "read when the listing was complete", func(v *view) error {
		at, err = v.synced()
		return err
	})
	return at, err
}

// Changes calls listen with each later change of the table, in the order and under the
// conditions that Grants.Changes describes.
func (a *Accounts) Changes(listen func(events.DynamoDBEvent)) { a.table.changes(listen) }

func (v *view) synced() (time.Time, error) {
	item, _ := v.get(store.SyncKey)
	return store.ParseSync(item)
}

func (v *view) accounts() ([]directory.Account, error) {
	items := v.where(store.IsAccount)
	accounts := make([]directory.Account, len(items))
	for i, item := range items {
		account, err := store.ParseAccount(item)
		if err != nil {
			return nil, err
		}
		accounts[i] = account
	}
	return accounts, nil
}

func (v *view) account(id string) (directory.Account, bool, error) {
	item, found := v.get(store.AccountKey(id))
	if !found {
		return directory.Account{}, false, nil
	}
	account, err := store.ParseAccount(item)
	return account, err == nil, err
}
