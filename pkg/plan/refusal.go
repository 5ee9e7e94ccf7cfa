package plan

import (
	"maps"
	"slices"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
)

// refusals is what stays known of principals that AWS would not take: those that
// some grant still asks for and that the policy does not name, or that are held.
// A role or user that was let in by identity, and of which the policy shows
// nothing but a unique id, was deleted: one of its name may belong to another owner.
func refusals(world World, claims []claim, owned observation) map[string]ledger.Refusal {
	recorded, known := world.Gateway.Recorded.Gateway, make(map[string]ledger.Refusal)
	for _, c := range claims {
		for _, a := range slices.Concat(c.barred, c.accesses) {
			principal := a.principal()
			if refusal, refused := recorded.Refused[principal]; refused && !owned.principals[principal] {
				known[principal] = refusal
			}
		}
	}
	asked := world.askedFor()
	for _, principal := range deleted(world.Gateway.Recorded, owned) {
		if asked(principal) {
			known[principal] = ledger.Refusal{Code: grant.CodeRecreated, Since: world.Now}
		}
	}
	for principal, refusal := range recorded.Refused {
		switch {
		case !refusal.Held() || !asked(principal):
		case world.Approvals.Approve(grant.RecreatedOf(world.Gateway.Gateway, principal, refusal.Since), world.Now):
			delete(known, principal)
		default:
			known[principal] = refusal
		}
	}
	return known
}

// deleted lists the roles and users that were let in by identity and that a unique id in
// the policy may be the trace of.
func deleted(recorded ledger.State, owned observation) (principals []string) {
	for _, principal := range slices.Concat(append(slices.Collect(maps.Values(recorded.Gateway.InFlight)), recorded.Gateway.Pinned)...) {
		if !owned.principals[principal] && mayHaveBeenAdmitted(recorded, principal, owned.leftovers) {
			principals = append(principals, principal)
		}
	}
	return principals
}

// HoldsAny reports whether a principal is recorded as held on the gateway.
func HoldsAny(recorded ledger.State) bool {
	for _, refusal := range recorded.Gateway.Refused {
		if refusal.Held() {
			return true
		}
	}
	return false
}

// askedFor reports whether a row names a role or user, live or not. Where a row cannot be
// understood, every principal counts as named: a mistake in a row, an expiry that is put
// off, or a while by name must not give a role that was created again the access of the
// one that was deleted.
func (w World) askedFor() func(principal string) bool {
	named, everyone := make(map[string]bool), false
	for _, row := range w.Rows {
		if row.Fault != nil {
			everyone = true
		} else if subject := row.Grant.Subject(); subject.IsExact() {
			named[subject.ARN(w.Gateway.Gateway.Partition())] = true
		}
	}
	return func(principal string) bool { return everyone || named[principal] }
}

// mayHaveBeenAdmitted also counts the principals that a write was to let in whose end
// was not recorded: a unique id does not say whose it was. Only an id that was found
// before a principal was named, by every write that names it, is not that principal's.
func mayHaveBeenAdmitted(recorded ledger.State, principal string, leftovers []string) bool {
	named, unclear := WasAdmitted(recorded, principal), slices.Clone(leftovers)
	for found, principals := range recorded.Gateway.InFlight {
		if slices.Contains(principals, principal) {
			named = true
			before := strings.Fields(found)
			unclear = slices.DeleteFunc(unclear, func(id string) bool { return slices.Contains(before, id) })
		}
	}
	return named && len(unclear) > 0
}

// mostInFlight bounds what is kept apart on a gateway that is written to
// without a pause. Beyond it, any unique id may belong to any of the principals, which
// lets in fewer.
const mostInFlight = 16

// inFlight is what is recorded of writes in flight, and the principals that a write of
// the plan names by identity. Writes before which other unique ids were found are kept
// apart: such an id may well be that of a principal that an earlier write named.
//
// One set of principals is not enough, even if no role is added while an id stands. Run A
// reads the policy with an id. Run B takes the id out and adds a role. Run A then loads that
// the role is in flight, does not find it in the policy that it read, and takes the id for
// the role's: it holds the role and removes its access. The loop reads the policy again before
// it holds a role, which is not enough, because AWS may return the older policy twice.
func inFlight(world World, admitted map[Access]bool, leftovers []string) map[string][]string {
	recorded, all := world.Gateway.Recorded.Gateway, make(map[string][]string)
	if world.Now.Before(recorded.InFlightUntil) {
		maps.Copy(all, recorded.InFlight)
	}
	found := slices.Clone(leftovers)
	for before := range all {
		found = append(found, strings.Fields(before)...)
	}
	ids, principals := sortedSet(found), pinned(admitted)
	if len(principals)+len(ids) == 0 {
		return all
	}
	if len(all) >= mostInFlight {
		all, ids = map[string][]string{"": sortedSet(slices.Concat(slices.Collect(maps.Values(all))...))}, sortedSet(leftovers)
	}
	key := strings.Join(ids, " ")
	all[key] = sortedSet(slices.Concat(all[key], principals))
	return all
}

// pinned lists the roles and users among the accesses that are named by identity.
func pinned(accesses map[Access]bool) []string {
	var list []string
	for a := range accesses {
		if a.pinned() {
			list = append(list, a.principal())
		}
	}
	return sortedSet(list)
}

// WasAdmitted reports whether the role or user is recorded as let in by identity on
// the gateway, as of the last run that recorded anything.
func WasAdmitted(recorded ledger.State, principal string) bool {
	return slices.Contains(recorded.Gateway.Pinned, principal)
}
