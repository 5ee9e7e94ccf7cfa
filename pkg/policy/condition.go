package policy

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// conditionMatcher is one entry of a Condition made ready to test. Its values
// are in the field of their type; those that are not valid are in none, and
// match nothing.
type conditionMatcher struct {
	operator
	key string // lower case

	exact    []string // sorted: text, folded where case is ignored, or ARNs
	patterns []pattern
	numbers  []decimal
	times    []time.Time
	ranges   []netip.Prefix
}

func compileCondition(c normalCondition, variables bool) conditionMatcher {
	m := conditionMatcher{operator: c.operator, key: c.key}
	for _, value := range c.values {
		switch c.operator.compare {
		case stringEquals, stringEqualsIgnoreCase, boolean:
			m.addPattern(value, false, variables)
		case stringLike, arnLike:
			m.addPattern(value, true, variables)
		case binaryEquals, null:
			m.exact = append(m.exact, value)
		case number:
			if n, ok := parseNumber(value); ok {
				m.numbers = append(m.numbers, n)
			}
		case date:
			if t, ok := parseDate(value); ok {
				m.times = append(m.times, t)
			}
		case ipAddress:
			if prefix, ok := parsePrefix(value); ok {
				m.ranges = append(m.ranges, prefix)
			}
		case unknownComparison:
		}
	}
	slices.Sort(m.exact)
	return m
}

func (m *conditionMatcher) addPattern(value string, wildcards, variables bool) {
	p := parsePattern(value, wildcards, variables)
	switch {
	case len(p.tokens) == 0:
		m.exact = append(m.exact, "")
	case len(p.tokens) > 1 || p.tokens[0].kind != text:
		m.patterns = append(m.patterns, p)
	case m.compare != arnLike || isARN(p.tokens[0].text):
		m.exact = append(m.exact, p.tokens[0].text)
	}
}

// test reports whether the request meets the condition of a statement with this
// effect. An operator that IAM does not have says nothing; it must then neither
// let an Allow apply nor keep a Deny from applying.
func (m *conditionMatcher) test(r *request, effect Effect) bool {
	values := r.values(m.key)
	switch {
	case m.compare == unknownComparison:
		return effect == Deny
	case m.compare == null:
		return slices.Contains(m.exact, isNull[len(values) == 0])
	case len(values) == 0:
		return m.testAbsent()
	}
	switch m.set {
	case forAllValues:
		if emptyData(values) {
			return true
		}
		return !slices.ContainsFunc(values, func(value string) bool { return !m.testValue(r, value) })
	case forAnyValue:
		if emptyData(values) {
			return false
		}
		return slices.ContainsFunc(values, func(value string) bool { return m.testValue(r, value) })
	default:
		// Several values need a set operator, so that without one nothing
		// matches them.
		if len(values) > 1 {
			return m.negated
		}
		return m.testValue(r, values[0])
	}
}

var isNull = map[bool]string{true: "true", false: "false"}

// testAbsent is the outcome for a key without a value: not matched, which is
// what a negated operator asks for.
func (m *conditionMatcher) testAbsent() bool {
	switch {
	case m.ifExists, m.set == forAllValues:
		return true
	case m.set == forAnyValue:
		return false
	}
	return m.negated
}

// emptyData reports whether values are what set operators take for no data.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
func emptyData(values []string) bool {
	return !slices.ContainsFunc(values, func(value string) bool { return value != "" })
}

func (m *conditionMatcher) testValue(r *request, value string) bool {
	return m.matches(r, value) != m.negated
}

// matches reports whether value compares with one of the policy's values.
func (m *conditionMatcher) matches(r *request, value string) bool {
	switch m.compare {
	case stringEqualsIgnoreCase, boolean:
		value = fold(value)
	case binaryEquals:
		value = normalValue(binaryEquals, value)
	case number:
		n, ok := parseNumber(value)
		return ok && slices.ContainsFunc(m.numbers, func(limit decimal) bool { return m.relation.holds(n.compare(limit)) })
	case date:
		t, ok := parseDate(value)
		return ok && slices.ContainsFunc(m.times, func(limit time.Time) bool { return m.relation.holds(t.Compare(limit)) })
	case ipAddress:
		address, ok := parseAddress(value)
		return ok && slices.ContainsFunc(m.ranges, func(p netip.Prefix) bool { return p.Contains(address) })
	default:
	}
	if _, found := slices.BinarySearch(m.exact, value); found {
		return true
	}
	for _, p := range m.patterns {
		if m.matchesPattern(r, p, value) {
			return true
		}
	}
	return false
}

func (m *conditionMatcher) matchesPattern(r *request, p pattern, value string) bool {
	p, ok := p.resolve(r)
	switch {
	case !ok:
		return false
	case m.compare == arnLike:
		return p.matchARN(value)
	case m.compare == stringEqualsIgnoreCase, m.compare == boolean:
		for i := range p.tokens {
			p.tokens[i].text = fold(p.tokens[i].text)
		}
	}
	return p.match(value)
}

func isARN(value string) bool {
	return strings.HasPrefix(value, "arn:") && strings.Count(value, ":") >= arnFields-1
}
