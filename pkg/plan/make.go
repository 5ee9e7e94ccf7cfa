package plan

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// Make decides what the gateway's policy should be. What it cannot prove is left
// out, as CodeProofFailed. It fails with that code only if not even the statements
// of others, without ours, can be proved to stay as they are.
func Make(world World, limits Limits) (Plan, error) { return makeWith(prove, world, limits) }

func makeWith(prove prover, world World, limits Limits) (Plan, error) {
	owned, foreign := split(world.Gateway.Policy, limits.Installation)
	said := decompile(owned, world.Gateway.Gateway.ARN(), world.Gateway.Gateway.Partition())
	if blocked := unfit(world.Gateway, limits); blocked != nil {
		return leaveAlone(world, limits, blocked, said), nil
	}

	if world.Gateway.Recorded.Gateway.Expands {
		limits.Accounting = ExpandedSize
	}
	standing, recorded := lasting(said.accesses), world.Gateway.Recorded
	r := &resolver{world: world, limits: limits, stated: said.accesses, standing: standing, selected: map[string][]string{}}
	claims := r.claims()
	refused := refusals(world, claims, said)
	wanted := ends(claims)
	maps.DeleteFunc(wanted, func(a access, _ int64) bool {
		refusal, known := refused[a.principal()]
		return known && refusal.holds(world.Now)
	})
	others := siblings(foreign)
	addNothing(wanted, standing, others)
	problem := problem{
		compiler: compiler{
			resource:  world.Gateway.Gateway.ARN(),
			partition: world.Gateway.Gateway.Partition(),
			limits:    limits,
		},
		base: world.Gateway.Policy, foreign: foreign, prove: prove,
	}
	problem.compiler = problem.chooseEncoding(wanted, said)
	solved, err := problem.solve(problem.fit(wanted, byPrecedence(wanted, standing, claims), standing))
	if err != nil {
		return Plan{}, err
	}
	d := draft{world: world, problem: problem, admitted: setOf(solved.admitted), claims: claims, said: said}
	d.verdict = verdict{admitted: lasting(d.admitted), unproved: solved.unproved, refused: refused, siblings: others, now: world.Now}

	want := problem.unlessRespelled(solved.document, said)
	plan := Plan{
		Want:    want,
		Write:   !policy.Equal(want, world.Gateway.Policy),
		Hash:    hash(d.admitted, nil),
		Size:    problem.compiler.meter().measure(want),
		Refused: refused,
		Due:     nextDue(claims, refused, world.Now),
		Foreknown: Foreknown{
			Selected:     r.selected,
			Announced:    announced(world, d.admitted, said.leftovers),
			HadDirectory: world.Accounts.Availability() == directory.Known || recorded.Gateway.HadDirectory,
		},
		draft: d,
	}
	plan.Drift = plan.Write && len(said.leftovers) == 0 && drifted(hash(said.accesses, said.strange), recorded.Gateway)
	plan.Changes = changes(claims, standing, d.verdict, said)
	plan.Waits = waiting(plan.Changes)
	if until := recorded.Gateway.ContestedUntil(); plan.Drift && world.Now.Before(until) && (!plan.Revokes() || plan.repeats(recorded.Gateway)) {
		plan.putOff(until, standing)
	}
	plan.Pinned = pinned(plan.draft.verdict.admitted)
	plan.Outside, plan.draft.verdict.stops = outside(plan.inForce(world), problem.compiler, plan.draft.verdict.admitted)
	plan.Status = statuses(world, claims, plan.draft.verdict)
	plan.Notices = slices.Concat(notices(world, plan), plan.tellExpiring(world), plan.Outside.tellOpen(world))
	return plan, nil
}

// leaveAlone is the plan for a gateway that no grant can be applied to.
func leaveAlone(world World, limits Limits, blocked *grant.Error, said reading) Plan {
	r := resolver{world: world, limits: limits}
	var claims []claim
	for _, c := range r.live() {
		c.undecided, c.reason, c.message = true, blocked.Code, blocked.Hint
		claims = append(claims, c)
	}
	plan := Plan{
		Want:      world.Gateway.Policy,
		Hash:      hash(said.accesses, said.strange),
		Size:      meter{limits.Accounting, world.Gateway.Gateway.Partition()}.measure(world.Gateway.Policy),
		Changes:   changes(claims, nil, verdict{}, reading{}),
		Status:    statuses(world, claims, verdict{}),
		Refused:   world.Gateway.Recorded.Gateway.Refused,
		Pinned:    world.Gateway.Recorded.Gateway.Pinned,
		Blocked:   blocked,
		Due:       nextDue(claims, nil, world.Now),
		Foreknown: world.Gateway.Recorded.Gateway.Foreknown,
		draft:     draft{claims: claims},
	}
	return plan
}

// inForce is the policy that stands once the plan is carried out.
func (p Plan) inForce(world World) *policy.Document {
	if p.Write {
		return p.Want
	}
	return world.Gateway.Policy
}

func lasting(accesses map[access]bool) map[access]bool {
	all := make(map[access]bool, len(accesses))
	for a := range accesses {
		all[a.lasting()] = true
	}
	return all
}

// Trials is the pending hash while bad principals are looked for: what is found
// then may be any part of the plan.
const Trials = "trials"

// nothing is the hash of a policy without a statement of ours.
const nothing = "none"

// drifted tells whether what was found is neither what was last seen right nor
// what was last about to be written. A gateway never seen held nothing of ours.
func drifted(found string, recorded GatewayState) bool {
	return recorded.PendingHash != Trials && found != recorded.PendingHash && found != cmp.Or(recorded.AppliedHash, nothing)
}

// hash names what our statements mean: the same accesses have the same hash,
// however they are written.
func hash(accesses map[access]bool, strange []policy.Statement) string {
	if len(accesses)+len(strange) == 0 {
		return nothing
	}
	var lines []string
	for a := range accesses {
		lines = append(lines, fmt.Sprintf("%s %t %q %d", a.who, a.named, a.where, a.until))
	}
	for _, s := range strange {
		lines = append(lines, s.String())
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return hex.EncodeToString(sum[:8])
}
