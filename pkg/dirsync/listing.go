package dirsync

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
)

// The notes of a listing: how far it came, the accounts that it found so far, and whether
// something failed. All bear the time when it began.
const (
	listingHead   = "head"
	listingFound  = "found-"
	listingFailed = "failed"
)

// listing is a listing under way, perhaps over several runs.
type listing struct {
	began  time.Time
	token  string
	listed map[string]bool
	since  []string // listed in this run
	failed []string // listed and not recorded
	asked  bool     // by Request, which must not get lost
	// tagsWait leaves the tags of new accounts to the reading of all.
	tagsWait bool
	notes    []directory.Note
}

// All lists the organization and records every account, beginning or going on
// where an earlier run ended. What fails with one account is tried again at the
// end, reported, and keeps none of the others back; only a listing that was recorded completely counts,
// and may count an account as missing. Out of time it ends Unfinished. Then the
// tags are read, where some selector needs them and it is time.
func (s *Syncer) All(ctx context.Context) (Summary, error) {
	r, err := s.begin(ctx)
	if err != nil {
		return Summary{}, err
	}
	err = r.list(ctx)
	if err == nil && !r.summary.Unfinished {
		err = r.readTags(ctx, false)
	}
	return r.summary, err
}

func (r *run) list(ctx context.Context) error {
	l, err := r.claim(ctx)
	if err != nil {
		return err
	}
	recorded, err := r.accounts.Recorded(ctx)
	if err != nil {
		return errors.Join(fmt.Errorf("read the directory: %w", err), r.save(ctx, l))
	}
	r.learn(recorded)
	if l.tagsWait, err = r.tagsWait(ctx); err != nil {
		return errors.Join(err, r.save(ctx, l))
	}
	known := make(map[string]directory.Account, len(recorded))
	for _, account := range recorded {
		known[account.ID] = account
	}
	if err := r.pages(ctx, l, known); err != nil || r.summary.Unfinished {
		return errors.Join(err, r.save(ctx, l))
	}
	var failures []error
	for _, id := range l.failed { // perhaps it was not the account's fault
		if _, err := r.read(ctx, id); err != nil {
			failures = append(failures, err)
		}
	}
	if !l.listed[r.within.Management] { // a member of every organization
		failures = append(failures, fmt.Errorf("the %d accounts listed lack the management account %s", len(l.listed), r.within.Management))
	} else if len(failures) == 0 {
		failures = append(failures, r.forget(ctx, l, recorded))
	}
	if err := errors.Join(append(failures, r.drop(ctx, l))...); err != nil {
		return fmt.Errorf("the listing is incomplete: %w", err)
	}
	return r.conclude(ctx, l, known)
}

// pages reads pages until the last, or until time is short.
func (r *run) pages(ctx context.Context, l *listing, known map[string]directory.Account) error {
	for {
		at := r.now()
		page, err := r.organizations.Members(ctx, l.token)
		if errors.Is(err, ErrToken) && l.token != "" {
			l.token, l.began, l.failed, l.since = "", at, nil, nil
			clear(l.listed)
			continue
		}
		if err != nil {
			return fmt.Errorf("list the accounts: %w", err)
		}
		for _, member := range page.Members {
			if err := r.listed(ctx, l, member, at, known); err != nil {
				l.failed = append(l.failed, member.ID)
			}
			l.listed[member.ID] = true
			l.since = append(l.since, member.ID)
		}
		l.token = page.Next
		if l.token == "" {
			return nil
		}
		if r.late(ctx) {
			r.summary.Unfinished = true
			return nil
		}
	}
}

// listed follows one account of a page. Nothing is read or written for one that
// is as it was.
func (r *run) listed(ctx context.Context, l *listing, member Member, at time.Time, known map[string]directory.Account) error {
	r.summary.Accounts++
	was, recorded := known[member.ID]
	reading := directory.Reading{ID: member.ID, At: at, Confirm: r.Rules.Confirm}
	if err := r.complete(ctx, &reading, member, !recorded && !l.tagsWait && len(r.interests.TagKeys()) > 0); err != nil {
		return err
	}
	if recorded {
		step := reading.Follow(&was, r.interests, directory.Undecided)
		if !step.Write && !step.Ask && !step.Unsure {
			return nil
		}
		// Tags read long ago must not go with a new state: one that left the
		// organization and came back has lost them. A new name is no new state.
		renamed := was
		renamed.Name = step.Account.Name
		if reading.NoTags && !directory.SameAccount(renamed, step.Account) {
			if err := r.complete(ctx, &reading, member, true); err != nil {
				return err
			}
			reading.NoTags = false
		}
	}
	step, err := r.follow(ctx, reading)
	if err == nil && step.Unsure {
		err = r.recheck(ctx, member.ID, len(r.Rules.Rechecks))
	}
	return err
}

// forget deals with the accounts that were recorded before and not listed.
func (r *run) forget(ctx context.Context, l *listing, recorded []directory.Account) error {
	var failures []error
	for _, account := range recorded {
		if l.listed[account.ID] {
			continue
		}
		step, err := r.follow(ctx, directory.Reading{ID: account.ID, At: l.began, Absent: true, Confirm: r.Rules.Confirm})
		if err == nil && step.Unsure {
			err = r.recheck(ctx, account.ID, len(r.Rules.Rechecks))
		}
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}

// conclude records that the listing was complete.
func (r *run) conclude(ctx context.Context, l *listing, known map[string]directory.Account) error {
	size := len(l.listed)
	for id := range known {
		if !l.listed[id] {
			size++
		}
	}
	err := r.accounts.PutNote(ctx, directory.Note{Topic: directory.TopicSize, ID: "SIZE", At: l.began, Text: strconv.Itoa(size)})
	if err != nil {
		return fmt.Errorf("note how many accounts there are: %w", err)
	}
	if err := r.tidy(ctx); err != nil {
		return err
	}
	return wrap(r.accounts.MarkSynced(ctx, l.began), "mark the listing complete")
}

// claim takes over a listing that ran out of time, or begins one. Of several
// only one takes over; the others begin again.
func (r *run) claim(ctx context.Context) (*listing, error) {
	fresh := &listing{began: r.now(), listed: make(map[string]bool)}
	notes, err := r.accounts.Notes(ctx, directory.TopicListing)
	if err != nil {
		return nil, fmt.Errorf("read how far the listing came: %w", err)
	}
	for _, head := range notes {
		if head.ID != listingHead {
			continue
		}
		claimed, err := r.accounts.DeleteNote(ctx, head)
		if err != nil {
			return nil, fmt.Errorf("take over a listing: %w", err)
		}
		if !claimed || head.Text == "" {
			fresh.asked = claimed
			return fresh, nil
		}
		if r.now().Sub(head.At) < r.Rules.Restart {
			return resumed(head, notes), nil
		}
		fresh.notes = notes // to be dropped with this one's
	}
	return fresh, nil
}

func resumed(head directory.Note, notes []directory.Note) *listing {
	l := &listing{began: head.At, token: head.Text, listed: make(map[string]bool), notes: notes}
	for _, note := range notes {
		switch {
		case !note.At.Equal(head.At):
		case strings.HasPrefix(note.ID, listingFound):
			for id := range strings.FieldsSeq(note.Text) {
				l.listed[id] = true
			}
		case note.ID == listingFailed:
			l.failed = strings.Fields(note.Text)
		}
	}
	return l
}

// perNote is how many account ids go into one note: an item holds 400 KB at most.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
const perNote = 10_000

// save notes how far the listing came, the head last: without it no run goes on.
func (r *run) save(ctx context.Context, l *listing) error {
	if l.token == "" && !l.asked {
		return nil // nothing was listed yet: the next run begins
	}
	notes := []directory.Note{}
	if len(l.failed) > 0 {
		notes = append(notes, directory.Note{ID: listingFailed, Text: strings.Join(l.failed, " ")})
	}
	for from := 0; from < len(l.since); from += perNote {
		notes = append(notes, directory.Note{
			ID:   fmt.Sprintf("%s%s-%d", listingFound, l.since[from], len(l.listed)),
			Text: strings.Join(l.since[from:min(from+perNote, len(l.since))], " "),
		})
	}
	notes = append(notes, directory.Note{ID: listingHead, Text: l.token})
	for _, note := range notes {
		note.Topic, note.At = directory.TopicListing, l.began
		if err := r.accounts.PutNote(ctx, note); err != nil {
			return fmt.Errorf("note how far the listing came: %w", err)
		}
	}
	return nil
}

// drop deletes the notes of a listing that ended.
func (r *run) drop(ctx context.Context, l *listing) error {
	for _, note := range l.notes {
		if _, err := r.accounts.DeleteNote(ctx, note); err != nil {
			return fmt.Errorf("clear the notes of the listing: %w", err)
		}
	}
	return nil
}
