package plan

import (
	"slices"

	"github.com/gateway-grants/gateway-grants/pkg/ledger"
)

// maxGuards bounds how many different expiry times a policy carries itself. Each
// costs up to a statement for every set of conditions; later expiries are ended
// by the sweep alone until they are among the soonest.
const maxGuards = 20

// fitter admits accesses one by one while there is room, keeping exact count of
// the size without printing the whole policy each time.
type fitter struct {
	compiler compiler
	room     room
	size     ledger.Size // as accounted
	written  int         // bytes as they are sent
	groups   map[group]*contents
}

// contents is what a statement holds so far.
type contents struct{ principals, names map[string]bool }

// newFitter starts from what must be in the policy in any case: its frame and
// the foreign statements.
func (p solver) newFitter(c compiler) *fitter {
	frame := p.base.WithStatements(p.foreign...)
	return &fitter{
		compiler: c,
		room:     c.room(p.base),
		size:     c.meter().measure(frame),
		written:  len(frame.Bytes()),
		groups:   make(map[group]*contents),
	}
}

// admit adds the access if there is room for it: a new one within the limits, a
// standing one also where the policy is larger than they allow, as long as it
// becomes no larger. The proof asks for the same.
func (f *fitter) admit(a Access, standing bool) bool {
	g, principal := f.compiler.group(a), f.compiler.principal(a)
	in, size, written := f.groups[g], f.size, f.written
	if in == nil {
		in = &contents{principals: map[string]bool{}, names: map[string]bool{}}
		alone := members{principals: []string{principal}}
		if g.ByName {
			alone.names = []string{f.compiler.name(g, a)}
		}
		first := f.compiler.statement(g, alone)
		if size.Statements > 0 {
			size.Bytes += len(",")
			written += len(",")
		}
		size.Bytes += len(first.Bytes()) + f.compiler.meter().expansion(first)
		written += len(first.Bytes())
		size.Statements++
	} else {
		added := growth(in.principals, principal)
		if g.ByName {
			added += growth(in.names, f.compiler.name(g, a))
		}
		size.Bytes += added
		written += added
		if !in.principals[principal] {
			size.Bytes += f.compiler.meter().expanded(principal)
		}
	}
	if !f.hasRoom(size, written, standing) {
		return false
	}
	f.groups[g], f.size, f.written = in, size, written
	in.principals[principal] = true
	if g.ByName {
		in.names[f.compiler.name(g, a)] = true
	}
	return true
}

func (f *fitter) hasRoom(size ledger.Size, written int, standing bool) bool {
	limits := f.compiler.limits
	if standing {
		return size.Bytes <= f.room.size.Bytes && size.Statements <= f.room.size.Statements && written <= f.room.written
	}
	return size.Bytes <= limits.MaxBytes && size.Statements <= limits.MaxStatements // and so is what is written, which is never larger
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

// fit chooses the accesses that the policy has room for, in the order given, and
// lets it carry the ends of those that expire soonest, as many as there is room for.
func (p solver) fit(wanted map[Access]int64, ordered []Access, standing map[Access]bool) []Access {
	if p.compiler.Kept != nil {
		return p.compiler.keptAccesses(ordered)
	}
	f := p.newFitter(p.compiler)
	admitted := make([]Access, 0, len(ordered))
	for _, a := range ordered {
		if f.admit(a, standing[a]) {
			admitted = append(admitted, a)
		}
	}
	for guards := soonest(admitted, wanted, maxGuards); ; guards = guards[:len(guards)-1] {
		guarded := withEnds(admitted, wanted, guards)
		if len(guards) == 0 || fits(p.newFitter(p.compiler), guarded) {
			return guarded
		}
	}
}

func fits(f *fitter, accesses []Access) bool {
	for _, a := range accesses {
		if !f.admit(a, false) {
			return false
		}
	}
	return true
}

// soonest lists the first distinct ends among the accesses, in order.
func soonest(accesses []Access, ends map[Access]int64, most int) []int64 {
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

// withEnds lets the accesses whose ends are among the guards carry them.
func withEnds(accesses []Access, ends map[Access]int64, guards []int64) []Access {
	guarded := make([]Access, len(accesses))
	for i, a := range accesses {
		if _, carried := slices.BinarySearch(guards, ends[a]); carried && ends[a] != 0 {
			a.Until = ends[a]
		}
		guarded[i] = a
	}
	return guarded
}
