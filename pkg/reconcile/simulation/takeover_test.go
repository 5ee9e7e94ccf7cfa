package simulation

import (
	"context"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// inherit has the policies hold statements of the installation's id before the product
// has recorded anything, as after a rename, a restore, or beside a deployment of the
// same id.
func (w *world) inherit() {
	for _, g := range w.gateways {
		w.byHand(g, &policy.Document{Version: "2012-10-17", Statements: []policy.Statement{under(ownPrefix+"0123456789ab", g, rootOf(accountC))}}, "was of an earlier deployment")
		g.inherited = true
	}
}

// actApprover is an admin who lets the product take gateways over.
func (w *world) actApprover(times int) *actor {
	return act("the admin who approves takeovers", func(pause func(string)) {
		for range times {
			pause("approve")
			w.approve(w.gateways[w.pick(2)])
		}
	})
}

// approve approves what the last run has shown.
func (w *world) approve(g *gateway) {
	if g.takeover == "" {
		return
	}
	found := grant.TakeoverOf(g.Gateway, g.takeover)
	g.approved = grant.Approvals{found.Subject: {Found: found.Found, At: w.now}}
	g.inherited = false
	w.log("admin: approves the takeover of %s", g.name)
	w.ask(g, "takeover approved")
}

// approveAll lets the product take over whatever waits for it. What the product wrote
// itself never does: a write is recorded before it is made.
func (w *world) approveAll() {
	for _, g := range w.gateways {
		if !plan.NeedsTakeover(plan.Observed{Policy: parse(w.text(g)), Recorded: w.state(g)}, w.limits.Installation) {
			continue
		}
		if len(g.puts) > 0 {
			w.violate(3, "%s waits for a takeover although the product has written to it", g.name)
		}
		w.finish(w.launch(request{g, "plan"}))
		w.approve(g)
	}
	w.requests = nil
}

// Approvals returns what an admin approved for the gateway. A simulated fault is an error.
func (n *run) Approvals(context.Context, grant.Gateway) (approved grant.Approvals, err error) {
	err = n.call("Approvals", readFaults, func(f fault) error {
		if f != none {
			return f.failure("read what admins approved")
		}
		approved = n.gateway.approved
		return nil
	})
	return approved, err
}

// waitsForApproval is invariant 10: what another deployment has left is not written
// before an admin approves.
func (n *run) waitsForApproval() {
	if ownedOnly(n.basis) == nil {
		n.gateway.inherited = false // others have taken it out
	}
	if n.gateway.inherited {
		n.w.violate(10, "%s writes to a gateway that it was not let take over", n.name)
	}
}

// seesNothingInherited notes that a run has recorded a policy from which others had
// taken out what another deployment left: what comes into it later is a change.
func (n *run) seesNothingInherited() {
	if n.known != nil && ownedOnly(n.basis) == nil {
		n.gateway.inherited = false
	}
}

// takeoverAssumed takes over whatever it finds.
func takeoverAssumed(_ *run, d *reconcile.Dependencies, _ *plan.Limits) {
	d.States = statesAs{States: d.States, load: func(state ledger.State) ledger.State {
		if state.Gateway.AppliedHash == "" {
			state.Gateway.AppliedHash = "none"
		}
		return state
	}}
}
