package plan

import (
	"fmt"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// NeedsTakeover reports whether the gateway's policy holds statements of the
// installation, although the state has no record of what was last seen right there or
// about to be written. Those of a renamed, a second or a restored deployment look so:
// what its table does not say may be granted by another one.
func NeedsTakeover(o Observed, installation string) bool {
	owned, _ := split(o.Policy, installation)
	return len(owned) > 0 && !o.wasWritten()
}

// wasWritten reports whether the deployment has a record of its writing the policy.
func (o Observed) wasWritten() bool {
	return o.Recorded.Gateway.AppliedHash != "" || o.Recorded.Gateway.PendingHash != ""
}

// awaitTakeover is the plan for a gateway that an admin has not let the deployment take
// over: it says what it would write, and writes nothing.
func (p *Plan) awaitTakeover(takeover string, standing map[Access]bool, d *draft) {
	wanted := p.Changes
	p.NotApplied = &Pending{Hash: p.Hash, Added: principals(wanted, Add), Removed: principals(wanted, Remove)}
	p.Drift, p.TakeoverOf = false, takeover
	p.withhold(&grant.Error{
		Code: grant.CodeTakeoverNeeded, Op: "put the resource policy",
		Hint: fmt.Sprintf("the policy holds statements of installation %s that this deployment has no record of, because it is new, renamed or restored, or another one has the same id; "+
			"nothing is written until `gateway-grants approve` lets it take the gateway over: %d to add, %d to remove (plan %s)",
			p.Problem.Limits.Installation, len(p.NotApplied.Added), len(p.NotApplied.Removed), p.Hash),
	}, "the gateway waits for `gateway-grants approve` to let this deployment take it over", standing, d)
	p.Changes = wanted
}
