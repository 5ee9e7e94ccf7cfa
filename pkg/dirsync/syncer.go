package dirsync

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
)

// Syncer reads Organizations and writes the directory. It may be used by
// several goroutines.
type Syncer struct {
	organizations Organizations
	accounts      Accounts
	now           func() time.Time

	mu           sync.Mutex
	organization Organization      // once described
	parents      map[string]string // of units; AWS cannot move a unit, so they stay true
}

// New makes a Syncer that takes its time from now.
func New(organizations Organizations, accounts Accounts, now func() time.Time) *Syncer {
	return &Syncer{organizations: organizations, accounts: accounts, now: now, parents: make(map[string]string)}
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

// Account reads one account anew and records what it found. An account that
// the organization does not have is marked missing, and forgotten when the next
// reading does not find it either: Organizations may go back on its word.
func (s *Syncer) Account(ctx context.Context, id string) error {
	at := s.now()
	organization, err := s.Organization(ctx)
	if err != nil {
		return err
	}
	member, found, err := s.organizations.Member(ctx, id)
	if err != nil {
		return fmt.Errorf("describe account %s: %w", id, err)
	}
	if found {
		_, err = s.record(ctx, organization, member, at)
		return err
	}
	_, err = s.absent(ctx, id, at)
	return err
}

// Summary is what a complete listing found.
type Summary struct {
	Accounts int      // members listed
	Changed  int      // of these, recorded because something was new
	Missing  []string // recorded, not listed: marked, for the first time
	Removed  []string // recorded, not listed again: forgotten
}

// All lists the organization and records every account. What fails with one
// account is reported and keeps none of the others back; only a listing that
// was recorded completely is marked as such. It reads the tags of each account,
// about ten a second.
func (s *Syncer) All(ctx context.Context) (Summary, error) {
	at := s.now()
	organization, err := s.Organization(ctx)
	if err != nil {
		return Summary{}, err
	}
	members, err := s.list(ctx, organization)
	if err != nil {
		return Summary{}, err
	}
	summary := Summary{Accounts: len(members)}
	listed := make(map[string]bool, len(members))
	var failures []error
	for _, member := range members {
		listed[member.ID] = true
		changed, err := s.record(ctx, organization, member, at)
		if changed {
			summary.Changed++
		}
		failures = append(failures, err)
	}
	failures = append(failures, s.forget(ctx, listed, at, &summary))
	if err := errors.Join(failures...); err != nil {
		return summary, fmt.Errorf("the listing is incomplete: %w", err)
	}
	if err := s.accounts.MarkSynced(ctx, at); err != nil {
		return summary, fmt.Errorf("mark the listing complete: %w", err)
	}
	return summary, nil
}

// list does not believe a listing that lacks the management account, which is
// a member of every organization.
func (s *Syncer) list(ctx context.Context, organization Organization) ([]Member, error) {
	members, err := s.organizations.Members(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the accounts: %w", err)
	}
	for _, member := range members {
		if member.ID == organization.Management {
			return members, nil
		}
	}
	return nil, fmt.Errorf("list the accounts: the %d listed lack the management account %s, so the list is not complete", len(members), organization.Management)
}

// forget deals with the accounts that are recorded and were not listed.
func (s *Syncer) forget(ctx context.Context, listed map[string]bool, at time.Time, summary *Summary) error {
	recorded, err := s.accounts.All(ctx)
	if err != nil {
		return fmt.Errorf("read the directory: %w", err)
	}
	var failures []error
	for _, id := range recorded {
		if listed[id] {
			continue
		}
		switch done, err := s.absent(ctx, id, at); {
		case err != nil:
			failures = append(failures, err)
		case done == marked:
			summary.Missing = append(summary.Missing, id)
		case done == removed:
			summary.Removed = append(summary.Removed, id)
		}
	}
	return errors.Join(failures...)
}

type absence uint8

const (
	unchanged absence = iota // not recorded, or by a newer reading
	marked
	removed
)

// absent records that a reading begun at the given time did not find an account.
// The table itself keeps a newer reading that did.
func (s *Syncer) absent(ctx context.Context, id string, at time.Time) (absence, error) {
	account, known, err := s.accounts.Account(ctx, id)
	if err != nil {
		return unchanged, fmt.Errorf("read account %s in the directory: %w", id, err)
	}
	if !known {
		return unchanged, nil
	}
	if !account.MissingSince.IsZero() {
		done, err := s.accounts.Remove(ctx, id, at)
		if err != nil || !done {
			return unchanged, wrap(err, "remove account "+id+" from the directory")
		}
		return removed, nil
	}
	account.MissingSince, account.ReadAt = at, at
	done, err := s.accounts.Write(ctx, account)
	if err != nil || !done {
		return unchanged, wrap(err, "mark account "+id+" as missing")
	}
	return marked, nil
}

func (s *Syncer) record(ctx context.Context, organization Organization, member Member, at time.Time) (changed bool, err error) {
	account, err := s.account(ctx, organization, member, at)
	if err != nil {
		return false, err
	}
	changed, err = s.accounts.Write(ctx, account)
	return changed, wrap(err, "write account "+account.ID+" to the directory")
}

// wrap says what was being done with an account when it failed.
func wrap(err error, doing string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// account completes what Organizations says about a member. An answer without a
// state is no answer: taken at its word it would end the account's access.
func (s *Syncer) account(ctx context.Context, organization Organization, member Member, at time.Time) (directory.Account, error) {
	if member.State == "" {
		return directory.Account{}, fmt.Errorf("describe account %s: the answer lacks its state", member.ID)
	}
	path, err := s.path(ctx, member)
	if err != nil {
		return directory.Account{}, err
	}
	tags, err := s.organizations.Tags(ctx, member.ID)
	if err != nil {
		return directory.Account{}, fmt.Errorf("read the tags of account %s: %w", member.ID, err)
	}
	if len(tags) == 0 {
		tags = nil
	}
	return directory.Account{
		ID: member.ID, State: member.State, Organization: organization.ID,
		Path: path, Tags: tags, ReadAt: at,
	}, nil
}
