package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Change says what became of what a Difference is about.
type Change string

// The changes.
const (
	Added   Change = "+"
	Removed Change = "-"
	Changed Change = "~"
)

// Difference is one thing in which two documents differ in meaning.
type Difference struct {
	Change Change

	// Statement names the statement: its Sid or, if it has none, its place in
	// its document, such as #2. Empty for what is outside of statements.
	Statement string

	// Element is what differs, such as Principal.AWS or
	// Condition.IpAddress.aws:SourceIp. Empty for a whole statement or document.
	Element string

	// Before is what was removed or changed, After what was added or what it was
	// changed to: one value of a list, or a summary of a statement.
	Before, After string
}

// String is the difference on one line, such as
//
//   - statement GatewayGrants1: Principal.AWS arn:aws:iam::444455556666:root
func (d Difference) String() string {
	var line strings.Builder
	line.WriteString(string(d.Change))
	if d.Statement != "" {
		line.WriteString(" statement " + d.Statement + ":")
	}
	if d.Element != "" {
		line.WriteString(" " + d.Element)
	}
	switch d.Change {
	case Changed:
		line.WriteString(" " + d.Before + " becomes " + d.After)
	default:
		line.WriteString(" " + d.Before + d.After)
	}
	return line.String()
}

// Diff says what is to be done to a to mean what b means. It is empty exactly
// if they are Equal. Values are spelled as in the document that has them.
func Diff(a, b *Document) []Difference {
	if Equal(a, b) {
		return nil
	}
	var out differences
	switch {
	case a == nil:
		out.add(Difference{Change: Added, After: "policy with " + count(len(b.Statements), "statement")})
		a = &Document{Version: b.Version, ID: b.ID, unknown: b.unknown}
	case b == nil:
		out.add(Difference{Change: Removed, Before: "policy with " + count(len(a.Statements), "statement")})
		b = &Document{Version: a.Version, ID: a.ID, unknown: a.unknown}
	}
	out.value("Version", normalise(a).version, normalise(b).version)
	out.value("Id", a.ID, b.ID)
	out.unknown(a.unknown, b.unknown)
	for _, p := range pairStatements(a, b) {
		out.pair(a, b, p)
	}
	return out.list
}

// pair is a statement of each document, by index, that are the same one before
// and after; -1 where there is none.
type pair struct{ a, b int }

// pairStatements leaves out the statements that are equal, and takes those with
// the same Sid, or else alike in most of their elements, for the same one.
func pairStatements(a, b *Document) []pair {
	left := make(map[string][]int) // statements of a by key
	for i := range a.Statements {
		key := a.Statements[i].key()
		left[key] = append(left[key], i)
	}
	var onlyB []int
	for j := range b.Statements {
		key := b.Statements[j].key()
		if same := left[key]; len(same) > 0 {
			left[key] = same[1:]
			continue
		}
		onlyB = append(onlyB, j)
	}
	var onlyA []int
	for _, rest := range left {
		onlyA = append(onlyA, rest...)
	}
	slices.Sort(onlyA)

	var pairs []pair
	for _, alike := range [...]func(x, y *Statement) bool{sameSid, mostlyAlike} {
		onlyA = slices.DeleteFunc(onlyA, func(i int) bool {
			at := slices.IndexFunc(onlyB, func(j int) bool { return alike(&a.Statements[i], &b.Statements[j]) })
			if at < 0 {
				return false
			}
			pairs = append(pairs, pair{i, onlyB[at]})
			onlyB = slices.Delete(onlyB, at, at+1)
			return true
		})
	}
	for _, i := range onlyA {
		pairs = append(pairs, pair{i, -1})
	}
	slices.SortFunc(pairs, func(x, y pair) int { return x.a - y.a })
	for _, j := range onlyB {
		pairs = append(pairs, pair{-1, j})
	}
	return pairs
}

func sameSid(x, y *Statement) bool { return x.Sid != "" && x.Sid == y.Sid }

// mostlyAlike reports whether at most two of the five elements other than Sid
// differ.
func mostlyAlike(x, y *Statement) bool {
	alike := 0
	a, b := *x, *y
	a.Sid, b.Sid = "", ""
	for _, only := range [...]func(s Statement) Statement{
		func(s Statement) Statement { return Statement{Effect: s.Effect} },
		func(s Statement) Statement { return Statement{Principal: s.Principal, NotPrincipal: s.NotPrincipal} },
		func(s Statement) Statement { return Statement{Action: s.Action, NotAction: s.NotAction} },
		func(s Statement) Statement { return Statement{Resource: s.Resource, NotResource: s.NotResource} },
		func(s Statement) Statement { return Statement{Condition: s.Condition} },
	} {
		if only(a).Equal(only(b)) {
			alike++
		}
	}
	return alike >= 3
}

// label names the i-th statement of d.
func label(d *Document, i int) string {
	if sid := d.Statements[i].Sid; sid != "" {
		return sid
	}
	return "#" + strconv.Itoa(i+1)
}

// summary is a statement in a few words.
func summary(s *Statement) string {
	words := []string{string(s.Effect)}
	add := func(prefix, noun string, values []string) {
		if values == nil {
			return
		}
		what := strings.Join(values, ", ")
		if len(values) > 3 {
			what = count(len(values), noun)
		}
		words = append(words, prefix+what)
	}
	add("", "action", s.Action)
	add("all but ", "action", s.NotAction)
	add("on ", "resource", s.Resource)
	add("on all but ", "resource", s.NotResource)
	add("for ", "principal", s.Principal.all())
	add("for all but ", "principal", s.NotPrincipal.all())
	if len(s.Condition) > 0 {
		words = append(words, "under conditions")
	}
	return strings.Join(words, " ")
}

// all lists the principals of every kind; nil if there is no such element.
func (w *Principals) all() []string {
	if w == nil {
		return nil
	}
	all := []string{}
	if w.Everyone {
		all = append(all, everything)
	}
	for _, kind := range w.kinds() {
		all = append(all, kind.values...)
	}
	return all
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
