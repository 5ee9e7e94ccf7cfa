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
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// Make decides what the gateway's policy should be. What it cannot prove is left
// out, as CodeProofFailed. It fails with that code only if not even the statements
// of others, without ours, can be proved to stay as they are.
func Make(world World, limits Limits) (Plan, error) {
	plan, _, err := makeWith(prove, world, limits)
	return plan, err
}

// draft is what a plan was made of.
type draft struct {
	claims   []claim
	admitted map[Access]bool
	verdict  verdict
	observed observation // what our statements say now
	solver   solver
}

func makeWith(prove prover, world World, limits Limits) (Plan, draft, error) {
	world = world.asRecorded()
	problem := Problem{Gateway: world.Gateway.Gateway, Limits: limits, Base: world.Gateway.Policy}
	owned := problem.owned(problem.Base)
	newer := world.Gateway.Recorded.Newer
	blocked := blockedReason(world.Gateway, limits)
	if blocked == nil && newer != (ledger.Newer{}) && !world.hasEnded(owned) {
		blocked = newerVersion(newer)
	}
	if blocked != nil {
		claims := blockedClaims(world, limits, blocked)
		return leaveAlone(world, problem, claims, blocked, owned), draft{claims: claims, observed: owned}, nil
	}

	if world.Gateway.Recorded.Gateway.ExpandedSizeObserved {
		limits.Accounting, problem.Limits.Accounting = ExpandedSize, ExpandedSize
	}
	if world.Gateway.Recorded.Gateway.ListsRefused {
		problem.Encoding = Encoding{Single: true, Listed: problem.compiler().listed(owned)}
	}
	standing, recorded := lasting(owned.accesses), world.Gateway.Recorded
	r := newResolver(world, limits, owned)
	claims := r.claims()
	refused := refusals(world, claims, owned)
	wanted := ends(claims)
	maps.DeleteFunc(wanted, func(a Access, _ int64) bool {
		refusal, known := refused[a.principal()]
		return known && refusal.Holds(world.Now)
	})
	solver := problem.solver(prove)
	others := siblings(solver.foreign)
	if len(others) > 0 || newer != (ledger.Newer{}) {
		addNothing(wanted, standing)
	}
	problem.Encoding = solver.chooseEncoding(wanted, owned)
	solver = problem.solver(prove)
	solved, err := solver.solve(solver.fit(wanted, byPrecedence(wanted, standing, claims), standing))
	if err != nil {
		return Plan{}, draft{}, err
	}
	problem.Accesses = solved.admitted
	d := draft{claims: claims, admitted: setOf(solved.admitted), observed: owned, solver: solver}
	d.verdict = verdict{admitted: lasting(d.admitted), unproved: solved.unproved, refused: refused, siblings: others, now: world.Now}

	plan := d.plan(world, problem, solved)
	plan.Selected = r.admittedBy(claims, d.verdict.admitted)
	plan.Drift = plan.Write && !world.Takeover && len(owned.leftovers) == 0 && drifted(hash(owned.accesses, owned.strange), recorded.Gateway)
	plan.Changes = changes(claims, standing, d.verdict, owned)
	plan.Waits = waiting(plan.Changes)
	plan.Pinned = pinned(d.verdict.admitted)
	plan.holdBack(world, limits, standing, &d)
	plan.Outside, d.verdict.stops = outside(plan.inForce(world), solver.compiler, d.verdict.admitted)
	plan.Status = statuses(world, claims, d.verdict)
	plan.Notices = slices.Concat(notices(world, plan), plan.noticeExpiring(world), plan.Outside.noticeOpen(world), plan.notApplied(world))
	if newer != (ledger.Newer{}) { // what was published is for the newer version to record
		plan.Waits, plan.Notices = newerVersion(newer), nil
	}
	return plan, d, nil
}

// plan is what a plan says before it is compared with what is recorded.
func (d draft) plan(world World, problem Problem, solved solution) Plan {
	want := d.solver.unlessRespelled(solved.document, d.observed)
	return Plan{
		Want:    want,
		Write:   !policy.Equal(want, world.Gateway.Policy),
		Hash:    hash(d.admitted, nil),
		Size:    d.solver.compiler.meter().measure(want),
		Refused: d.verdict.refused,
		Due:     nextDue(d.claims, d.verdict.refused, world.Now),
		WriteAhead: ledger.WriteAhead{
			InFlight:     inFlight(world, d.admitted, d.observed.leftovers),
			HadDirectory: world.hadDirectory(),
		},
		Problem:     problem,
		Standing:    d.observed.naming(solved.admitted, true),
		Additions:   d.observed.naming(solved.admitted, false),
		Observed:    slices.SortedFunc(maps.Keys(lasting(d.observed.accesses)), compareAccess),
		Unexplained: d.observed.leftovers,
	}
}

// leaveAlone is the plan for a gateway that no grant can be applied to.
func leaveAlone(world World, problem Problem, claims []claim, blocked *grant.Error, owned observation) Plan {
	ahead := world.Gateway.Recorded.Gateway.WriteAhead
	ahead.HadDirectory = world.hadDirectory()
	return Plan{
		Want:       world.Gateway.Policy,
		Hash:       hash(owned.accesses, owned.strange),
		Size:       problem.compiler().meter().measure(world.Gateway.Policy),
		Changes:    changes(claims, nil, verdict{}, observation{}),
		Status:     statuses(world, claims, verdict{}),
		Refused:    world.Gateway.Recorded.Gateway.Refused,
		Pinned:     world.Gateway.Recorded.Gateway.Pinned,
		Blocked:    blocked,
		Due:        nextDue(claims, nil, world.Now),
		WriteAhead: ahead,
		Problem:    problem,
	}
}

// hadDirectory reports whether the directory could be read, now or once.
func (w World) hadDirectory() bool {
	return w.Accounts.Availability() == directory.Known || w.Gateway.Recorded.Gateway.HadDirectory
}

// inForce is the policy that stands once the plan is carried out.
func (p Plan) inForce(world World) *policy.Document {
	if p.Write {
		return p.Want
	}
	return world.Gateway.Policy
}

// blockedClaims are what live grants ask for where none can be applied.
func blockedClaims(world World, limits Limits, blocked *grant.Error) []claim {
	r := resolver{world: world, limits: limits}
	claims := r.live()
	for i := range claims {
		claims[i].undecided, claims[i].reason, claims[i].message = true, blocked.Code, blocked.Hint
	}
	return claims
}

func lasting(accesses map[Access]bool) map[Access]bool {
	all := make(map[Access]bool, len(accesses))
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

// drifted reports whether what was found is neither what was last seen right nor
// what was last about to be written. A gateway never seen held nothing of ours.
func drifted(found string, recorded ledger.Ledger) bool {
	return recorded.PendingHash != Trials && found != recorded.PendingHash && found != cmp.Or(recorded.AppliedHash, nothing)
}

// unrecorded reports whether what was found is what was last about to be written, and
// not what was last seen right: no run has recorded the end of that write.
func unrecorded(found string, recorded ledger.Ledger) bool {
	return found == recorded.PendingHash && found != cmp.Or(recorded.AppliedHash, nothing)
}

// hash names what our statements mean: the same accesses have the same hash in every
// encoding and order.
func hash(accesses map[Access]bool, strange []policy.Statement) string {
	if len(accesses)+len(strange) == 0 {
		return nothing
	}
	var lines []string
	for a := range accesses {
		lines = append(lines, fmt.Sprintf("%s %t %q %d", a.Who, a.ByName, a.Where, a.Until))
	}
	for _, s := range strange {
		lines = append(lines, s.String())
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return hex.EncodeToString(sum[:8])
}
