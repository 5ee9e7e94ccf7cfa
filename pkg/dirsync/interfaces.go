// Package dirsync brings the directory in line with AWS Organizations: one
// account when an event hints at it, and all of them now and then.
package dirsync

import (
	"context"
	"errors"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// Organizations reads AWS Organizations. Its calls are throttled by account and
// by organization, together with every other tool that makes them.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html
type Organizations interface {
	// Organization describes the organization that the caller belongs to.
	Organization(ctx context.Context) (Organization, error)
	// Member describes one account; false where the organization has none of that id.
	Member(ctx context.Context, id string) (Member, bool, error)
	// Members lists a page of the accounts: the first, or the one that a token leads
	// to. It fails with ErrToken where the token is no longer good.
	Members(ctx context.Context, token string) (Page, error)
	// Parent is the unit (ou-…) or root (r-…) that the account or unit is directly in.
	Parent(ctx context.Context, child string) (string, error)
	// Tags are those of an account.
	Tags(ctx context.Context, id string) (map[string]string, error)
}

// Organization is an organization and the account that manages it. Neither
// ever changes.
type Organization struct {
	ID         string // o-…
	Management string // 12 digits
}

// Member is an account as Organizations describes it.
type Member struct {
	ID    string
	Name  string
	State directory.State
	Paths []string // such as o-…/r-…/ou-…/ID/; may be empty, then parents give it
}

// Page is a part of the accounts; Next leads to the following, "" for the last.
// It may be empty.
type Page struct {
	Members []Member
	Next    string
}

// ErrToken says that a listing cannot go on from where it was.
var ErrToken = errors.New("the listing's token is no longer good")

// Grants reads the grants table: what grants do not ask about an account is not
// read, and losing it is no loss.
type Grants interface {
	// All reads every row, or fails.
	All(ctx context.Context) ([]grant.Row, error)
	// ApprovedDepartures reads which departures admins approved.
	ApprovedDepartures(ctx context.Context) (grant.Approvals, error)
}

// Accounts is the accounts table, as far as keeping it needs it.
type Accounts interface {
	// Account reads one account as it is recorded; false where it is not.
	Account(ctx context.Context, id string) (account directory.Account, found bool, err error)
	// Recorded lists every account that is recorded, by id, or fails.
	Recorded(ctx context.Context) ([]directory.Account, error)
	// Update has decide say what becomes of an account, nil for none, and whether
	// anything does, and reports whether it did. Decide is asked again, about what is
	// there then, where another writer was first.
	Update(ctx context.Context, id string, decide func(was *directory.Account) (is *directory.Account, change bool)) (changed bool, err error)
	// MarkSynced records that a complete listing, begun at the given time, ended.
	MarkSynced(ctx context.Context, at time.Time) error
	// Notes lists the notes of a topic, by id, or fails.
	Notes(ctx context.Context, topic directory.Topic) ([]directory.Note, error)
	// PutNote writes a note, over any of the same topic and id.
	PutNote(ctx context.Context, note directory.Note) error
	// DeleteNote deletes a note, unless it is no longer as given, and reports whether
	// it did.
	DeleteNote(ctx context.Context, note directory.Note) (deleted bool, err error)
}
