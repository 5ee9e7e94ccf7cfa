package dirsync

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
)

// Rules say how sure the directory must be, and how often it looks.
type Rules struct {
	Confirm   time.Duration   // between the two readings that make a loss certain
	Guard     directory.Guard // holds mass departures
	Rechecks  []time.Duration // after an event, when its account is read again: Organizations may lag behind
	TagsEvery time.Duration   // between two readings of all tags, the slowest there are
	Restart   time.Duration   // a listing that takes longer starts over
	Reserve   time.Duration   // of a run's time, kept for recording how far it came
}

// DefaultRules are those of a deployment. That a state goes back during a
// closure has been seen for seconds, an account outside its unit for minutes.
func DefaultRules() Rules {
	return Rules{
		Confirm:   time.Minute,
		Guard:     directory.DefaultGuard(),
		Rechecks:  []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute},
		TagsEvery: 6 * time.Hour,
		Restart:   12 * time.Hour,
		Reserve:   20 * time.Second,
	}
}

// Syncer reads Organizations and writes the directory. It may be used by
// several goroutines.
type Syncer struct {
	Rules    Rules
	Deadline func(context.Context) (time.Time, bool) // when a run's time ends, by the same clock

	organizations Organizations
	accounts      Accounts
	grants        Grants
	now           func() time.Time

	mu           sync.Mutex
	organization Organization      // once described
	parents      map[string]string // of units; AWS cannot move a unit, so they stay true
}

// New makes a Syncer with the default rules that takes its time from now.
func New(organizations Organizations, accounts Accounts, grants Grants, now func() time.Time) *Syncer {
	return &Syncer{
		Rules: DefaultRules(), Deadline: context.Context.Deadline,
		organizations: organizations, accounts: accounts, grants: grants, now: now, parents: make(map[string]string),
	}
}

// Listed reports whether accounts of the organization were ever recorded.
func (s *Syncer) Listed(ctx context.Context) (bool, error) {
	recorded, err := s.accounts.Recorded(ctx)
	if err != nil {
		return false, fmt.Errorf("read which accounts are recorded: %w", err)
	}
	return len(recorded) > 0, nil
}

// Organization is the organization that is read. It is described once.
func (s *Syncer) Organization(ctx context.Context) (Organization, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.organization.ID != "" {
		return s.organization, nil
	}
	organization, err := s.organizations.Organization(ctx)
	if err != nil {
		return Organization{}, fmt.Errorf("describe the organization: %w", err)
	}
	if organization.ID == "" || organization.Management == "" {
		return Organization{}, errors.New("describe the organization: the answer lacks its id or its management account")
	}
	s.organization = organization
	return organization, nil
}

// Summary is what a run found and did.
type Summary struct {
	Accounts   int      // read
	Changed    int      // of these, recorded because something was new
	Missing    []string // recorded, and not found for the first time
	Removed    []string // forgotten
	Held       []string // newly held by the departure guard
	Holding    int      // held altogether, where the run looked
	Approved   []string // dropped because an admin approved
	Outdated   []string // approved, but no longer as it was shown: still held
	Unfinished bool     // out of time; the next Due goes on
}

// Account reads one account again, because an event hints at it, and records what
// it found. Events come before Organizations itself shows the change, so the
// account is read again a few times by Due, whatever was found: that needs no
// guess at what the event meant.
func (s *Syncer) Account(ctx context.Context, id string) (Summary, error) {
	r, err := s.begin(ctx)
	if err != nil {
		return Summary{}, err
	}
	if err := r.recheck(ctx, id, 0); err != nil {
		return Summary{}, err
	}
	_, err = r.read(ctx, id)
	return r.summary, err
}

// Request has Due list the whole organization, once however often it is asked.
func (s *Syncer) Request(ctx context.Context) error {
	notes, err := s.accounts.Notes(ctx, directory.TopicListing)
	if err != nil {
		return fmt.Errorf("ask for a listing: %w", err)
	}
	for _, note := range notes {
		if note.ID == listingHead {
			return nil
		}
	}
	return wrap(s.accounts.PutNote(ctx, directory.Note{Topic: directory.TopicListing, ID: listingHead, At: s.now()}), "ask for a listing")
}

// wrap says what was being done when it failed.
func wrap(err error, doing string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}
