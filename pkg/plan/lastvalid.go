package plan

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// An edit that cannot be understood changes nothing. A row that was valid and has a
// fault now keeps what its last valid revision says, for the principals that the
// row had admitted, until the recorded expiry or until the row is deleted. The
// record of the row on this gateway is the only source of that, so a row that
// was never valid, or that this gateway has no record of, lets in no principal.

// standIn is a row whose grant is that of its last valid revision.
func standIn(row grant.Row, recorded grant.Status, now time.Time) (claim, bool) {
	given := recorded.Given()
	if row.Fault == nil || len(given) == 0 {
		return claim{}, false
	}
	last, expires := grant.ReadCanonical(recorded.LastValid)
	c := claim{row: grant.Row{Key: row.Key, Revision: row.Revision, Grant: last}, fault: row.Fault, given: given}
	if last == nil {
		c.unread = true
		c.row.Grant = &grant.Grant{Expires: expires}
	}
	return c, c.row.Grant.Live(now)
}

// Unrecorded lists the valid revisions of rows by which the plan gives access, and
// which their recorded statuses lack, as grant.Row.Canonical writes them.
func (p Plan) Unrecorded(recorded ledger.State) map[grant.Key]string {
	revisions := make(map[grant.Key]string)
	for key, status := range p.Status {
		known := recorded.Grants[key]
		if status.LastValid != "" && (status.LastValid != known.LastValid || !slices.Equal(status.Given(), known.Given())) {
			revisions[key] = status.LastValid
		}
	}
	return revisions
}

// Superseded are the pending revisions that are not the last valid ones of their rows any
// more, because these say something else that is valid, or are gone. The rows must have
// been read after the ledger: then they are not older than the write.
func Superseded(rows []grant.Row, recorded ledger.Ledger) map[grant.Key]string {
	pending := maps.Clone(recorded.PendingRevisions)
	for _, row := range rows {
		if row.Fault != nil || row.Canonical() == pending[row.Key] {
			delete(pending, row.Key)
		}
	}
	return pending
}

// claimInFlight is a row with a fault whose grant is that of the revision by which a write
// gave access whose end was not recorded.
func claimInFlight(row grant.Row, recorded ledger.Ledger, now time.Time) (claim, bool) {
	revision := recorded.PendingRevisions[row.Key]
	if row.Fault == nil || revision == "" {
		return claim{}, false
	}
	last, _ := grant.ReadCanonical(revision)
	c := claim{row: grant.Row{Key: row.Key, Revision: row.Revision, Grant: last}, fault: row.Fault, revision: revision}
	return c, last != nil && last.Live(now)
}

// claimWritten is the claim of a row by what a write gave it: just what stands of that.
func (r *resolver) claimWritten(c claim) claim {
	means := r.claim(c.row).onlyStanding(r.standing)
	means.fault, means.revision = c.fault, c.revision
	for _, a := range means.accesses {
		means.given = append(means.given, a.Who.String())
	}
	return means
}

// within keeps the accesses of the principals that the row had admitted.
func (c claim) within(given []string) claim {
	other := func(a Access) bool { return !slices.Contains(given, a.Who.String()) }
	asked := len(c.accesses)
	c.accesses = slices.DeleteFunc(slices.Clone(c.accesses), other)
	c.barred = slices.DeleteFunc(slices.Clone(c.barred), other)
	if asked > 0 && len(c.accesses) == 0 {
		c.reason, c.message = grant.CodeSelectsNobody, "it means none of the principals that this row had admitted"
	}
	return c
}

// onlyStanding keeps the accesses that the policy gives now: what a write of ours took
// away, because the row was edited in between, does not come back with a fault.
func (c claim) onlyStanding(standing map[Access]bool) claim {
	c.accesses = slices.DeleteFunc(slices.Clone(c.accesses), func(a Access) bool { return !standing[a] })
	return c
}

// claimStanding is the claim of a row whose last valid revision was recorded in
// another form, by an earlier or a newer version. What it gave is taken from the
// policy: the one access that names the principal, to the end that stands there
// where no other is recorded. Where several accesses name it, nothing says
// which is of this row, and none is kept.
func (r *resolver) claimStanding(c claim) (_ claim, kept bool) {
	g := *c.row.Grant
	recorded := !g.Expires.IsZero()
	for _, who := range c.given {
		found := make(map[Access]bool)
		for a := range r.stated {
			if a.Who.String() != who {
				continue
			}
			found[a.lasting()] = true
			if end := time.Unix(a.Until, 0).UTC(); !recorded && a.Until != 0 && (g.Expires.IsZero() || end.Before(g.Expires)) {
				g.Expires = end
			}
		}
		arn, _ := policy.ParseIAMARN(who)
		why := r.bar(arn.Account)
		if why.undecided {
			c.undecided, c.reason, c.message = true, why.reason, why.message
		} else if len(found) == 1 && why.reason == "" {
			c.accesses = slices.AppendSeq(c.accesses, maps.Keys(found))
		}
	}
	c.row.Grant = &g
	return c, c.undecided || len(c.accesses) > 0
}

// Consults lists what the rows need of the directory: the selectors, and the
// accounts whose membership counts. For a row with a fault that is what its last
// valid revision needs.
func Consults(rows []grant.Row, recorded ledger.State, now time.Time) (selectors []grant.Principal, accounts []string) {
	consult := func(g *grant.Grant) {
		switch {
		case g == nil:
		case g.Principal.IsSelector():
			selectors = append(selectors, g.Principal)
		default:
			accounts = append(accounts, g.Principal.Account())
		}
	}
	for _, row := range notUnderstood(rows, recorded.Newer) {
		if last, kept := claimInFlight(row, recorded.Gateway, now); kept {
			consult(last.row.Grant)
		}
		switch last, kept := standIn(row, recorded.Grants[row.Key], now); {
		case !kept:
			consult(row.Grant)
		case last.unread:
			for _, who := range last.given {
				arn, _ := policy.ParseIAMARN(who)
				accounts = append(accounts, arn.Account)
			}
		default:
			consult(last.row.Grant)
		}
	}
	return selectors, accounts
}

// remember completes the status of a row by what an edit that cannot be understood
// must not change.
func (c claim) remember(status, recorded grant.Status) grant.Status {
	for _, who := range recorded.Given() {
		asked := c.undecided && c.meansAs(recorded.LastValid) || slices.ContainsFunc(c.accesses, func(a Access) bool { return a.Who.String() == who })
		if asked && !slices.Contains(status.Admitted, who) {
			status.Withheld = append(status.Withheld, who)
		}
	}
	switch {
	case c.fault != nil:
		status.LastValid = cmp.Or(c.revision, recorded.LastValid)
	case len(status.Admitted)+len(status.Withheld) > 0:
		status.LastValid = c.row.Canonical()
	}
	return status
}

// meansAs reports whether the row names, or selects, the same principals as its recorded
// revision. What it means besides is not decided.
func (c claim) meansAs(recorded string) bool {
	if c.unread {
		return true
	}
	last, _ := grant.ReadCanonical(recorded)
	return last != nil && SelectionKey(last) == SelectionKey(c.row.Grant) && last.Role == c.row.Grant.Role
}

// faulty is the status of a row with a fault, of which nothing is kept.
func faulty(fault *grant.Error) grant.Status {
	return grant.Status{Phase: grant.PhaseInvalid, Reason: fault.Code, Message: fault.Op + ": " + fault.Hint}
}

// keeping is the status of a row with a fault whose last valid revision stands as
// the given status says.
func (c claim) keeping(stands grant.Status) grant.Status {
	status := faulty(c.fault)
	status.Admitted = stands.Admitted
	until := "the row is corrected or deleted"
	if end := c.row.Grant.Expires; !end.IsZero() {
		until = end.UTC().Format(time.RFC3339) + " at the latest"
	}
	if len(stands.Admitted) > 0 {
		status.Message += "; the access that its last valid revision gave is kept until " + until
	} else {
		status.Message += "; its last valid revision counts until " + until + ", and gives no access now"
	}
	if stands.Message != "" {
		status.Message += ": " + stands.Message
	}
	return status
}
