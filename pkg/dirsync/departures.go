package dirsync

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
)

// departures are the accounts that lose something or lately did, as noted.
type departures struct {
	notes  map[string]directory.Note // by account
	known  int                       // accounts there were after the last complete listing
	readAt time.Time
}

// staleAfter is how long a run goes by the departures that it read: others may
// note some, too.
const staleAfter = 10 * time.Second

func (r *run) leaving(ctx context.Context) (*departures, error) {
	if d := r.departures; d != nil && r.now().Sub(d.readAt) < staleAfter {
		return d, nil
	}
	d := &departures{notes: make(map[string]directory.Note), readAt: r.now()}
	notes, err := r.accounts.Notes(ctx, directory.TopicDeparture)
	if err != nil {
		return nil, fmt.Errorf("read who departs: %w", err)
	}
	for _, note := range notes {
		d.notes[note.ID] = note
	}
	sizes, err := r.accounts.Notes(ctx, directory.TopicSize)
	if err != nil {
		return nil, fmt.Errorf("read how many accounts there are: %w", err)
	}
	for _, size := range sizes {
		if d.known, err = strconv.Atoi(size.Text); err != nil {
			return nil, fmt.Errorf("read how many accounts there are: %w", err)
		}
	}
	r.departures = d
	return d, nil
}

// judge asks the guard about an account whose loss is certain. The departure is
// noted before it is counted, so that of several who judge at once each counts
// the others'.
func (r *run) judge(ctx context.Context, a directory.Account, now time.Time) (directory.Verdict, error) {
	d, err := r.leaving(ctx)
	if err != nil {
		return directory.Hold, err
	}
	note, noted := d.notes[a.ID]
	if !noted {
		note = directory.Note{Topic: directory.TopicDeparture, ID: a.ID, At: lostSince(a)}
		if err := r.putDeparture(ctx, note); err != nil {
			return directory.Hold, err
		}
	}
	times := make([]time.Time, 0, len(d.notes))
	for _, departure := range d.notes {
		times = append(times, departure.At)
	}
	verdict := r.Rules.Guard.Judge(times, d.known, now)
	if verdict == directory.Hold {
		note.Text = directory.HeldText
		return verdict, r.putDeparture(ctx, note)
	}
	return verdict, nil
}

// noteDeparture keeps the note of a departure in line with its account.
func (r *run) noteDeparture(ctx context.Context, was directory.Account, step directory.Step) error {
	if !step.Unsure && !was.Leaving() {
		return nil
	}
	d, err := r.leaving(ctx)
	if err != nil {
		return err
	}
	note, noted := d.notes[step.Account.ID]
	back := noted && !step.Account.Leaving()
	switch {
	case step.Unsure && !noted:
		return r.putDeparture(ctx, directory.Note{Topic: directory.TopicDeparture, ID: step.Account.ID, At: lostSince(step.Account)})
	case noted && step.Lost && note.Text == "", back && note.Text == directory.HeldText:
		note.Text = directory.LostText // counts on, whatever comes back later
		return r.putDeparture(ctx, note)
	case back && !step.Lost && note.Text == "":
		return r.dropDeparture(ctx, note)
	default:
		return nil
	}
}

// lostSince is when an account first lost what it is still about to lose.
func lostSince(a directory.Account) time.Time {
	since := a.MissingSince
	for _, kept := range a.Kept {
		if since.IsZero() || kept.LostSince.Before(since) {
			since = kept.LostSince
		}
	}
	return since
}

func (r *run) putDeparture(ctx context.Context, note directory.Note) error {
	if err := r.accounts.PutNote(ctx, note); err != nil {
		return fmt.Errorf("note that account %s departs: %w", note.ID, err)
	}
	if r.departures != nil {
		r.departures.notes[note.ID] = note
	}
	return nil
}

func (r *run) dropDeparture(ctx context.Context, note directory.Note) error {
	if _, err := r.accounts.DeleteNote(ctx, note); err != nil {
		return fmt.Errorf("forget that account %s departs: %w", note.ID, err)
	}
	if r.departures != nil {
		delete(r.departures.notes, note.ID)
	}
	return nil
}

// tidy deletes notes of departures that no longer count: they are outside the guard's
// window, or read held although no departure is.
func (r *run) tidy(ctx context.Context) error {
	d, err := r.leaving(ctx)
	if err != nil {
		return err
	}
	for id, note := range d.notes {
		old := r.now().Sub(note.At) >= r.Rules.Guard.Window
		if note.Text != directory.HeldText && !old {
			continue
		}
		account, _, err := r.accounts.Account(ctx, id)
		if err != nil {
			return fmt.Errorf("read account %s in the directory: %w", id, err)
		}
		switch {
		case !account.HeldSince.IsZero():
		case old || !account.Leaving():
			if err := r.dropDeparture(ctx, note); err != nil {
				return err
			}
		}
	}
	return r.countHeld(ctx)
}

func (r *run) countHeld(ctx context.Context) error {
	d, err := r.leaving(ctx)
	if err != nil {
		return err
	}
	r.summary.Holding = 0
	for _, note := range d.notes {
		if note.Text == directory.HeldText {
			r.summary.Holding++
		}
	}
	return nil
}
