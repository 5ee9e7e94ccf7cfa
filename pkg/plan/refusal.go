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
		for _, a := range c.accesses {
			principal := a.principal()
			refusal, refused := world.Gateway.Recorded.Gateway.Refused[principal]
			switch {
			case refused && (refusal.NextTry.IsZero() || !said.principals[principal]):
				known[principal] = refusal
			case len(said.leftovers) > 0 && a.pinned() && !said.principals[principal] && WasAdmitted(world.Gateway.Recorded, principal):
				known[principal] = Refusal{Code: grant.CodeRecreated, Since: world.Now}
			}
		}
	}
	return known
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
