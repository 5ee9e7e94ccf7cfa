package plan

import (
	"cmp"
	"slices"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// naming lists the principals of the accesses that our statements name already, or
// those that they do not, as ARNs; roles and users come before accounts, because they
// come and go more often.
func (r observation) naming(accesses []Access, already bool) []string {
	var list []string
	for _, a := range accesses {
		if r.principals[a.principal()] == already {
			list = append(list, a.principal())
		}
	}
	slices.SortFunc(list, func(a, b string) int {
		return cmp.Or(
			cmp.Compare(strings.Count(a, ":root"), strings.Count(b, ":root")),
			cmp.Compare(a, b),
		)
	})
	return slices.Compact(list)
}

// StatusOnFailure says where every row stands when the plan that was made for the
// world could not be carried out: who is let in by the policy in force, and why no
// other principal is.
func StatusOnFailure(world World, p Plan, inForce *policy.Document, refused map[string]ledger.Refusal, failure *grant.Error) map[grant.Key]grant.Status {
	v := verdict{
		admitted: lasting(p.Problem.owned(inForce).accesses),
		refused:  refused, siblings: siblings(p.Problem.solver(prove).foreign), now: world.Now,
		planned: make(map[Access]bool), failure: failure,
	}
	for _, a := range p.Problem.Accesses {
		if refusal, known := refused[a.principal()]; !known || !refusal.Holds(v.now) {
			v.planned[a.lasting()] = true
		}
	}
	return statuses(world, p.claims(world), v)
}

// claims are what the grants ask for, as when the plan was made for the world.
func (p Plan) claims(world World) []claim {
	if blocked := blockedReason(world.Gateway, p.Problem.Limits); blocked != nil {
		return blockedClaims(world, p.Problem.Limits, blocked)
	}
	return newResolver(world.asRecorded(), p.Problem.Limits, p.Problem.owned(p.Problem.Base)).claims()
}

// Owns reports whether a statement is one of this installation's.
func (p Plan) Owns(s policy.Statement) bool {
	return strings.HasPrefix(s.Sid, sidPrefix(p.Problem.Limits.Installation))
}

// Revokes reports whether the plan removes access of any principal.
func (p Plan) Revokes() bool {
	return slices.ContainsFunc(p.Changes, func(c Change) bool { return c.Verb == Remove && !policy.IsUniqueID(c.Principal) })
}
