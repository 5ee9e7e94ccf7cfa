package handler

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/event"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
)

// RowHistory keeps what rows were, so that an accident can be undone.
type RowHistory interface {
	// RecordRow keeps a change of a row. The same change twice is one.
	RecordRow(ctx context.Context, change grant.RowChange) error
	// RowChanges reads the changes since a time, in the order of their time.
	RowChanges(ctx context.Context, since time.Time) ([]grant.RowChange, error)
	// Removal reads the last mass removal; the zero MassRemoval is none.
	Removal(ctx context.Context) (grant.MassRemoval, error)
	// SetRemoval records the last mass removal.
	SetRemoval(ctx context.Context, removal grant.MassRemoval) error
}

// recordedAtOnce is how many changes of rows are recorded at the same time.
const recordedAtOnce = 10

// countedEvery is how often a mass removal that goes on is counted again.
const countedEvery = time.Minute

// rowRecords are the changes of rows of a batch, while they are recorded beside what
// is reconciled: no revocation waits for them.
type rowRecords struct {
	changes []grant.RowChange
	errs    []error // of each
	done    sync.WaitGroup
}

// recordRows begins to record the batch's changes of rows.
func (b *batch) recordRows(ctx context.Context) {
	rows := &b.rows
	rows.errs = make([]error, len(rows.changes))
	free := make(chan struct{}, recordedAtOnce)
	for i, change := range rows.changes {
		rows.done.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			rows.errs[i] = b.History.RecordRow(ctx, change)
		})
	}
}

// rowsRecorded waits for the records, reports a mass removal, and names the changes
// that could not be recorded: the stream delivers them again.
func (b *batch) rowsRecorded(ctx context.Context) (lost []string) {
	b.rows.done.Wait()
	var last time.Time
	for i, change := range b.rows.changes {
		if err := b.rows.errs[i]; err != nil {
			b.Log.ErrorContext(ctx, "change of a row not recorded; the stream delivers it again", "grant", event.OneLine(change.String()), "error", event.OneLine(err.Error()))
			lost = append(lost, change.Sequence)
		} else if change.Is == "" && change.At.After(last) {
			last = change.At
		}
	}
	if last.IsZero() {
		return lost
	}
	if err := b.watchRemovals(ctx, last); err != nil {
		b.Log.ErrorContext(ctx, "failed to count the rows that were removed at once", "error", event.OneLine(err.Error()))
	}
	return lost
}

// watchRemovals records it where many rows were removed within minutes before the
// given time, and publishes a notice of the first of them.
func (b *batch) watchRemovals(ctx context.Context, last time.Time) error {
	since := last.Add(-grant.RemovalWindow)
	known, err := b.History.Removal(ctx)
	if err != nil {
		return fmt.Errorf("look up the last mass removal: %w", err)
	}
	if last.Sub(known.At) < countedEvery { // it is known already, and all rows need not be read for each batch
		return nil
	}
	changes, err := b.History.RowChanges(ctx, since)
	if err != nil {
		return fmt.Errorf("count the rows that were removed: %w", err)
	}
	removal, err := grant.MassRemovalOf(changes, func() ([]grant.Row, error) { return b.Grants.All(ctx) })
	if err != nil || removal.Removed == 0 {
		return err
	}
	if err := b.History.SetRemoval(ctx, removal); err != nil {
		return fmt.Errorf("record a mass removal: %w", err)
	}
	b.Log.WarnContext(ctx, "many rows were removed at once: gateway-grants undo puts them back", "removed", removal.Removed, "of", removal.Rows)
	if known.At.After(since) {
		return nil // the notice of it was published
	}
	notice := plan.Notice{Type: plan.RowsRemoved, Gateway: grant.EveryGateway, Detail: plan.RowsRemovedDetail{
		Removed: removal.Removed, Rows: removal.Rows, Since: since.UTC().Format(time.RFC3339),
		Message: fmt.Sprintf("at least %d of %d rows were removed within five minutes, and their access with them: gateway-grants history shows which, gateway-grants undo puts them back", removal.Removed, removal.Rows),
	}}
	if err := b.Notices.Publish(ctx, []plan.Notice{notice}); err != nil {
		return fmt.Errorf("publish a notice of a mass removal: %w", err)
	}
	return nil
}
