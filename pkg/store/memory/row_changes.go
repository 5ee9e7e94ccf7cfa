package memory

import (
	"context"
	"strings"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

// RecordRow keeps a change of a row. The same change twice is one.
func (s *States) RecordRow(ctx context.Context, change grant.RowChange) error {
	return s.table.write(ctx, "keep what grant "+change.String()+" was", func(v *view) error {
		return v.put(store.RowChangeItem(change))
	})
}

// RowChanges reads the changes of rows since a time, in the order of their time.
func (s *States) RowChanges(ctx context.Context, since time.Time) (changes []grant.RowChange, err error) {
	err = s.table.read(ctx, "read the changes of rows", func(v *view) error {
		changes, err = store.ParseRowChanges(v.where(func(key store.Key) bool {
			return key.Partition == store.RowChangesPartition && key.Sort >= store.Moment(since)
		}))
		return err
	})
	return changes, err
}

// Removal reads the last mass removal; the zero MassRemoval is none.
func (s *States) Removal(ctx context.Context) (removal grant.MassRemoval, err error) {
	err = s.table.read(ctx, "read the last mass removal", func(v *view) error {
		removal, err = store.ParseRemoval(v.partition(store.RemovalPartition))
		return err
	})
	return removal, err
}

// SetRemoval records the last mass removal.
func (s *States) SetRemoval(ctx context.Context, removal grant.MassRemoval) error {
	return s.table.write(ctx, "record a mass removal", func(v *view) error {
		return v.put(store.RemovalItem(removal))
	})
}

// Journals reads the journal of every gateway since a time, by ARN, each the oldest
// entry first.
func (s *States) Journals(ctx context.Context, since time.Time) (journals map[string][]reconcile.Entry, err error) {
	err = s.table.read(ctx, "read every journal", func(v *view) error {
		journals, err = store.ParseJournals(v.where(func(key store.Key) bool {
			return strings.HasPrefix(key.Sort, store.JournalPrefix) && key.Sort >= store.JournalPrefix+store.Moment(since)
		}))
		return err
	})
	return journals, err
}

// Texts reads every row but the sentinel as store.RowText has it.
func (g *Grants) Texts(ctx context.Context) (texts map[grant.Key]string, err error) {
	err = g.table.read(ctx, "read every row", func(v *view) error {
		texts, err = store.Texts(v.Name, v.where(func(store.Key) bool { return true }))
		return err
	})
	return texts, err
}

// PutBack makes a row again what it was, where it is as the change left it. Else it
// fails with store.CodeRowChanged, and writes nothing.
func (g *Grants) PutBack(ctx context.Context, change grant.RowChange) error {
	was, err := store.RowItem(change.Was)
	if err != nil {
		return &grant.Error{Code: store.CodeWriteFailed, Op: "put back grant " + change.String(), Err: err}
	}
	return g.table.write(ctx, "put back grant "+change.String(), func(v *view) error {
		text := ""
		if now, found := v.get(store.Key{Partition: change.Gateway, Sort: change.ID}); found {
			text = store.RowText(now)
		}
		if text != change.Is {
			return store.RowChanged(change.Key)
		}
		return v.put(was)
	})
}
