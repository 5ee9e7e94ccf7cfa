package plan

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// changes says what becomes of each principal, and because of which grants.
func changes(claims []claim, standing, admitted map[access]bool, strange []policy.Statement) []Change {
	because := make(map[access][]grant.Key)
	for _, c := range claims {
		for _, a := range c.accesses {
			because[a] = append(because[a], c.row.Key)
		}
	}
	var all []Change
	say := func(verb Verb, a access) {
		all = append(all, Change{Verb: verb, Principal: a.who, Under: a.describe(), Grants: because[a]})
	}
	for a := range admitted {
		if standing[a] {
			say(Keep, a)
		} else {
			say(Add, a)
		}
	}
	for a := range standing {
		if !admitted[a] {
			say(Remove, a)
		}
	}
	for a, keys := range because {
		if !admitted[a] {
			all = append(all, Change{Verb: LeaveOut, Principal: a.who, Under: a.describe(), Grants: keys,
				Reason: grant.CodePolicyFull, Message: "the policy has no room for it"})
		}
	}
	for _, c := range claims {
		if c.reason != "" {
			all = append(all, Change{Verb: LeaveOut, Principal: c.row.Grant.Subject().String(), Grants: []grant.Key{c.row.Key},
				Reason: c.reason, Message: c.message})
		}
	}
	for _, s := range strange {
		all = append(all, Change{Verb: Remove, Principal: "statement " + s.Sid, Message: "somebody else wrote it under this installation's name"})
	}
	slices.SortFunc(all, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.Principal, b.Principal), cmp.Compare(a.Under, b.Under), cmp.Compare(a.Verb, b.Verb))
	})
	return all
}

// statuses says where every row stands.
func statuses(world World, claims []claim, admitted map[access]bool) map[grant.Key]grant.Status {
	all := make(map[grant.Key]grant.Status, len(world.Rows))
	for _, row := range world.Rows {
		switch {
		case row.Fault != nil:
			all[row.Key] = grant.Status{Phase: grant.PhaseInvalid, Reason: row.Fault.Code, Message: row.Fault.Op + ": " + row.Fault.Hint}
		case !row.Grant.Live(world.Now):
			all[row.Key] = grant.Status{Phase: grant.PhaseExpired, Message: "expired at " + row.Grant.Expires.Format(time.RFC3339)}
		}
	}
	for _, c := range claims {
		all[c.row.Key] = c.status(admitted)
	}
	for _, row := range world.Rows {
		status := all[row.Key]
		status.Revision = row.Revision
		status.Since = world.Now
		if recorded, ok := world.Gateway.Recorded.Grants[row.Key]; ok && status.Same(recorded) {
			status.Since = recorded.Since
		}
		all[row.Key] = status
	}
	return all
}

// status is where a live grant stands: wholly or partly in the policy, or not.
func (c claim) status(admitted map[access]bool) grant.Status {
	var in []string
	for _, a := range c.accesses {
		if admitted[a] {
			in = append(in, a.who)
		}
	}
	slices.Sort(in)
	switch {
	case c.reason != "":
		return grant.Status{Phase: grant.PhaseLeftOut, Reason: c.reason, Message: c.message}
	case len(in) == 0:
		return grant.Status{Phase: grant.PhaseLeftOut, Reason: grant.CodePolicyFull, Message: "the gateway's policy has no room left"}
	case len(in) < len(c.accesses):
		return grant.Status{Phase: grant.PhaseAdmitted, Reason: grant.CodePolicyFull, Admitted: in,
			Message: fmt.Sprintf("the gateway's policy has room for %d of %d principals", len(in), len(c.accesses))}
	default:
		return grant.Status{Phase: grant.PhaseAdmitted, Admitted: in}
	}
}

// nextExpiry is when the first of the claims ends; zero for never.
func nextExpiry(claims []claim) time.Time {
	var next time.Time
	for _, c := range claims {
		if ends := c.row.Grant.Expires; !ends.IsZero() && (next.IsZero() || ends.Before(next)) {
			next = ends
		}
	}
	return next
}
