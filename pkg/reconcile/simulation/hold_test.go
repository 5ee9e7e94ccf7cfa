package simulation

import (
	"slices"

	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// What the product can know of deleted roles. The judge requires exactly that of it.

// decided is the read on which the run decides, 0 where that is unknown. The run does
// not know what happens later, even if it reads the same policy once more.
func (n *run) decided() int {
	if n.stale {
		return 0
	}
	return n.basisAt
}

// announces notes the principals that a write is going to name by identity.
func (n *run) announces(intent ledger.BeginWrite) {
	for _, announced := range intent.InFlight {
		for _, arn := range announced {
			first, known := n.gateway.announced[arn]
			if !known || n.decided() < first {
				n.gateway.announced[arn] = n.decided()
			}
		}
	}
}

// doubts notes the roles that may have left a unique id behind: a write was going to
// name the role, the policy does not, and the id was not there at the decision.
func (n *run) doubts(document *policy.Document) {
	principals := principalsOf(ownedOnly(document))
	for _, id := range principals {
		deleted, isDeleted := n.w.iam.deleted[id]
		if !isDeleted {
			continue
		}
		for arn, decided := range n.gateway.announced {
			if deleted >= decided && !slices.Contains(principals, arn) {
				n.gateway.unclear[arn] = true
			}
		}
	}
}

// traces are the deleted roles whose unique ids the policy shows, as far as a run has
// observed the deletion.
func (w *world) traces(g *gateway) []string {
	if len(g.gone) == 0 {
		return nil
	}
	return w.leftovers(parse(w.text(g)))
}

// wipe forgets deletions that a write has hidden: a run decided on the write before
// any run observed the deletion, and no run has recorded it. The write names the role
// that has the name when it takes effect, so nothing shows the deletion any more.
func (w *world) wipe(g *gateway, before []string, decided int) {
	for _, arn := range before {
		refusal, known := w.state(g).Gateway.Refused[arn]
		if held := known && refusal.Held(); !held && g.gone[arn] >= decided {
			delete(g.gone, arn)
		}
	}
}

// blames notes the principals that a run blames although IAM changed during its
// search, so that the search could not know.
func (n *run) blames() {
	if n.sought == 0 {
		return
	}
	for arn, refusal := range n.w.state(n.gateway).Gateway.Refused {
		if refusal.Tries > 0 {
			n.gateway.mistaken[arn] = n.w.iam.changes+1 != n.sought
		}
	}
}
