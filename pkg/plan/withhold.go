package plan

import (
	"fmt"
	"maps"
	"slices"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// withhold keeps the plan from being written, for the reason. What stands counts as
// admitted. What a grant asks for besides is left out, as the reason's code, with the
// hint given.
func (p *Plan) withhold(reason *grant.Error, hint string, standing map[Access]bool, d *draft) {
	v := &d.verdict
	v.withheld, v.planned = &grant.Error{Code: reason.Code, Hint: hint}, v.admitted
	v.admitted = maps.Clone(v.admitted)
	maps.DeleteFunc(v.admitted, func(a Access, _ bool) bool { return !standing[a] })
	p.Write, p.Blocked = false, reason
	p.Changes = changes(d.claims, standing, *v, d.observed)
}

// holdBack withholds the plan where something keeps it from being written now: a
// takeover that no admin has approved, observe mode, or others who keep overwriting.
func (p *Plan) holdBack(world World, limits Limits, standing map[Access]bool, d *draft) {
	recorded := world.Gateway.Recorded.Gateway
	until := recorded.BackOffUntil()
	// An approval is of what was shown: these statements, and what the rows make of them.
	takeover := hash(d.observed.accesses, d.observed.strange) + "-" + p.Hash
	switch {
	case world.Takeover && !world.Approvals.Approve(grant.TakeoverOf(world.Gateway.Gateway, takeover), world.Now):
		p.awaitTakeover(takeover, standing, d)
	case limits.Observe && p.Write:
		p.observeOnly(standing, d)
	case p.Drift && world.Now.Before(until) && (!p.Revokes() || p.repeats(recorded)):
		p.putOff(until, standing, d)
	default:
		return
	}
	// Of what is not written, no unique id that turns up later can be the trace.
	p.InFlight = inFlight(world, d.verdict.admitted, d.observed.leftovers)
	p.Pinned = sortedSet(slices.Concat(pinned(d.observed.accesses), deleted(world.Gateway.Recorded, d.observed)))
}

// observeOnly is the plan of a deployment in observe mode: it says what it would
// write, and writes nothing.
func (p *Plan) observeOnly(standing map[Access]bool, d *draft) {
	wanted := p.Changes
	p.NotApplied = &Pending{Hash: p.Hash, Added: principals(wanted, Add), Removed: principals(wanted, Remove)}
	p.withhold(&grant.Error{
		Code: grant.CodeObserved, Op: "put the resource policy",
		Hint: fmt.Sprintf("observe: not applied: %d to add, %d to remove (plan %s); deploy with Mode=enforce to have policies written",
			len(p.NotApplied.Added), len(p.NotApplied.Removed), p.Hash),
	}, "observe: not applied", standing, d)
	p.Changes = wanted
}
