package plan

import (
	"cmp"
	"slices"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// byPrecedence orders accesses for admission: standing access first, which newer
// grants never evict, then what lets in a principal that is in now, but in another way,
// so that an edited grant waits behind none, then explicit ones before those of
// selectors, then by name, so that the same grants always leave out the same
// principals.
func byPrecedence(accesses map[Access]int64, standing map[Access]bool, claims []claim) []Access {
	explicit := make(map[Access]bool)
	for _, c := range claims {
		if !c.row.Grant.Principal.IsSelector() {
			for _, a := range c.accesses {
				explicit[a] = true
			}
		}
	}
	within := make(map[string][]policy.IAMARN) // who is in, by account
	for a := range standing {
		within[a.Who.Account] = append(within[a.Who.Account], a.Who)
	}
	rank := func(a Access) int {
		switch {
		case standing[a]:
			return 0
		case slices.ContainsFunc(within[a.Who.Account], func(who policy.IAMARN) bool { return overlap(who, a.Who) }):
			return 1
		case explicit[a]:
			return 2
		default:
			return 3
		}
	}
	ordered := make([]Access, 0, len(accesses))
	ranks := make(map[Access]int, len(accesses))
	for a := range accesses {
		ordered = append(ordered, a)
		ranks[a] = rank(a)
	}
	slices.SortFunc(ordered, func(a, b Access) int {
		return cmp.Or(cmp.Compare(ranks[a], ranks[b]), compareAccess(a, b))
	})
	return ordered
}

// overlap reports whether one of two principals of an account is within the other.
func overlap(a, b policy.IAMARN) bool {
	return a == b || covers(a, b) || covers(b, a)
}

func covers(wide, narrow policy.IAMARN) bool {
	return wide.IsRoot() || strings.ContainsAny(wide.Resource, "*?") && glob(wide.Resource, narrow.Resource)
}

func compareAccess(a, b Access) int {
	switch {
	case a.Who != b.Who:
		return compareARN(a.Who, b.Who)
	case a.ByName != b.ByName && b.ByName:
		return -1
	case a.ByName != b.ByName:
		return 1
	}
	return cmp.Or(
		cmp.Compare(a.Where.VPCE, b.Where.VPCE),
		cmp.Compare(a.Where.VPC, b.Where.VPC),
		cmp.Compare(a.Where.IP, b.Where.IP),
		cmp.Compare(a.Until, b.Until),
	)
}

// compareARN orders ARNs as they are written.
func compareARN(a, b policy.IAMARN) int {
	return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Account, b.Account), cmp.Compare(a.Resource, b.Resource))
}
