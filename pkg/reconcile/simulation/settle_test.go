package simulation

import (
	"maps"
	"slices"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// maxRounds bounds how often the sweep may have to come back.
const maxRounds = 60

// settle ends all faults, runs sweeps until nothing is due, and checks what is left
// against the invariants.
func (w *world) settle(directoryStaysDown bool) {
	for _, g := range w.gateways {
		for len(g.late) > 0 {
			w.land(g)
		}
	}
	w.faults, w.wrongTable, w.requests = 0, false, nil
	w.log("every actor stops")
	w.approveAll()
	w.looksAgain()
	if w.skewed {
		w.revokesOnNewer()
		w.skewed = false // every function is of the newer version
	}
	if len(w.broken) > 0 {
		return
	}
	if directoryStaysDown && (w.directoryDown || w.unmarked) {
		w.approveAll() // what an approval showed may have changed since
		w.everyGateway()
		w.followDue(w.now.Add(10 * time.Minute))
		w.hasRevoked()
	}
	w.directoryDown, w.unmarked = false, false
	w.correctForeign()
	w.approveAll()
	w.everyGateway()
	w.followDue(w.now.Add(4 * time.Hour))
	for _, g := range w.gateways {
		if !g.stuck && len(w.broken) == 0 {
			w.isSettled(g, true)
			w.isUnaffected(g)
			w.staysQuiet(g)
			w.isTraced(g)
		}
	}
}

// looksAgain belongs to invariant 3: a write that no run has verified leaves its
// gateway due, so that a run repairs what it undid without a request.
func (w *world) looksAgain() {
	for _, g := range w.gateways {
		if g.unverified && w.state(g).Gateway.Due.IsZero() {
			w.violate(3, "no run has verified the last write on %s, and it is not due", g.name)
		}
	}
}

// everyGateway is the sweep over all managed gateways.
func (w *world) everyGateway() {
	for _, g := range w.gateways {
		w.finish(w.launch(request{g, "sweep: gateways"}))
	}
}

func (w *world) finish(n *run) {
	for w.isRunning(n) && len(w.broken) == 0 {
		w.advance(n)
	}
	w.requests = nil
}

// followDue lets the sweep follow the due times, until then or until nothing is
// due any more.
func (w *world) followDue(until time.Time) {
	for range maxRounds {
		next := time.Time{}
		for _, g := range w.gateways {
			if due := w.state(g).Gateway.Due; !g.stuck && !due.IsZero() && (next.IsZero() || due.Before(next)) {
				next = due
			}
		}
		if next.IsZero() || next.After(until) || len(w.broken) > 0 {
			return
		}
		if next.After(w.now) {
			w.now = next
		}
		w.effects++
		w.sweep()
		requests := w.requests
		w.requests = nil
		for _, r := range requests {
			w.finish(w.launch(r))
		}
	}
	w.violate(3, "the gateways are still due after %d rounds", maxRounds)
}

// hasRevoked is invariant 3: with the directory unreadable and unknown principals
// about, what was revoked and what has expired is out. Only a foreign statement
// that AWS refuses can be in the way.
func (w *world) hasRevoked() {
	for _, g := range w.gateways {
		if g.stuck || w.state(g).Gateway.LastError == reconcile.CodeBlockedByForeign {
			continue
		}
		rows := w.rows(g)
		backsOff := w.state(g).Gateway.LastError == grant.CodeOverwrittenByOther
		for i, allowed := range w.allowed(g) {
			v := visitors[i]
			if backsOff && !lets(g, g.genuine(ownedOnly(parse(w.text(g)))), v, w.now) {
				continue // another writer used the product's name, and the back-off still lasts
			}
			if allowed && !w.perhaps(g, rows, v) {
				w.violate(3, "%s is still let in on %s, by no grant", v, g.name)
			}
		}
	}
}

// perhaps reports whether some live grant may mean the visitor, whatever the
// organization is like.
func (w *world) perhaps(g *gateway, rows []grant.Row, v visitor) bool {
	for _, r := range rows {
		for _, given := range g.revisions(r) {
			if !given.Live(w.now) || !v.from(given.Conditions) {
				continue
			}
			if given.Principal.IsSelector() || within(given.Subject().ARN(partition), v.arn()) {
				return true
			}
		}
	}
	return false
}

// correctForeign has the foreign writer take out what AWS refuses.
func (w *world) correctForeign() {
	for _, g := range w.gateways {
		document := parse(w.text(g))
		owned, foreign := split(document)
		kept := foreign[:0:0]
		for _, s := range foreign {
			bad := false
			for _, who := range s.Principal.AWS {
				unknown := who != "*" && w.iam.ids[who] == "" && len(who) != len(owner)
				bad = bad || unknown || len(who) == len(owner) && w.iam.ids[rootOf(who)] == ""
			}
			if !bad {
				kept = append(kept, s)
			}
		}
		if len(kept) == len(foreign) {
			continue
		}
		known := owned[:0:0]
		for _, s := range owned { // the product's, too: AWS takes no part of a document
			if !w.refuses(s.Principal.AWS) {
				known = append(known, s)
			}
		}
		if len(kept)+len(known) == 0 {
			w.byHand(g, nil, "corrects its own")
		} else {
			w.byHand(g, document.WithStatements(append(kept, known...)...), "corrects its own")
		}
	}
	w.requests = nil
}

// refuses reports whether one of the principals is unknown to AWS.
func (w *world) refuses(principals []string) bool {
	for _, who := range principals {
		if len(who) == len(owner) {
			who = rootOf(who)
		}
		if w.iam.ids[who] == "" {
			return true
		}
	}
	return false
}

// doubtful reports whether the gateway's policy has more than one principal that AWS
// does not know: while no revocation waits, the search for several of them leaves out
// no principal with access.
func (w *world) doubtful(g *gateway) bool {
	unknown := map[string]bool{}
	for _, who := range principalsOf(ownedOnly(parse(w.text(g)))) {
		unknown[who] = w.refuses([]string{who})
	}
	maps.DeleteFunc(unknown, func(_ string, is bool) bool { return !is })
	return len(unknown) > 1
}

// failsInDoubt reports whether the gateway fails because of those. Where a foreign
// statement names a principal, AWS may reject that one instead.
func (w *world) failsInDoubt(g *gateway) bool {
	code := w.state(g).Gateway.LastError
	return w.doubtful(g) && (code == reconcile.CodePrincipalRejected || code == reconcile.CodeBlockedByForeign && foreignNamesPrincipal(parse(w.text(g))))
}

func foreignNamesPrincipal(document *policy.Document) bool {
	_, foreign := split(document)
	return slices.ContainsFunc(foreign, func(s policy.Statement) bool {
		return slices.ContainsFunc(s.Principal.AWS, func(who string) bool { return who != "*" })
	})
}

// belongsToSibling reports whether the gateway fails because another installation keeps
// its policy.
func (w *world) belongsToSibling(g *gateway) bool {
	return w.state(g).Gateway.LastError == grant.CodeOtherInstallation && besideSibling(parse(w.text(g)))
}

// isUnaffected is invariant 5: whatever else fails, for good even, a gateway with
// which nothing is wrong any more is well.
func (w *world) isUnaffected(g *gateway) {
	if state := w.state(g); state.Gateway.LastError != "" && !w.failsInDoubt(g) && !w.belongsToSibling(g) {
		w.violate(5, "%s fails for no reason of its own: %s", g.name, state.Gateway.LastMessage)
	}
}

// staysQuiet is invariant 6: once settled, another round writes nothing at all.
func (w *world) staysQuiet(g *gateway) {
	if w.failsInDoubt(g) { // it tries again
		return
	}
	attempts, records, notices, puts := g.attempts, g.records, g.notices, len(g.puts)
	w.finish(w.launch(request{g, "duplicate"}))
	if g.attempts != attempts || g.records != records || g.notices != notices || len(g.puts) != puts {
		w.violate(6, "%s is settled, and yet there are %d writes, %d records and %d notices",
			g.name, g.attempts-attempts, g.records-records, g.notices-notices)
	}
}

// isTraced is invariant 7: every write that took effect is in the journal, with its
// cause and its plan, unless its run had no chance to record it.
func (w *world) isTraced(g *gateway) {
	entries, err := w.states.History(ctx, g.Gateway, 1000)
	must(err)
	recorded := map[written]bool{}
	for _, e := range entries {
		if e.PlanHash != "" {
			recorded[written{text: e.Written, cause: e.Cause}] = true
		}
	}
	for _, put := range g.puts {
		if put.done && !put.excused && !recorded[written{text: put.text, cause: put.cause}] {
			w.violate(7, "a write on %s for %s is not in the journal: %s", g.name, put.cause, put.text)
			return
		}
	}
}
