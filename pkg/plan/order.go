package plan

import (
	"cmp"
	"slices"
	"strings"
)

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
