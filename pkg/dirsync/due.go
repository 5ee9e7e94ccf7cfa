package dirsync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
)

// Due does what is due: departures that were approved, accounts to be read
// again, and a listing or a reading of tags that was asked for or ran out of
// time. It is to be called about every minute.
func (s *Syncer) Due(ctx context.Context) (Summary, error) {
	r, err := s.begin(ctx)
	if err != nil {
		return Summary{}, err
	}
	err = errors.Join(r.release(ctx), r.recheckDue(ctx))
	if err == nil && !r.summary.Unfinished {
		err = r.goOn(ctx)
	}
	return r.summary, errors.Join(err, r.countHeld(ctx))
}

// goOn continues what ran out of time, and lists the organization where no listing
// was ever complete: there is no directory until then, and what kept it from being
// listed, such as a delegation that was not there yet, may have passed. Tags are
// not read before the accounts.
func (r *run) goOn(ctx context.Context) error {
	notes, err := r.accounts.Notes(ctx, directory.TopicListing)
	if err != nil {
		return fmt.Errorf("read how far the listing came: %w", err)
	}
	d, err := r.leaving(ctx)
	if err != nil {
		return err
	}
	underWay := slices.ContainsFunc(notes, func(note directory.Note) bool { return note.ID == listingHead })
	if underWay || d.known == 0 {
		if err := r.list(ctx); err != nil || r.summary.Unfinished {
			return err
		}
		return r.readTags(ctx, false)
	}
	return r.readTags(ctx, true)
}

// recheckDue reads again the accounts for which that is due, the longest first.
func (r *run) recheckDue(ctx context.Context) error {
	notes, err := r.accounts.Notes(ctx, directory.TopicRecheck)
	if err != nil {
		return fmt.Errorf("read which accounts are to be read again: %w", err)
	}
	slices.SortStableFunc(notes, func(a, b directory.Note) int { return a.At.Compare(b.At) })
	var failures []error
	for _, note := range notes {
		if note.At.After(r.now()) {
			break
		}
		if r.late(ctx) {
			r.summary.Unfinished = true
			break
		}
		failures = append(failures, r.again(ctx, note))
	}
	return errors.Join(failures...)
}

// again reads an account, after noting when to do so next: a reading that fails
// is not the last.
func (r *run) again(ctx context.Context, note directory.Note) error {
	round, err := strconv.Atoi(note.Text)
	if err != nil {
		return fmt.Errorf("read the note to read account %s again: %w", note.ID, err)
	}
	next := note
	next.Text, next.At = strconv.Itoa(round+1), r.now().Add(r.delay(round+1))
	if err := r.accounts.PutNote(ctx, next); err != nil {
		return fmt.Errorf("note that account %s is to be read again: %w", note.ID, err)
	}
	step, err := r.read(ctx, note.ID)
	switch {
	case err != nil:
		return err
	case step.Unsure && r.delay(round+1) > r.Rules.Confirm:
		next.At = r.now().Add(r.Rules.Confirm)
		return wrap(r.accounts.PutNote(ctx, next), "note that account "+note.ID+" is to be read again")
	case !step.Unsure && round+1 >= len(r.Rules.Rechecks):
		_, err = r.accounts.DeleteNote(ctx, next)
		return wrap(err, "forget to read account "+note.ID+" again")
	default:
		return nil
	}
}

// release lets take effect what was approved, if it is still what was shown.
func (r *run) release(ctx context.Context) error {
	approvals, err := r.grants.ApprovedDepartures(ctx)
	if err != nil {
		return fmt.Errorf("read what was approved: %w", err)
	}
	if len(approvals) == 0 {
		return nil
	}
	d, err := r.leaving(ctx)
	if err != nil {
		return err
	}
	var failures []error
	for _, id := range slices.Sorted(maps.Keys(d.notes)) {
		if d.notes[id].Text != directory.HeldText {
			continue
		}
		if r.late(ctx) {
			r.summary.Unfinished = true
			break
		}
		shown, _, err := r.accounts.Account(ctx, id)
		if err == nil && !shown.HeldSince.IsZero() && approvals.Approve(shown.Decision(), r.now()) {
			err = r.letGo(ctx, shown)
		}
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}

func (r *run) letGo(ctx context.Context, shown directory.Account) error {
	reading, err := r.observe(ctx, shown.ID)
	if err != nil {
		return err
	}
	var was directory.Account
	var step directory.Step
	as := false
	changed, err := r.accounts.Update(ctx, shown.ID, func(recorded *directory.Account) (*directory.Account, bool) {
		was, as = directory.Account{ID: shown.ID}, false
		if recorded != nil {
			was = *recorded
		}
		// What was shown must be what a reading still finds.
		step = reading.Follow(recorded, r.interests, directory.Hold)
		if was.Decision() == shown.Decision() && step.Account.Departure() == shown.Departure() {
			as = true
			step = reading.Follow(recorded, r.interests, directory.Release)
		}
		if step.Remove {
			return nil, true
		}
		return &step.Account, step.Write
	})
	if err != nil {
		return fmt.Errorf("release account %s: %w", shown.ID, err)
	}
	r.count(reading, was, step, changed)
	if !as {
		r.summary.Outdated = append(r.summary.Outdated, shown.ID)
		return nil
	}
	r.summary.Approved = append(r.summary.Approved, shown.ID)
	return r.approved(ctx, shown.ID)
}

// approved has a departure no longer count: what an admin wants is no accident.
func (r *run) approved(ctx context.Context, id string) error {
	d, err := r.leaving(ctx)
	if err != nil {
		return err
	}
	if note, noted := d.notes[id]; noted {
		return r.dropDeparture(ctx, note)
	}
	return nil
}
