// Package dirsync brings the directory in line with AWS Organizations: one
// account when an event hints at it, and all of them now and then.
package dirsync

import (
	"context"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
)

// Organizations reads AWS Organizations. Its calls are throttled by account and
// by organization, together with every other tool that makes them.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html
type Organizations interface {
	// Organization describes the organization that the caller belongs to.
	Organization(ctx context.Context) (Organization, error)
	// Member describes one account; false where the organization has none of that id.
	Member(ctx context.Context, id string) (Member, bool, error)
	// Members lists every account, or fails.
	Members(ctx context.Context) ([]Member, error)
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
	State directory.State
	Paths []string // such as o-…/r-…/ou-…/ID/; may be empty, then parents tell
}

// Accounts is the accounts table, as far as keeping it needs it.
type Accounts interface {
	// Account reads one account as it is recorded; false where it is not.
	Account(ctx context.Context, id string) (account directory.Account, found bool, err error)
	// All lists the id of every account that is recorded, or fails.
	All(ctx context.Context) (ids []string, err error)
	// Write records an account, unless a newer reading of it is recorded or it
	// says nothing new besides its ReadAt, and tells whether it did.
	Write(ctx context.Context, account directory.Account) (changed bool, err error)
	// Remove forgets an account, unless a reading newer than readAt is recorded,
	// and tells whether it did.
	Remove(ctx context.Context, id string, readAt time.Time) (removed bool, err error)
	// MarkSynced records that a complete listing, begun at the given time, ended.
	MarkSynced(ctx context.Context, at time.Time) error
}
