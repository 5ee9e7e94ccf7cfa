package directory

import (
	"cmp"
	"slices"
	"time"
)

// Reading is what Organizations reported about one account at one moment.
type Reading struct {
	ID      string
	At      time.Time
	Absent  bool // the organization has no such account; then there is no view
	Name    string
	View    View
	NoTags  bool // tags were not read: those recorded still hold
	Confirm time.Duration
}

// Verdict is the departure guard's word on losses that are certain.
type Verdict uint8

const (
	// Undecided asks for a verdict where one is needed, and changes nothing.
	Undecided Verdict = iota
	// Release lets certain losses take effect.
	Release
	// Hold keeps them from taking effect until an admin approves.
	Hold
)

// Step is what a reading makes of an account.
type Step struct {
	Account Account
	Write   bool // Account is to be recorded
	Remove  bool // what is recorded is to be forgotten
	Ask     bool // nothing is done without a verdict
	Unsure  bool // another reading must confirm a loss
	Unknown bool // neither recorded nor found
	Lost    bool // something was lost for good
}

// Follow is what a reading makes of what is recorded; nil for no record. What
// an account gains counts at once. What it would lose counts on until two
// readings at least Confirm apart, and all between, agree that it is gone:
// Organizations may lag behind its own events and go back a state during a
// closure. Then the guard has its word.
func (r Reading) Follow(was *Account, interests Interests, verdict Verdict) Step {
	switch {
	case was == nil && r.Absent:
		return Step{Unknown: true}
	case was == nil:
		r.View.Tags = interests.Needed(r.View.Tags, nil)
		return Step{Account: r.account(), Write: true}
	case was.ReadAt.After(r.At):
		return Step{Account: *was, Unsure: was.Leaving() && was.HeldSince.IsZero()}
	case r.Absent:
		return r.absent(*was, verdict)
	default:
		return r.present(*was, interests, verdict)
	}
}

func (r Reading) account() Account {
	return Account{
		ID: r.ID, Name: r.Name, State: r.View.State, Organization: r.View.Organization,
		Path: r.View.Path, Tags: r.View.Tags, ReadAt: r.At,
	}
}

func (r Reading) certain(since time.Time) bool { return r.At.Sub(since) >= r.Confirm }

// standing is the word that was spoken before, where none is spoken now: what is
// held stays held.
func standing(was Account, verdict Verdict) Verdict {
	if verdict == Undecided && !was.HeldSince.IsZero() {
		return Hold
	}
	return verdict
}

func (r Reading) absent(was Account, verdict Verdict) Step {
	next := was
	if was.MissingSince.IsZero() {
		next.MissingSince, next.ReadAt = r.At, r.At
		return Step{Account: next, Write: true, Unsure: true}
	}
	if !r.certain(was.MissingSince) {
		return Step{Account: was, Unsure: true}
	}
	switch standing(was, verdict) {
	case Release:
		return Step{Account: was, Remove: true, Lost: true}
	case Hold:
		if !was.HeldSince.IsZero() {
			return Step{Account: was}
		}
		next.HeldSince, next.ReadAt = r.At, r.At
		return Step{Account: next, Write: true}
	default:
		return Step{Account: was, Ask: true}
	}
}

// mostKept is how many views an account keeps at most. One that moves more often
// while its losses are open keeps those that it had first.
const mostKept = 3

func (r Reading) present(was Account, interests Interests, verdict Verdict) Step {
	if r.NoTags {
		r.View.Tags = was.Tags
	}
	r.View.Tags = interests.Needed(r.View.Tags, was.Tags)
	step := Step{Account: r.account()}
	step.Account.Name = cmp.Or(r.Name, was.Name)
	verdict = standing(was, verdict)
	held := false
	candidates := append(slices.Clone(was.Kept), Kept{View: was.View(), LostSince: r.At})
	for _, kept := range candidates {
		if len(interests.Lost(r.ID, kept.View, r.View)) == 0 {
			continue
		}
		switch certain := r.certain(kept.LostSince); {
		case certain && verdict == Undecided:
			return Step{Account: was, Ask: true}
		case certain && verdict == Release:
			step.Lost = true
			continue
		case certain:
			held = true
		default:
			step.Unsure = true
		}
		step.Account.Kept = append(step.Account.Kept, kept)
	}
	step.Account.Kept = step.Account.Kept[:min(len(step.Account.Kept), mostKept)]
	if held {
		step.Account.HeldSince = was.HeldSince
		if was.HeldSince.IsZero() {
			step.Account.HeldSince = r.At
		}
	}
	step.Write = !SameAccount(was, step.Account)
	return step
}
