package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

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
			case refused && refusal.Held():
				known[principal] = refusal
			case a.pinned() && !said.principals[principal] && mayHaveBeenAdmitted(world.Gateway.Recorded, principal, said.leftovers):
				known[principal] = Refusal{Code: grant.CodeRecreated, Since: world.Now}
			case refused && !said.principals[principal]:
				known[principal] = refusal
			}
		}
	}
	return known
}

// mayHaveBeenAdmitted also counts whom a write was to let in whose end was not
// recorded: a unique id does not tell whose it was. Only one that was found before
// somebody was named, by whoever named him, is not his.
func mayHaveBeenAdmitted(recorded State, principal string, leftovers []string) bool {
	named, unclear := WasAdmitted(recorded, principal), slices.Clone(leftovers)
	for key, announced := range recorded.Gateway.Selected {
		if strings.HasPrefix(key, byIdentity) && slices.Contains(announced, principal) {
			named = true
			unclear = slices.DeleteFunc(unclear, func(id string) bool { return slices.Contains(announced, id) })
		}
	}
	return named && len(unclear) > 0
}

// byIdentity begins the keys in GatewayState.Selected of the roles and users that
// a write names, as ARNs. No selector begins so.
const byIdentity = "by identity"

// announce adds the roles and users that the plan names by identity to what is
// recorded before its write. With them stand the unique ids that were found before
// it, which are none of theirs. Writes that found others are kept apart: such an id
// may well be that of somebody whom an earlier write named.
func announce(selected map[string][]string, admitted map[access]bool, leftovers []string) {
	named, found := pinned(admitted), slices.Clone(leftovers)
	for key, announced := range selected { // by those whose writes may still be under way
		if strings.HasPrefix(key, byIdentity) {
			found = append(found, slices.DeleteFunc(slices.Clone(announced), func(who string) bool { return !IsUniqueID(who) })...)
		}
	}
	ids := sortedSet(found)
	if len(named)+len(ids) == 0 {
		return
	}
	key := byIdentity
	if len(ids) > 0 {
		sum := sha256.Sum256([]byte(strings.Join(ids, " ")))
		key += " after " + hex.EncodeToString(sum[:8])
	}
	selected[key] = sortedSet(slices.Concat(selected[key], named, ids))
}

// pinned lists the roles and users among the accesses that are named by identity.
func pinned(accesses map[access]bool) []string {
	var list []string
	for a := range accesses {
		if a.pinned() {
			list = append(list, a.principal())
		}
	}
	return sortedSet(list)
}

// pending is what was announced of writes that may still be under way.
func (w World) pending() map[string][]string {
	all := make(map[string][]string)
	recorded := w.Gateway.Recorded.Gateway
	if !w.Now.Before(recorded.Recheck) {
		return all
	}
	for key, announced := range recorded.Selected {
		if strings.HasPrefix(key, byIdentity) {
			all[key] = announced
		}
	}
	return all
}

// letIn is the key in GatewayState.Selected of the roles and users that were seen
// let in by identity, as ARNs. It is there wherever anybody was let in at all.
const letIn = "let in by identity"

// Settled is Selected with whom the plan lets in by identity: what is to be
// recorded of a plan that was found applied.
func (p Plan) Settled() map[string][]string {
	if len(p.draft.verdict.admitted) == 0 {
		return p.Selected
	}
	settled := maps.Clone(p.Selected)
	settled[letIn] = pinned(p.draft.verdict.admitted)
	return settled
}

// WasAdmitted tells whether the role or user is recorded as let in by identity on
// the gateway, as of the last run that recorded anything.
func WasAdmitted(recorded State, principal string) bool {
	if settled, told := recorded.Gateway.Selected[letIn]; told {
		return slices.Contains(settled, principal)
	}
	for _, status := range recorded.Grants { // perhaps by name: nothing tells
		if slices.Contains(status.Admitted, principal) {
			return true
		}
	}
	return false
}

// Forgets tells whether the plan, once applied, wipes away what tells that a role
// or user was deleted: a unique id in the policy, or a hold that no grant asks for.
func (p Plan) Forgets(recorded State) bool {
	for principal, refusal := range recorded.Gateway.Refused {
		if _, kept := p.Refused[principal]; refusal.Held() && !kept {
			return true
		}
	}
	return len(p.draft.said.leftovers) > 0
}
