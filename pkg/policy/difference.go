package policy

import (
	"maps"
	"slices"
	"strings"
)

// differences collects what differs; statement names the one it is in.
type differences struct {
	statement string
	list      []Difference
}

func (o *differences) add(d Difference) {
	d.Statement = o.statement
	o.list = append(o.list, d)
}

func (o *differences) pair(a, b *Document, p pair) {
	switch {
	case p.b < 0:
		o.statement = label(a, p.a)
		o.add(Difference{Change: Removed, Before: summary(&a.Statements[p.a])})
	case p.a < 0:
		o.statement = label(b, p.b)
		o.add(Difference{Change: Added, After: summary(&b.Statements[p.b])})
	default:
		o.statement = label(a, p.a)
		o.elements(&a.Statements[p.a], &b.Statements[p.b])
	}
}

func (o *differences) elements(a, b *Statement) {
	o.value("Sid", a.Sid, b.Sid)
	o.value("Effect", string(a.Effect), string(b.Effect))
	o.principals("Principal", a.Principal, b.Principal)
	o.principals("NotPrincipal", a.NotPrincipal, b.NotPrincipal)
	o.set("Action", a.Action, b.Action, fold)
	o.set("NotAction", a.NotAction, b.NotAction, fold)
	o.set("Resource", a.Resource, b.Resource, asIs)
	o.set("NotResource", a.NotResource, b.NotResource, asIs)
	o.conditions(a.Condition, b.Condition)
	o.unknown(a.unknown, b.unknown)
}

// value compares an element that has one value; "" is none.
func (o *differences) value(element, before, after string) {
	d := Difference{Change: Changed, Element: element, Before: before, After: after}
	switch {
	case before == after:
		return
	case before == "":
		d.Change = Added
	case after == "":
		d.Change = Removed
	}
	o.add(d)
}

// set compares an element that has a list of values, of which how gives the
// normal spelling.
func (o *differences) set(element string, before, after []string, how func(string) string) {
	was, is := spellings(before, how), spellings(after, how)
	for _, value := range slices.Sorted(maps.Keys(was)) {
		if _, still := is[value]; !still {
			o.add(Difference{Change: Removed, Element: element, Before: was[value]})
		}
	}
	for _, value := range slices.Sorted(maps.Keys(is)) {
		if _, already := was[value]; !already {
			o.add(Difference{Change: Added, Element: element, After: is[value]})
		}
	}
	switch { // an element with an empty list is not the same as none
	case before == nil && after != nil && len(after) == 0:
		o.add(Difference{Change: Added, Element: element, After: "[]"})
	case after == nil && before != nil && len(before) == 0:
		o.add(Difference{Change: Removed, Element: element, Before: "[]"})
	}
}

func asIs(value string) string { return value }

// spellings are the values by their normal spelling.
func spellings(values []string, how func(string) string) map[string]string {
	spelled := make(map[string]string, len(values))
	for _, value := range values {
		if n := how(value); spelled[n] == "" {
			spelled[n] = value
		}
	}
	return spelled
}

func (o *differences) principals(element string, before, after *Principals) {
	was, is := before.byKind(), after.byKind()
	kinds := maps.Clone(was)
	maps.Copy(kinds, is)
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		how := asIs
		if kind == "AWS" {
			how = normalPrincipal
		}
		o.set(element+"."+kind, was[kind], is[kind], how)
	}
	if (before == nil) != (after == nil) && len(kinds) == 0 {
		o.set(element, before.all(), after.all(), asIs)
	}
}

// byKind has everyone, however written, as "*" of AWS.
func (w *Principals) byKind() map[string][]string {
	kinds := make(map[string][]string)
	if w == nil {
		return kinds
	}
	for _, kind := range w.kinds() {
		kinds[kind.name] = kind.values
	}
	if w.Everyone {
		kinds["AWS"] = append([]string{everything}, kinds["AWS"]...)
	}
	return kinds
}

// kinds lists the kinds of principal that are there.
func (w *Principals) kinds() []normalPair {
	kinds := slices.DeleteFunc([]normalPair{
		{"AWS", w.AWS}, {"Service", w.Service}, {"Federated", w.Federated}, {"CanonicalUser", w.CanonicalUser},
	}, func(kind normalPair) bool { return kind.values == nil })
	for _, name := range slices.Sorted(maps.Keys(w.Other)) {
		if values := w.Other[name]; values != nil {
			kinds = append(kinds, normalPair{name, values})
		}
	}
	return kinds
}

// conditions compares conditions by operator and key. Where one of the two has
// several entries for them, which only differ in case, these are compared whole.
func (o *differences) conditions(before, after Condition) {
	was, is := conditionsByName(before), conditionsByName(after)
	names := maps.Clone(was)
	maps.Copy(names, is)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		x, y := was[name], is[name]
		if len(x) <= 1 && len(y) <= 1 {
			o.conditionValues(x, y)
			continue
		}
		for _, entry := range x {
			if !slices.ContainsFunc(y, entry.same) {
				o.add(Difference{Change: Removed, Element: entry.element, Before: strings.Join(entry.values, ", ")})
			}
		}
		for _, entry := range y {
			if !slices.ContainsFunc(x, entry.same) {
				o.add(Difference{Change: Added, Element: entry.element, After: strings.Join(entry.values, ", ")})
			}
		}
	}
}

// conditionValues compares at most one entry with at most one.
func (o *differences) conditionValues(before, after []conditionEntry) {
	var x, y conditionEntry
	if len(before) > 0 {
		x = before[0]
	}
	if len(after) > 0 {
		y = after[0]
	}
	element, op := x.element, x.operator
	if element == "" {
		element, op = y.element, y.operator
	}
	o.set(element, x.values, y.values, func(value string) string { return normalValue(op.compare, value) })
}

// conditionEntry is one operator, key and values, spelled as written.
type conditionEntry struct {
	operator operator
	element  string
	values   []string
	normal   []string
}

func (c conditionEntry) same(other conditionEntry) bool { return slices.Equal(c.normal, other.normal) }

func conditionsByName(condition Condition) map[string][]conditionEntry {
	byName := make(map[string][]conditionEntry)
	for _, written := range slices.Sorted(maps.Keys(condition)) {
		op := parseOperator(written)
		keys := condition[written]
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			name := op.name + " " + fold(key)
			entry := conditionEntry{
				operator: op, element: "Condition." + written + "." + key,
				values: append([]string{}, keys[key]...), normal: op.normalValues(keys[key]),
			}
			if !slices.ContainsFunc(byName[name], entry.same) {
				byName[name] = append(byName[name], entry)
			}
		}
	}
	return byName
}

func (o *differences) unknown(before, after []member) {
	was, is := membersByName(before), membersByName(after)
	names := maps.Clone(was)
	maps.Copy(names, is)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if normalJSON(was[name]) != normalJSON(is[name]) {
			o.value(name, was[name], is[name])
		}
	}
}

func membersByName(members []member) map[string]string {
	byName := make(map[string]string, len(members))
	for _, m := range members {
		byName[m.name] = m.value
	}
	return byName
}
