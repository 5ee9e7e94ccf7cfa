package plan

import (
	"maps"
	"slices"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// refusals is what stays known of principals that AWS would not take: those that
// some grant still asks for and that the policy does not name, or that are held.
// A role or user that was let in by identity, and of which the policy shows
// nothing but a unique id, was deleted: one of its name may be somebody else's.
func refusals(world World, claims []claim, said reading) map[string]Refusal {
	known := make(map[string]Refusal)
	for _, c := range claims {
		for _, a := range slices.Concat(c.barred, c.accesses) {
			principal := a.principal()
			refusal, refused := world.Gateway.Recorded.Gateway.Refused[principal]
			switch {
			case refused && (refusal.NextTry.IsZero() || !said.principals[principal]):
				known[principal] = refusal
			case len(said.leftovers) > 0 && a.pinned() && !said.principals[principal] && mayHaveBeenAdmitted(world.Gateway.Recorded, principal):
				known[principal] = Refusal{Code: grant.CodeRecreated, Since: world.Now}
			}
		}
	}
	return known
}

// mayHaveBeenAdmitted also counts whom a write was to let in whose end was not
// recorded: a unique id does not tell whose it was.
func mayHaveBeenAdmitted(recorded State, principal string) bool {
	return slices.Contains(recorded.Gateway.Selected[byIdentity], principal) || WasAdmitted(recorded, principal)
}

// byIdentity is the key in GatewayState.Selected of the roles and users that the
// policy names, as ARNs. No selector is written so.
const byIdentity = "by identity"

// pending are the roles and users that a write names which may still be under way.
func (w World) pending() []string {
	recorded := w.Gateway.Recorded.Gateway
	if !w.Now.Before(recorded.Recheck) {
		return nil
	}
	return recorded.Selected[byIdentity]
}

// pinned lists the roles and users among the accesses that are named by identity,
// and those given besides, sorted.
func pinned(accesses map[access]bool, besides []string) []string {
	list := slices.Clone(besides)
	for a := range accesses {
		if a.pinned() {
			list = append(list, a.principal())
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// WasAdmitted tells whether the principal is recorded as let in by identity or
// name on the gateway, as of the last run that recorded anything.
func WasAdmitted(recorded State, principal string) bool {
	for status := range maps.Values(recorded.Grants) {
		if slices.Contains(status.Admitted, principal) {
			return true
		}
	}
	return false
}
