package memory

import (
	"context"
	"reflect"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

// List reads a list, sorted by id, or fails: a list without its sentinel fails with
// store.CodeNoListSentinel.
func (a *Accounts) List(ctx context.Context, list directory.Topic) (entries []directory.Note, err error) {
	err = a.table.read(ctx, "read list "+string(list), func(v *view) error {
		entries, err = v.list(list)
		return err
	})
	return entries, err
}

func (v *view) list(list directory.Topic) ([]directory.Note, error) {
	return store.ParseList(v.Name, list, v.partition(string(list)))
}

// listed are those of the accounts that are on the list.
func (v *view) listed(list directory.Topic, ids []string) ([]string, error) {
	var found []string
	for _, id := range ids {
		if _, is := v.get(store.Key{Partition: string(list), Sort: id}); is {
			found = append(found, id)
		}
	}
	if _, proven := v.get(store.Key{Partition: string(list), Sort: directory.ListSentinelID}); !proven {
		return nil, store.NoListSentinel(v.Name, list)
	}
	return found, nil
}

// IsOwner reports whether the account is on the list of those whose gateways are
// managed. It fails as List does.
func (a *Accounts) IsOwner(ctx context.Context, account string) (is bool, err error) {
	err = a.table.read(ctx, "read whether "+account+" is an owner", func(v *view) error {
		found, err := v.listed(directory.TopicOwner, []string{account})
		is = len(found) > 0
		return err
	})
	return is, err
}

// AddToList adds entries that a list lacks, all of them or none. It fails with
// store.CodeListChanged where it has one by now.
func (a *Accounts) AddToList(ctx context.Context, list directory.Topic, entries []directory.Note) error {
	return a.table.write(ctx, "change list "+string(list), func(v *view) error {
		for _, entry := range entries {
			entry.Topic = list
			if _, found := v.get(store.NoteKey(entry)); found {
				return store.ListChanged(list)
			}
		}
		for _, entry := range entries {
			entry.Topic = list
			if err := v.put(store.NoteItem(entry)); err != nil {
				return err
			}
		}
		return v.put(store.ListSentinel(list))
	})
}

// RemoveFromList removes entries from a list as they were read, all of them or none. It
// fails with store.CodeListChanged where one is another by now.
func (a *Accounts) RemoveFromList(ctx context.Context, list directory.Topic, entries []directory.Note) error {
	return a.table.write(ctx, "change list "+string(list), func(v *view) error {
		for _, entry := range entries {
			entry.Topic = list
			if stored, found := v.get(store.NoteKey(entry)); !found || !reflect.DeepEqual(stored, store.NoteItem(entry)) {
				return store.ListChanged(list)
			}
		}
		for _, entry := range entries {
			entry.Topic = list
			v.delete(store.NoteKey(entry))
		}
		return nil
	})
}

// PutListSentinels puts the items that prove reads of the lists.
func (a *Accounts) PutListSentinels(ctx context.Context) error {
	return a.table.write(ctx, "put the sentinels of the lists", func(v *view) error {
		for _, list := range []directory.Topic{directory.TopicTrusted, directory.TopicOwner} {
			if err := v.put(store.ListSentinel(list)); err != nil {
				return err
			}
		}
		return nil
	})
}
