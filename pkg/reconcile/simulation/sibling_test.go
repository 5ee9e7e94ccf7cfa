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

// besideSibling tells whether a policy holds statements of the other installation.
func besideSibling(document *policy.Document) bool {
	_, foreign := split(document)
	return slices.ContainsFunc(foreign, isSiblings)
}

// actSibling is another installation that has not been told that a gateway belongs to
// one: it adds and removes statements of its own, reading first.
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
// takes out what it did not put in.
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

// addsNothingBesideASibling is invariant 10: where the policy that the pass decided
// upon holds statements of another installation, nobody is let in who was not.
func (n *run) addsNothingBesideASibling(owned *policy.Document) {
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

// backsOff is invariant 10, too: what others keep changing is not put back again and
// again. A run that writes just what was last seen right, when it read the state, has
// nothing to take from anybody but what others added.
func (n *run) backsOff(owned *policy.Document) {
	state := n.state.Gateway
	backsOff := state.Overwritten >= 3 && n.w.now.Before(state.OverwrittenAt.Add(5*time.Minute))
	// A write whose end is not recorded, and a search most of all, may have let somebody in, too.
	backsOff = backsOff && (state.PendingHash == "" || state.PendingHash == state.AppliedHash)
	if n.right == nil {
		return
	}
	said := sayings(owned)
	if said != *n.right {
		n.gateway.wroteOther = true // it may have let somebody in who must go again
	}
	if backsOff && !n.wroteOther && !n.gateway.wroteOther && n.refused == nil && said != sayings(ownedOnly(n.basis)) {
		n.w.violate(10, "%s puts back what others have changed three times in a row", n.name)
	}
}

// sayings are all that the product's statements say, ends included.
func sayings(owned *policy.Document) string {
	all := accesses(owned)
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// seesRight notes what the product last recorded as right.
func (n *run) seesRight(failed bool) {
	if !failed && !n.stale {
		said := sayings(ownedOnly(n.read))
		n.gateway.right, n.gateway.wroteOther = &said, false
	}
}
