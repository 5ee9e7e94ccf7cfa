package dirsync

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
)

// run is one invocation's work: what it decides on is read once, and what it did
// adds up.
type run struct {
	*Syncer

	within     Organization
	interests  directory.Interests
	departures *departures
	summary    Summary
}

func (s *Syncer) begin(ctx context.Context) (*run, error) {
	organization, err := s.Organization(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := s.grants.All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read what the grants ask of the directory: %w", err)
	}
	return &run{Syncer: s, within: organization, interests: directory.InterestsOf(rows)}, nil
}

// late reports whether only the reserve of the run's time is left.
func (r *run) late(ctx context.Context) bool {
	deadline, limited := r.Deadline(ctx)
	return limited && deadline.Sub(r.now()) < r.Rules.Reserve
}

// read reads one account again and follows what it found.
func (r *run) read(ctx context.Context, id string) (directory.Step, error) {
	reading, err := r.observe(ctx, id)
	if err != nil {
		return directory.Step{}, err
	}
	r.summary.Accounts++
	return r.follow(ctx, reading)
}

func (r *run) observe(ctx context.Context, id string) (directory.Reading, error) {
	reading := directory.Reading{ID: id, At: r.now(), Confirm: r.Rules.Confirm}
	member, found, err := r.organizations.Member(ctx, id)
	if err != nil {
		return reading, fmt.Errorf("describe account %s: %w", id, err)
	}
	if !found {
		reading.Absent = true
		return reading, nil
	}
	err = r.complete(ctx, &reading, member, len(r.interests.TagKeys()) > 0)
	return reading, err
}

// readAround reads one account again of which the tags were just read.
func (r *run) readAround(ctx context.Context, id string, tags map[string]string) (directory.Step, error) {
	reading := directory.Reading{ID: id, At: r.now(), Confirm: r.Rules.Confirm}
	member, found, err := r.organizations.Member(ctx, id)
	if err != nil {
		return directory.Step{}, fmt.Errorf("describe account %s: %w", id, err)
	}
	if reading.Absent = !found; found {
		if err := r.complete(ctx, &reading, member, false); err != nil {
			return directory.Step{}, err
		}
		reading.NoTags, reading.View.Tags = false, tags
	}
	r.summary.Accounts++
	return r.follow(ctx, reading)
}

// complete makes what Organizations says about a member a whole reading. An
// answer without a state is no answer: taken at its word it would end the
// account's access. Tags take a call of their own.
func (r *run) complete(ctx context.Context, reading *directory.Reading, member Member, tags bool) error {
	if member.State == "" {
		return fmt.Errorf("describe account %s: the answer lacks its state", member.ID)
	}
	path, err := r.path(ctx, member)
	if err != nil {
		return err
	}
	reading.Name = directory.DisplayName(member.Name)
	reading.View = directory.View{State: member.State, Organization: r.within.ID, Path: path}
	if !tags {
		reading.NoTags = r.interests.KeepsTags()
		return nil
	}
	reading.View.Tags, err = r.organizations.Tags(ctx, member.ID)
	return wrap(err, "read the tags of account "+member.ID)
}

// follow records what a reading makes of its account, after the departure guard
// had its word where one is due.
func (r *run) follow(ctx context.Context, reading directory.Reading) (directory.Step, error) {
	was, step, err := r.apply(ctx, reading, directory.Undecided)
	if err != nil {
		return step, err
	}
	if step.Ask {
		verdict, err := r.judge(ctx, step.Account, reading.At)
		if err != nil {
			return step, err
		}
		if was, step, err = r.apply(ctx, reading, verdict); err != nil {
			return step, err
		}
	}
	return step, r.noteDeparture(ctx, was, step)
}

func (r *run) apply(ctx context.Context, reading directory.Reading, verdict directory.Verdict) (was directory.Account, step directory.Step, err error) {
	changed, err := r.accounts.Update(ctx, reading.ID, func(recorded *directory.Account) (*directory.Account, bool) {
		was = directory.Account{ID: reading.ID}
		if recorded != nil {
			was = *recorded
		}
		step = reading.Follow(recorded, r.interests, verdict)
		if step.Remove {
			return nil, true
		}
		return &step.Account, step.Write
	})
	if err != nil {
		return was, step, fmt.Errorf("write account %s to the directory: %w", reading.ID, err)
	}
	r.count(reading, was, step, changed)
	return was, step, nil
}

func (r *run) count(reading directory.Reading, was directory.Account, step directory.Step, changed bool) {
	switch {
	case !changed:
	case step.Remove:
		r.summary.Removed = append(r.summary.Removed, reading.ID)
	default:
		r.summary.Changed++
		if was.MissingSince.IsZero() && !step.Account.MissingSince.IsZero() {
			r.summary.Missing = append(r.summary.Missing, reading.ID)
		}
		if was.HeldSince.IsZero() && !step.Account.HeldSince.IsZero() {
			r.summary.Held = append(r.summary.Held, reading.ID)
		}
	}
}

// recheck has an account read again by Due, for the given time since an event.
func (r *run) recheck(ctx context.Context, id string, round int) error {
	note := directory.Note{
		Topic: directory.TopicRecheck, ID: id, Text: strconv.Itoa(round),
		At: r.now().Add(r.delay(round)),
	}
	return wrap(r.accounts.PutNote(ctx, note), "note that account "+id+" is to be read again")
}

func (r *run) delay(round int) time.Duration {
	if round >= len(r.Rules.Rechecks) {
		return r.Rules.Confirm
	}
	return r.Rules.Rechecks[round]
}
