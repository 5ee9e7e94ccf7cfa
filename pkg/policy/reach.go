package policy

import (
	"slices"
	"strings"
)

// Reach is how far a statement applies to calls that are known in part.
type Reach uint8

// The reaches.
const (
	Never     Reach = iota // to none of the calls
	Sometimes              // it depends on what is not known of the call
	Always                 // to all of the calls
)

// Reach is how far the statement at an index applies to the calls that are like
// this one as far as it is known: keys of conditions that the call's context does not
// have, and those that are named as unknown, may have any value or none; a key that the
// context has without a value is known to be absent. Effect, identity policies, boundaries and service control policies play no part.
func (d *Document) Reach(index int, call Call, unknown ...string) Reach {
	r := newRequest(&call)
	r.unknown = unknown
	m := &normalise(d).matcher()[index]
	if !m.covers(&r) || m.names(&r) == notNamed {
		return Never
	}
	return m.reach(&r)
}

// EvaluatePartly decides a call of which not everything is known, as Reach has it:
// best is the decision if all that is not known favours the caller, worst if none of
// it does. Where both allow, or both refuse, the rest does not matter.
func EvaluatePartly(call Call, unknown ...string) (best, worst Decision) {
	decide := func(favour bool) Decision {
		r := newRequest(&call)
		r.partly, r.unknown, r.favour = true, unknown, favour
		return r.decision()
	}
	return decide(true), decide(false)
}

// reach is how far the statement's conditions hold for what is known of the call.
func (m *statementMatcher) reach(r *request) Reach {
	reach := Always
	for i := range m.conditions {
		c := &m.conditions[i]
		switch {
		case c.isVariable() || !r.knows(c.key):
			reach = Sometimes
		case !c.test(r, m.effect):
			return Never
		}
	}
	return reach
}

// knows reports whether the call says what the key's value is, or that it has none.
func (r *request) knows(key string) bool {
	isUnknown := slices.ContainsFunc(r.unknown, func(name string) bool { return strings.EqualFold(name, key) })
	return !isUnknown && (len(r.values(key)) > 0 || r.lacks(key))
}

// lacks reports whether the call's context has the key without a value.
func (r *request) lacks(key string) bool {
	for name := range r.Context {
		if strings.EqualFold(name, key) {
			return true
		}
	}
	return false
}

// isVariable reports whether a value of the condition depends on the call.
func (m *conditionMatcher) isVariable() bool {
	return slices.ContainsFunc(m.patterns, func(p pattern) bool { return p.variable })
}
