package directory

import (
	"slices"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// Availability says whether a snapshot can be decided upon.
type Availability uint8

const (
	// Absent says that no complete listing of an organization has ever ended: there is
	// no directory; selectors match no account yet, and no account is known to be outside.
	Absent Availability = iota
	// Unreadable says that there may be a directory, but it could not be read now.
	// Accounts that selectors admitted before stay admitted.
	Unreadable
	// Known says that the snapshot is complete for what was asked.
	Known
)

// Snapshot is the part of the directory that a decision needs, read at once.
// The zero Snapshot is Absent.
type Snapshot struct {
	availability Availability
	accounts     map[string]Account // by id, every account asked for or selected
	matches      map[grant.Principal][]string
	trusted      []string // ids on the list of trusted accounts, of those asked for
	trustUnread  bool     // the list could not be read
}

// Failed is the snapshot of a directory that could not be read.
func Failed() Snapshot { return Snapshot{availability: Unreadable} }

// Complete is the snapshot of a directory that was read completely for the given
// selectors: accounts are all those that any of the selectors matches, whatever
// their state, and those of the accounts asked for that are members. Trusted are those
// asked for that are on the list of trusted accounts; members need not be looked for there.
func Complete(selectors []grant.Principal, accounts []Account, trusted ...string) Snapshot {
	s := Snapshot{
		availability: Known,
		trusted:      trusted,
		accounts:     make(map[string]Account, len(accounts)),
		matches:      make(map[grant.Principal][]string, len(selectors)),
	}
	for _, account := range accounts {
		s.accounts[account.ID] = account
	}
	for _, selector := range selectors {
		s.matches[selector] = []string{}
		for id, account := range s.accounts {
			if Matches(selector, account) {
				s.matches[selector] = append(s.matches[selector], id)
			}
		}
		slices.Sort(s.matches[selector])
	}
	return s
}

// Availability says whether the snapshot can be decided upon.
func (s Snapshot) Availability() Availability { return s.availability }

// Select lists the ids of the accounts that a selector lets in, sorted. It is
// false where the snapshot cannot say.
func (s Snapshot) Select(selector grant.Principal, exclude grant.Exclusion) ([]string, bool) {
	matching, asked := s.matches[selector]
	if s.availability != Known || !asked {
		return nil, false
	}
	var ids []string
	for _, id := range matching {
		if Selects(selector, exclude, s.accounts[id]) {
			ids = append(ids, id)
		}
	}
	return ids, true
}

// Name is the account's name; "" where it is not known.
func (s Snapshot) Name(id string) string { return s.accounts[id].Name }

// IsMember reports whether the account belongs to the organization. It means
// something only where the snapshot is Known and was asked for the account.
func (s Snapshot) IsMember(id string) bool {
	_, member := s.accounts[id]
	return member
}

// WithoutTrust is the snapshot where the list of trusted accounts could not be read.
func (s Snapshot) WithoutTrust() Snapshot {
	s.trusted, s.trustUnread = nil, true
	return s
}

// TrustUnread reports whether the list of trusted accounts was needed and not read.
func (s Snapshot) TrustUnread() bool { return s.trustUnread }

// Trusts reports whether the account is on the list of trusted accounts, and whether that
// is known. It means something as IsMember does, and of accounts that are no members.
func (s Snapshot) Trusts(id string) (trusted, known bool) {
	return slices.Contains(s.trusted, id), !s.trustUnread
}
