package simulation

import (
	"slices"
	"strings"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// Other deployments of the product: one with an installation id of its own, and one
// with the same id by mistake.
const siblingPrefix = "GatewayGrantsdev2X"

func isSiblings(s policy.Statement) bool { return strings.HasPrefix(s.Sid, siblingPrefix) }

// besideSibling reports whether a policy holds statements of the other installation.
func besideSibling(document *policy.Document) bool {
	_, foreign := split(document)
	return slices.ContainsFunc(foreign, isSiblings)
}

// actSibling is another installation that does not know that the gateway belongs to
// this one: it adds and removes statements of its own, reading first.
func (w *world) actSibling(times int) *actor {
	return act("another installation", func(pause func(string)) {
		for range times {
			pause("read")
			g := w.gateways[w.pick(2)]
			document := parse(w.text(g))
			owned, foreign := split(document)
			kept := append(slices.DeleteFunc(foreign, isSiblings), owned...)
			if w.oneIn(3) {
				pause("remove")
				if len(kept) == 0 {
					w.byHand(g, nil, "removes all of another installation")
				} else {
					w.byHand(g, document.WithStatements(kept...), "removes all of another installation")
				}
				continue
			}
			who := []string{[]string{agentA, agentB, agentA2}[w.pick(3)]}
			if w.oneIn(2) {
				who = append(who, rootOf([]string{accountB, accountC, stranger}[w.pick(3)]))
			}
			pause("add")
			w.byHand(g, document.WithStatements(append(kept, under(siblingPrefix+"0123456789ab", g, who...))...), "adds for another installation")
		}
	})
}

// actTwin is a deployment with the same installation id and grants of its own: it
// removes what it did not add.
func (w *world) actTwin(times int) *actor {
	who := rootOf([]string{accountC, joiner, stranger}[w.pick(3)])
	g := w.gateways[w.pick(2)]
	return act("a deployment of the same id", func(pause func(string)) {
		for range times {
			pause("read")
			document := parse(w.text(g))
			_, foreign := split(document)
			pause("write")
			w.byHand(g, document.WithStatements(append(foreign, under(ownPrefix+"0123456789ab", g, who))...), "makes it what other grants say")
		}
	})
}

func under(sid string, g *gateway, who ...string) policy.Statement {
	return policy.Statement{
		Sid: sid, Effect: policy.Allow, Principal: &policy.Principals{AWS: who},
		Action: []string{"bedrock-agentcore:InvokeGateway"}, Resource: []string{g.ARN()},
	}
}

// addsNothingBesideSibling is invariant 10: where the policy that the pass decided on
// holds statements of another installation, the pass adds no access.
func (n *run) addsNothingBesideSibling(owned *policy.Document) {
	if !besideSibling(n.basis) {
		return
	}
	stood := ways(ownedOnly(n.basis))
	for added := range ways(owned) {
		if !stood[added] {
			n.w.violate(10, "%s adds %+v beside another installation", n.name, added)
		}
	}
}

// backsOff is invariant 10, too: while the back-off lasts, a run does not put back what
// others keep changing. A run that writes what was last recorded as right, when it
// loaded the state, removes only what others added.
func (n *run) backsOff(owned *policy.Document) {
	state := n.state.Gateway
	backsOff := state.Overwritten >= 3 && n.w.now.Before(state.OverwrittenAt.Add(5*time.Minute))
	// A write whose outcome is not recorded may have added access, too, and so may a search.
	backsOff = backsOff && (state.PendingHash == "" || state.PendingHash == state.AppliedHash)
	if n.right == nil {
		return
	}
	written := allAccess(owned)
	if written != *n.right {
		n.gateway.wroteOther = true // it may have added access that must go again
	}
	if backsOff && !n.wroteOther && !n.gateway.wroteOther && n.refused == nil && written != allAccess(ownedOnly(n.basis)) {
		n.w.violate(10, "%s puts back what others have changed three times in a row", n.name)
	}
}

// allAccess is all access that the product's statements give, expiries included.
func allAccess(owned *policy.Document) string {
	all := accesses(owned)
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// seesRight notes what the product last recorded as right.
func (n *run) seesRight(failed bool) {
	if !failed && !n.stale {
		right := allAccess(ownedOnly(n.read))
		n.gateway.right, n.gateway.wroteOther = &right, false
	}
}
