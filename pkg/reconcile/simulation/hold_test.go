package simulation

import (
	"slices"

	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// What may be known of roles that were deleted: the judge holds the product to
// that, and no hold of the product's to less.

// decided is as of which read the run decides, 0 where it cannot be told: what comes
// later it does not know, even if it reads the same policy once more.
func (n *run) decided() int {
	if n.stale {
		return 0
	}
	return n.basisAt
}

// announces notes whom a write is to name by identity, before it does.
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

// doubts notes who may be the deleted role that a unique id was left behind by:
// a write was to name it, and the policy does not, and when that was decided the
// id was not there.
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

// traces are the deleted roles that the policy shows unique ids of, as far as
// anybody has seen them gone.
func (w *world) traces(g *gateway) []string {
	if len(g.gone) == 0 {
		return nil
	}
	return w.leftovers(parse(w.text(g)))
}

// wipe forgets of roles that they are gone where a write took effect that was
// decided upon before anybody saw them gone, and nobody has recorded it: it names
// whoever has the name when it takes effect, and nothing tells it any more.
func (w *world) wipe(g *gateway, before []string, decided int) {
	for _, arn := range before {
		refusal, known := w.state(g).Gateway.Refused[arn]
		if held := known && refusal.Held(); !held && g.gone[arn] >= decided {
			delete(g.gone, arn)
		}
	}
}

// blames notes whom a run blames although IAM changed while it sought who is bad:
// nobody could tell.
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
