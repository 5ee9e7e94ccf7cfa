package plan

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// Standing lists the principals of the plan that the policy names already, and
// Additions those that it does not, as ARNs; roles and users come before
// accounts, because they come and go more often.
func (p Plan) Standing() []string { return p.draft.principals(true) }

// Additions are described with Standing.
func (p Plan) Additions() []string { return p.draft.principals(false) }

func (d draft) principals(standing bool) []string {
	var list []string
	for a := range d.admitted {
		if d.said.principals[a.principal()] == standing {
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

// Part is the document of the plan with only the given principals in it, proved
// as the whole is, and what names it; nil for no policy. Foreign statements are
// always in it. Of the principals, those that cannot be proved without the others
// are left out of it.
func (p Plan) Part(principals []string) (document *policy.Document, named string, err error) {
	var part []access
	for a := range p.draft.admitted {
		if slices.Contains(principals, a.principal()) {
			part = append(part, a)
		}
	}
	slices.SortFunc(part, compareAccess)
	solved, err := p.draft.problem.solve(part)
	return solved.document, hash(setOf(solved.admitted), nil), err
}

// Stuck says where every row stands when the plan could not be carried out: who is
// let in by the policy in force, and why nobody else is.
func (p Plan) Stuck(inForce *policy.Document, refused map[string]Refusal, failure *grant.Error) map[grant.Key]grant.Status {
	d := p.draft
	owned, _ := split(inForce, d.problem.compiler.limits.Installation)
	v := verdict{
		admitted: lasting(decompile(owned, d.problem.compiler.resource, d.problem.compiler.partition).accesses),
		refused:  refused, siblings: d.verdict.siblings, now: d.world.Now, planned: maps.Clone(d.verdict.admitted), failure: failure,
	}
	maps.DeleteFunc(v.planned, func(a access, _ bool) bool {
		refusal, known := refused[a.principal()]
		return known && refusal.holds(v.now)
	})
	return statuses(d.world, d.claims, v)
}

// Owns tells whether a statement is one of this installation's.
func (p Plan) Owns(s policy.Statement) bool {
	return strings.HasPrefix(s.Sid, sidPrefix(p.draft.problem.compiler.limits.Installation))
}

// Revokes tells whether the plan takes access from somebody.
func (p Plan) Revokes() bool {
	return slices.ContainsFunc(p.Changes, func(c Change) bool { return c.Verb == Remove && !IsUniqueID(c.Principal) })
}
