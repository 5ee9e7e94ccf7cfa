package plan

import (
	"cmp"
	"slices"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// maxGuards bounds how many different expiry times a policy carries itself. Each
// costs up to a statement for every set of conditions; later expiries are ended
// by the sweep alone until they are among the soonest.
const maxGuards = 20

// fitter admits accesses one by one while AWS's limits allow, keeping exact
// count of the size without printing the policy anew each time.
type fitter struct {
	compiler compiler
	size     Size // as accounted
	written  int  // bytes as they would be sent
	groups   map[group]*contents
}

// contents is what a statement holds so far.
type contents struct{ principals, names map[string]bool }

// newFitter starts from what must be in the policy in any case: its frame and
// the foreign statements.
func newFitter(c compiler, base *policy.Document, foreign []policy.Statement) *fitter {
	frame := base.WithStatements(foreign...)
	return &fitter{
		compiler: c,
		size:     measure(frame, c.limits.Accounting),
		written:  len(frame.Bytes()),
		groups:   make(map[group]*contents),
	}
}

// admit adds the access if the policy stays within the limits: a new one by its
// accounted size, a standing one as long as AWS can take the document at all.
func (f *fitter) admit(a access, standing bool) bool {
	g, principal := f.compiler.layout.group(a), f.compiler.principal(a)
	in, size, written := f.groups[g], f.size, f.written
	if in == nil {
		in = &contents{principals: map[string]bool{}, names: map[string]bool{}}
		alone := members{principals: []string{principal}}
		if g.named {
			alone.names = []string{f.compiler.name(g, a)}
		}
		first := f.compiler.statement(g, alone)
		if size.Statements > 0 {
			size.Bytes += len(",")
			written += len(",")
		}
		size.Bytes += len(first.Bytes()) + expansion(first, f.compiler.limits.Accounting)
		written += len(first.Bytes())
		size.Statements++
	} else {
		added := growth(in.principals, principal)
		if g.named {
			added += growth(in.names, f.compiler.name(g, a))
		}
		size.Bytes += added
		written += added
		if !in.principals[principal] {
			size.Bytes += expanded(principal, f.compiler.limits.Accounting)
		}
	}
	limits := f.compiler.limits
	if size.Statements > limits.MaxStatements || written > limits.MaxBytes || !standing && size.Bytes > limits.MaxBytes {
		return false
	}
	f.groups[g], f.size, f.written = in, size, written
	in.principals[principal] = true
	if g.named {
		in.names[f.compiler.name(g, a)] = true
	}
	return true
}

// growth is by how many bytes a value lengthens a list that prints as a scalar
// while it has one value. ARNs need no escapes.
func growth(list map[string]bool, value string) int {
	switch {
	case list[value]:
		return 0
	case len(list) == 1:
		return len(`["",]`) + len(value)
	default:
		return len(`"",`) + len(value)
	}
}

// measure is the size of a document under an accounting.
func measure(document *policy.Document, accounting Accounting) Size {
	size := Size{Bytes: len(document.Bytes()), Statements: len(document.Statements)}
	for _, s := range document.Statements {
		size.Bytes += expansion(s, accounting)
	}
	return size
}

// expansion is what a statement gains where AWS expands the account ids among
// its principals to root ARNs before it measures.
func expansion(s policy.Statement, accounting Accounting) int {
	total := 0
	for _, principals := range []*policy.Principals{s.Principal, s.NotPrincipal} {
		if principals != nil {
			for _, written := range principals.AWS {
				total += expanded(written, accounting)
			}
		}
	}
	return total
}

func expanded(principal string, accounting Accounting) int {
	if accounting == SubmittedSize || !isAccountID(principal) {
		return 0
	}
	return len("arn:aws:iam::") + len(":root")
}

// byPrecedence orders accesses for admission: standing access first, which newer
// grants never evict, then what lets in somebody who is in now, but in another way,
// so that an edited grant waits behind none, then explicit ones before those of
// selectors, then by name, so that the same grants always leave out the same
// principals.
func byPrecedence(accesses map[access]int64, standing map[access]bool, claims []claim) []access {
	explicit := make(map[access]bool)
	for _, c := range claims {
		if !c.row.Grant.Principal.IsSelector() {
			for _, a := range c.accesses {
				explicit[a] = true
			}
		}
	}
	within := make(map[string][]string) // who is in, by account
	for a := range standing {
		parsed, _ := splitARN(a.who)
		within[parsed.account] = append(within[parsed.account], a.who)
	}
	rank := func(a access) int {
		parsed, _ := splitARN(a.who)
		switch {
		case standing[a]:
			return 0
		case slices.ContainsFunc(within[parsed.account], func(who string) bool { return overlap(who, a.who) }):
			return 1
		case explicit[a]:
			return 2
		default:
			return 3
		}
	}
	ordered := make([]access, 0, len(accesses))
	ranks := make(map[access]int, len(accesses))
	for a := range accesses {
		ordered = append(ordered, a)
		ranks[a] = rank(a)
	}
	slices.SortFunc(ordered, func(a, b access) int {
		return cmp.Or(cmp.Compare(ranks[a], ranks[b]), compareAccess(a, b))
	})
	return ordered
}

// overlap tells whether one of two principals of an account is within the other.
func overlap(a, b string) bool {
	return a == b || covers(a, b) || covers(b, a)
}

func covers(wide, narrow string) bool {
	return strings.HasSuffix(wide, ":root") || strings.ContainsAny(wide, "*?") && glob(wide, narrow)
}

func compareAccess(a, b access) int {
	switch {
	case a.who != b.who:
		return strings.Compare(a.who, b.who)
	case a.named != b.named && b.named:
		return -1
	case a.named != b.named:
		return 1
	}
	return cmp.Or(
		cmp.Compare(a.where.vpce, b.where.vpce),
		cmp.Compare(a.where.vpc, b.where.vpc),
		cmp.Compare(a.where.ip, b.where.ip),
		cmp.Compare(a.until, b.until),
	)
}

// suited chooses how to write the policy so that all standing access still fits:
// which roles share a statement, and whether accounts are written as ids. What
// is best for all that is wanted comes first; what stands now is a way that AWS
// has taken already. Ids come last where they count as root ARNs, because AWS
// may then refuse what is written so.
func (c compiler) suited(wanted map[access]int64, said reading, base *policy.Document, foreign []policy.Statement) compiler {
	forms := []bool{false, true}
	if c.limits.Accounting == SubmittedSize {
		forms = forms[1:]
	}
	best := layoutOf(wanted)
	for _, c.short = range forms {
		for _, c.layout = range []layout{best, said.shared} {
			if c.holds(wanted, said, base, foreign) {
				return c
			}
		}
	}
	c.layout = best
	return c
}

// holds tells whether the standing part of what is wanted fits as it is written.
func (c compiler) holds(wanted map[access]int64, said reading, base *policy.Document, foreign []policy.Statement) bool {
	f := newFitter(c, base, foreign)
	for a := range said.accesses {
		if _, still := wanted[a.lasting()]; still && !f.admit(a.lasting(), true) {
			return false
		}
	}
	return true
}

// fit chooses the accesses that the policy has room for, and lets it carry the
// ends of those that expire soonest, as many as there is room for.
func fit(c compiler, base *policy.Document, foreign []policy.Statement, wanted map[access]int64, ordered []access, standing map[access]bool) map[access]bool {
	f := newFitter(c, base, foreign)
	admitted := make([]access, 0, len(ordered))
	for _, a := range ordered {
		if f.admit(a, standing[a]) {
			admitted = append(admitted, a)
		}
	}
	for guards := soonest(admitted, wanted, maxGuards); ; guards = guards[:len(guards)-1] {
		guarded := withEnds(admitted, wanted, guards)
		if len(guards) == 0 || fits(newFitter(c, base, foreign), guarded) {
			return guarded
		}
	}
}

func fits(f *fitter, accesses map[access]bool) bool {
	for a := range accesses {
		if !f.admit(a, false) {
			return false
		}
	}
	return true
}

// soonest lists the first distinct ends among the accesses, in order.
func soonest(accesses []access, ends map[access]int64, most int) []int64 {
	var times []int64
	for _, a := range accesses {
		if end := ends[a]; end != 0 {
			times = append(times, end)
		}
	}
	slices.Sort(times)
	times = slices.Compact(times)
	return times[:min(len(times), most)]
}

func withEnds(accesses []access, ends map[access]int64, guards []int64) map[access]bool {
	guarded := make(map[access]bool, len(accesses))
	for _, a := range accesses {
		if _, carried := slices.BinarySearch(guards, ends[a]); carried && ends[a] != 0 {
			a.until = ends[a]
		}
		guarded[a] = true
	}
	return guarded
}
