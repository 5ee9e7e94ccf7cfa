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
// this one as far as it is known: keys of conditions that the call does not give a
// value, and those that are named as unknown, may have any value or none. Effect,
// identity policies, boundaries and service control policies play no part.
func (d *Document) Reach(index int, call Call, unknown ...string) Reach {
	r := newRequest(&call)
	m := &normalise(d).matcher()[index]
	if !m.covers(&r) || m.names(&r) == notNamed {
		return Never
	}
	reach := Always
	for i := range m.conditions {
		c := &m.conditions[i]
		isUnknown := slices.ContainsFunc(unknown, func(key string) bool { return strings.EqualFold(key, c.key) })
		switch {
		case isUnknown || len(r.values(c.key)) == 0 || c.isVariable():
			reach = Sometimes
		case !c.test(&r, m.effect):
			return Never
		}
	}
	return reach
}

// isVariable tells whether a value of the condition depends on the call.
func (m *conditionMatcher) isVariable() bool {
	return slices.ContainsFunc(m.patterns, func(p pattern) bool { return p.variable })
}
