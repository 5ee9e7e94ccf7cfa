// Package ledger owns what is recorded about one gateway, and every transition of
// it. Decisions read the ledger; nothing but a transition changes it. It is pure.
//
// What is known of the gateway's policy:
//
//	            BeginWrite                    Settled, on a later pass
//	┌─────────┐ before each write ┌───────────┐ that found nothing to write ┌─────────┐
//	│ settled ├──────────────────►│ in flight ├────────────────────────────►│ settled │
//	└────▲────┘                   └─────┬─────┘                             └─────────┘
//	     │                              │ Failed: a call failed, AWS rejected the
//	     │ Settled                ┌─────▼─────┐ document, or passes did not converge
//	     └────────────────────────┤    due    │ (each failure in a row waits longer)
//	                              └───────────┘
//
// A write stays in flight for LookAgainAfter, whatever happens to its run: AWS may
// carry it out late. Settled with Drifted counts that others overwrote our
// statements; from the third in a row on, repairs back off.
//
// What is known of a principal that the grants ask for:
//
//	          Rejected: AWS takes no document with it        Settled: it is in the policy,
//	┌───────┐ ───────────────────────────────► ┌──────────┐  or no grant asks for it
//	│ no    │                                  │ rejected │ ────────────────────────► no record
//	│ record│ Rejected or BeginWrite: it was   └──────────┘ (tried again at NextTry)
//	│       │ let in by identity, and deleted  ┌──────────┐  Settled: an admin approved
//	└───────┘ ───────────────────────────────► │ held     │  it, or no grant asks for it
//	                                           └──────────┘ ────────────────────────► no record
//
// The reconcile loop (pkg/reconcile) makes all of these. Statuses are output: the loop
// reads from them only what the last valid revision of a row gave that is Invalid now.
package ledger

import (
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// Form is the form in which this version of the product records a ledger. Of a newer
// form it reads what it knows, and records nothing but the marks of its runs: see Newer.
const Form = 1

// LookAgainAfter is for how long a write counts as in flight. The gateway is looked
// at again then, so that a crash in the middle of a write, or a late one, is seen.
const LookAgainAfter = 2 * time.Minute

// State is all that is recorded of one gateway but its journal.
type State struct {
	Gateway Ledger
	Grants  map[grant.Key]grant.Status // where each row stands
	Newer   Newer                      // the newer version that recorded it; zero for none
}

// Ledger is what decisions about one gateway depend on. The zero value stands for a
// gateway never seen.
type Ledger struct {
	Version     int // counts the updates; storage makes the next one
	Authorizer  string
	AppliedHash string // of our statements, when last seen to be right; "" if never seen
	PendingHash string // of our statements in a write whose end was not recorded yet; "" for none
	// PendingRevisions are the valid revisions of rows that such a write gives, where
	// their statuses do not record them yet, as grant.Row.Canonical writes them.
	PendingRevisions map[grant.Key]string
	Size             Size
	LastError        grant.Code // of the last run that failed; "" after one that did not
	LastMessage      string
	Failures         int       // runs failed in a row
	Due              time.Time // when to look again; zero for never
	// InFlightUntil is until when a write may be in flight; the gateway is looked at
	// again then. Zero for none.
	InFlightUntil time.Time
	// Overwritten counts how often in a row our statements were found changed by
	// others, and OverwrittenAt says when last.
	Overwritten   int
	OverwrittenAt time.Time
	// Refused are the principals, by ARN, that AWS rejects, or that are held.
	Refused map[string]Refusal
	// Pinned are the roles and users that were last seen let in by identity, as
	// ARNs, sorted.
	Pinned []string
	// Accounts are those whose principals were last seen let in, as ids, sorted.
	Accounts []string
	// ExpandedSizeObserved says that AWS refused for its size a policy that fits as
	// submitted: it measures after it has expanded account ids.
	ExpandedSizeObserved bool
	// ListsRefused says that AWS rejected a list of principals and accepted the same
	// principals in a statement each.
	ListsRefused bool
	// Open names the Allow of others that opens the gateway to everyone; "" for none.
	Open string
	WriteAhead
}

// WriteAhead is recorded before the write that lets a principal in: a directory
// that cannot be read later never removes access, and a role that is deleted right
// after is not taken for a new one.
type WriteAhead struct {
	// Selected are the accounts that each selection (a selector and the units that it
	// leaves out) admitted, by plan.SelectionKey: account ids, sorted.
	Selected map[string][]string
	// InFlight are the roles and users that writes in flight name by identity, as
	// ARNs, sorted. The key lists the unique ids, sorted and with spaces between, that
	// were found before such a write: they are none of theirs.
	InFlight map[string][]string
	// HadDirectory says that the directory could be read once. One that seems never
	// to have been listed then has lost the mark of it, and is not to be taken for
	// none: without a directory, accounts outside the organization are let in.
	HadDirectory bool
}

// Refusal is what is known of a principal that AWS rejects.
type Refusal struct {
	Code    grant.Code // CodeQuarantined, CodePolicyRefused or CodeRecreated
	Since   time.Time
	Tries   int       // puts rejected because of it, one a run
	NextTry time.Time // zero for held until an admin approves it
}

// Held reports whether the principal waits for an admin to approve it, instead of
// being tried again.
func (r Refusal) Held() bool { return r.NextTry.IsZero() }

// Holds reports whether the principal is still to be left out.
func (r Refusal) Holds(now time.Time) bool { return r.Held() || now.Before(r.NextTry) }

// Same reports whether two refusals say the same.
func (r Refusal) Same(other Refusal) bool {
	return r.Code == other.Code && r.Tries == other.Tries && r.Since.Equal(other.Since) && r.NextTry.Equal(other.NextTry)
}

// Size is how much of AWS's limits a policy uses.
type Size struct {
	Bytes      int // as measured under the accounting in force
	Statements int
}

// Backoff is how long to wait after a number of failures in a row: a minute, doubled
// each time, an hour at most.
func Backoff(failures int) time.Duration {
	return min(time.Minute<<min(max(failures-1, 0), 6), time.Hour)
}

// earlier is the sooner of two moments, of which zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
