package simulation

import (
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// The type bug is a mistake that the simulation must find, planted between the
// reconciler and what it calls, so that the reconciler behaves as if it made it.
type bug struct {
	name   string
	breaks int    // the invariant
	within uint64 // so many seeds
	plant  func(n *run, d *reconcile.Dependencies, limits *plan.Limits)
}

var bugs = []bug{
	{"one write pass only", 1, 6000, onePassOnly},
	{"a read of the grants that is not consistent", 1, 500, inconsistentRead},
	{"a partial read of the grants taken as whole", 2, 200, partialRead},
	{"a table without its sentinel taken as empty", 2, 500, sentinelIgnored},
	{"a directory that cannot be read taken as empty", 2, 500, directoryTakenAsEmpty},
	{"foreign statements overwritten", 4, 100, foreignOverwritten},
	{"no re-read before the write", 4, 500, noReread},
	{"standing access evicted by newer grants", 2, 500, standingEvicted},
	{"a quarantine that cuts a good principal", 2, 500, goodPrincipalCut},
	{"a re-created role let in again", 1, 6000, holdsForgotten},
	{"a hold that a mistaken row ends", 1, 6000, holdsEndedByMistake},
	{"a document refused for an unknown reason given up", 5, 500, refusedGivenUp},
	{"the mark of a write lost", 3, 500, markLost},
	{"a write in flight forgotten before its time", 3, 6000, inFlightForgotten},
	{"the state read before the policy", 2, 4000, stateReadFirst},
	{"statuses of rows that are gone", 1, 200, goneRowsKept},
	{"expired grants kept", 3, 500, expiredKept},
	{"the trusted list ignored", 9, 200, trustedIgnored},
	{"a directory without its mark taken for none", 9, 2000, directoryForgotten},
	{"a principal that is a wildcard", 8, 100, wildcardNamed},
	{"no journal", 7, 200, journalDropped},
	{"no journal of a write whose end is unknown", 7, 500, unansweredDropped},
	{"a notice in every round", 6, 100, chatter},
	{"gateways that share a failure", 5, 500, failureShared},
	{"an addition beside another installation", 10, 2000, siblingOverlooked},
	{"a sibling's unique id taken out", 4, 6000, siblingsIDTakenOut},
	{"a back-off that is ignored", 10, 6000, backOffIgnored},
	{"a proof failure that stops a run", 5, 500, unprovable},
	{"a takeover that is not approved", 10, 500, takeoverAssumed},
	{"a policy written in observe mode", 13, 500, observeIgnored},
	{"the record of a newer version taken for its own", 12, 2000, newerFormTaken},
	{"a deletion that an older version overlooks", 3, 2000, deletionOverlooked},
	{"an invalid row that revokes", 2, 2000, invalidRevokes},
	{"an invalid row that widens", 1, 2000, invalidWidens},
}

// tinyBugs are found where every schedule is played, the first of them surely
// only there.
var tinyBugs = []struct {
	in string // a tiny world
	bug
}{
	{"two runs of which one may crash, a mistaken row and a revocation", bug{"a record on top of what others recorded", 3, 0, recordedOverOthers}},
	{"two runs of which one may crash, a mistaken row and a revocation", bug{"the mark of a write lost", 3, 0, markLost}},
	{"a run that may crash, and a role re-created by another principal", bug{"a re-created role let in again", 1, 0, holdsForgotten}},
	{"a run, a revocation and a foreign statement", bug{"no re-read before the write", 4, 0, noReread}},
}

func TestPlantedBugsAreFoundInTinyWorlds(t *testing.T) {
	if testing.Short() {
		t.Skip("plays every schedule: run by make test, not with -short")
	}
	for _, b := range tinyBugs {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range tinies {
				if c.name != b.in {
					continue
				}
				if w, schedules := c.all(&b.bug); len(w.broken) > 0 {
					t.Logf("found after %d schedules: %v", schedules, w.broken[0])
					return
				}
			}
			t.Fatal("not found")
		})
	}
}

func TestEveryPlantedBugIsFound(t *testing.T) {
	for _, b := range bugs {
		t.Run(b.name, func(t *testing.T) {
			if testing.Short() && b.within > 500 {
				t.Skip("takes many schedules to find: run by make test, not with -short")
			}
			seed, found := search(1, b.within, &b)
			if !found {
				t.Fatalf("not found in %d schedules", b.within)
			}
			t.Logf("found by seed %d: %v", seed, simulate(seed, &b, false).broken[0])
		})
	}
}
