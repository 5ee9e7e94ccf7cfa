package plan

import (
	"cmp"
	"slices"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// draft is what a plan was compiled from, so that parts of it can be compiled.
type draft struct {
	compiler compiler
	base     *policy.Document
	foreign  []policy.Statement
	admitted map[access]bool
	claims   []claim
	verdict  verdict
	said     reading // what our statements say now
}

// document compiles and proves some of the accesses, behind the foreign
// statements. With neither there is no policy: an empty Statement is invalid.
func (d draft) document(accesses map[access]bool) (*policy.Document, error) {
	list := make([]access, 0, len(accesses))
	for a := range accesses {
		list = append(list, a)
	}
	var document *policy.Document
	if owned := d.compiler.compile(list); len(d.foreign)+len(owned) > 0 {
		document = d.base.WithStatements(append(slices.Clone(d.foreign), owned...)...)
	}
	return document, prove(d.compiler, document, d.foreign, accesses)
}

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
// as the whole is; nil for no policy. Foreign statements are always in it.
func (p Plan) Part(principals []string) (*policy.Document, error) {
	part := make(map[access]bool)
	for a := range p.draft.admitted {
		if slices.Contains(principals, a.principal()) {
			part[a] = true
		}
	}
	return p.draft.document(part)
}

// Owns tells whether a statement is one of this installation's.
func (p Plan) Owns(s policy.Statement) bool {
	return strings.HasPrefix(s.Sid, sidPrefix(p.draft.compiler.limits.Installation))
}

// Revokes tells whether the plan takes access from somebody.
func (p Plan) Revokes() bool {
	return slices.ContainsFunc(p.Changes, func(c Change) bool { return c.Verb == Remove && !IsUniqueID(c.Principal) })
}
