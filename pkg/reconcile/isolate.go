package reconcile

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

const (
	// maxTrials bounds the puts that one run spends on finding bad principals; what
	// is left is looked for in the next.
	maxTrials = 50
	// leftOutInOneRun bounds how many standing principals one run leaves out in turn.
	leftOutInOneRun = maxTrials / 2
	// fewStanding is how many standing principals can be left out in all combinations
	// within that bound.
	fewStanding = 4
	// toRecord is how long before its deadline a search ends, so that what it found
	// is recorded.
	toRecord = 20 * time.Second
)

// isolation finds the principals that make AWS reject a document: its error names
// none. What AWS accepts on the way stays in force, so that every document tried is a
// part of the plan, proved like the whole.
//
// Its steps say whether the search goes on. It ends without an error where the policy,
// or what is known of AWS, is no longer what the plan was made for.
type isolation struct {
	run         *run
	plan        plan.Plan
	document    *policy.Document   // that the pass found
	failures    int                // of runs before this one
	seen        []*policy.Document // what was in force, the last of them as of now
	good        []string           // principals in force
	suspects    []string           // rejected on top of the good ones, and AWS took nothing since
	bad         []string           // suspects without which AWS did take the others
	because     map[string]error   // AWS's error for a suspect
	interrupted []string           // standing principals that were out for a while, unless they are bad
	listTaken   bool               // AWS accepted a list of principals in this search
}

// isolate applies as much of a rejected plan as AWS takes, and keeps which principals
// are at fault for the rest.
func (r *run) isolate(ctx context.Context) (verdict, error) {
	if verdict, err := r.beginWrite(ctx, plan.Trials); verdict != complete {
		return verdict, err
	}
	document := r.world.Gateway.Policy
	i := &isolation{
		run: r, plan: r.result.Plan, document: document, failures: r.world.Gateway.Recorded.Gateway.Failures,
		seen: []*policy.Document{document}, because: make(map[string]error),
	}
	defer i.learn()
	goesOn, failure := i.search(ctx)
	if goesOn || grant.CodeOf(failure) == CodeIsolating {
		if goesOn, err := i.confirmRejected(ctx); !goesOn {
			failure = err
		}
	}
	if failure != nil {
		return failed, failure
	}
	return lookAgain, nil
}

// search takes first what must go out of the last accepted document; then additions
// go onto it in groups, halved to find the k bad ones among n in O(k log n) puts.
func (i *isolation) search(ctx context.Context) (goesOn bool, err error) {
	rejection, goesOn, err := i.try(ctx, i.plan.Standing)
	switch {
	case !goesOn:
		return false, err
	case rejection == nil:
		i.good = i.plan.Standing
		return i.halve(ctx, i.plan.Additions)
	default:
		return i.bisectExisting(ctx, rejection)
	}
}

// add puts the group onto what is in force, and splits it if AWS rejects that.
func (i *isolation) add(ctx context.Context, group []string) (goesOn bool, err error) {
	if len(group) == 0 {
		return true, nil
	}
	rejection, goesOn, err := i.tryLists(ctx, slices.Concat(i.good, group))
	switch {
	case !goesOn:
		return false, err
	case rejection == nil:
		i.good = slices.Concat(i.good, group)
		return true, nil
	case len(group) == 1:
		return i.markSuspect(ctx, group[0], rejection)
	default:
		return i.halve(ctx, group)
	}
}

// halve adds the halves of a group that AWS rejects as a whole. If none in the first is
// bad, the second need not be tried as a whole either. A single principal is tried in
// any case: what was wrong with the whole may have passed.
func (i *isolation) halve(ctx context.Context, group []string) (goesOn bool, err error) {
	if len(group) < 2 {
		return i.add(ctx, group)
	}
	half, known := len(group)/2, i.found()
	if goesOn, err := i.add(ctx, group[:half]); !goesOn {
		return false, err
	}
	if i.found() == known {
		return i.halve(ctx, group[half:])
	}
	return i.add(ctx, group[half:])
}

// markSuspect holds a single principal responsible. The first is confirmed at once if
// nothing of ours is in force: AWS may reject the statements of others, and then there
// is no bad principal to look for.
func (i *isolation) markSuspect(ctx context.Context, principal string, rejection error) (goesOn bool, err error) {
	i.run.Log.WarnContext(ctx, "principal rejected", "gateway", i.run.gateway.ARN(), "principal", principal, "error", rejection)
	i.suspects, i.because[principal] = append(i.suspects, principal), rejection
	if len(i.good) == 0 && i.found() == 1 {
		return i.confirmRejected(ctx)
	}
	return true, nil
}

// found is how many principals may be bad.
func (i *isolation) found() int { return len(i.suspects) + len(i.bad) }

// confirmRejected makes sure that AWS takes what is in force without the suspects: one
// that was good when they were rejected may have gone bad by then. Where it takes no
// principal at all, a deletion has to do, which it always takes: a role that was let in
// by identity is held then, rather than let in again as perhaps another one.
func (i *isolation) confirmRejected(ctx context.Context) (goesOn bool, err error) {
	if len(i.suspects) == 0 {
		return true, nil
	}
	rejection, goesOn, err := i.put(ctx, i.good)
	switch {
	case !goesOn || rejection == nil:
		return goesOn, err
	case len(i.good) == 0:
		return false, i.blockedByForeign(rejection)
	default:
		return false, nil
	}
}

// bisectExisting looks for the standing principal that has gone bad. Principals are left
// out one at a time, so that no other loses access; only while a revocation waits, which
// must wait behind nothing, are groups left out for the few puts that it takes to find
// the bad ones.
func (i *isolation) bisectExisting(ctx context.Context, rejection error) (goesOn bool, err error) {
	standing := i.plan.Standing
	if len(standing) == 0 { // nothing of ours was in what AWS rejected
		return false, i.blockedByForeign(rejection)
	}
	if again, tried, goesOn, err := i.tryWithoutLists(ctx, standing); !goesOn {
		return false, err
	} else if tried && again == nil {
		i.good = standing
		return i.halve(ctx, i.plan.Additions)
	}
	if i.plan.Revokes() {
		i.interrupted = standing
		return i.splitThenAdd(ctx, standing)
	}
	for _, out := range i.leftOut(standing) {
		others := without(standing, out)
		rejection, goesOn, err := i.try(ctx, others)
		if !goesOn {
			return false, err
		}
		if rejection == nil {
			// What was wrong may have passed by itself, so they are tried once more.
			i.good = others
			return i.splitThenAdd(ctx, out)
		}
	}
	if i.mayBeForeign(standing) {
		return false, i.blockedByForeign(rejection)
	}
	return false, &grant.Error{Code: grant.CodeOf(rejection), Op: "put the resource policy", Err: answerOfAWS(rejection),
		Hint: "AWS rejects what stands in the policy already, and the principal at fault is not found yet; all access stays, additions wait"}
}

// splitThenAdd finds the bad ones among standing principals, and then adds what is new.
func (i *isolation) splitThenAdd(ctx context.Context, standing []string) (goesOn bool, err error) {
	if goesOn, err := i.halve(ctx, standing); !goesOn {
		return false, err
	}
	return i.add(ctx, i.plan.Additions)
}

// leftOut lists which principals to leave out, one at a time. Of a few, all
// combinations follow by their size: if AWS takes a document at last, every principal
// left out of it is bad.
func (i *isolation) leftOut(standing []string) [][]string {
	var all [][]string
	if len(standing) > fewStanding {
		first := i.failures * leftOutInOneRun
		for n := range min(len(standing), leftOutInOneRun) {
			all = append(all, []string{standing[(first+n)%len(standing)]})
		}
		return all
	}
	for chosen := 1; chosen < 1<<len(standing); chosen++ {
		var some []string
		for n, principal := range standing {
			if chosen&(1<<n) != 0 {
				some = append(some, principal)
			}
		}
		all = append(all, some)
	}
	slices.SortStableFunc(all, func(a, b []string) int { return cmp.Compare(len(a), len(b)) })
	return all
}

// mayBeForeign reports whether a foreign statement may be at fault, once AWS has
// rejected the policy without each one of the standing principals. Of a few principals,
// AWS rejected the policy without all of them, too. Of many, two may be bad at once:
// only a search that takes access away for a moment could find that.
func (i *isolation) mayBeForeign(standing []string) bool {
	switch {
	case len(holdingUniqueIDs(i.document, i.plan)) > 0:
		return true
	case len(standing) <= fewStanding:
		return len(i.foreign(i.document)) > 0
	default:
		sought := (i.failures + 1) * leftOutInOneRun
		return sought >= len(standing) && len(namingPrincipals(i.document, i.plan)) > 0
	}
}

func without(all, some []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(p string) bool { return slices.Contains(some, p) })
}

// try puts the part of the plan with the given principals, and returns AWS's rejection
// where it rejects that. An error ends the search: it says nothing about principals.
func (i *isolation) try(ctx context.Context, principals []string) (rejection error, goesOn bool, err error) {
	if err := i.count(ctx); err != nil {
		return nil, false, err
	}
	return i.put(ctx, principals)
}

// count ends the search with CodeIsolating once it has spent its puts or its time.
func (i *isolation) count(ctx context.Context) error {
	deadline, bounded := ctx.Deadline()
	if i.run.trials++; i.run.trials > maxTrials || bounded && time.Until(deadline) < toRecord {
		return &grant.Error{Code: CodeIsolating, Op: "isolate rejected principals",
			Hint: "there are more than one run can find; it goes on in a minute"}
	}
	return nil
}

// put is try without counting: a search that has come to its end may still learn
// what it found.
func (i *isolation) put(ctx context.Context, principals []string) (rejection error, goesOn bool, err error) {
	solution, err := i.plan.Problem.Compile(principals)
	if err != nil {
		return nil, false, err
	}
	return i.putSolution(ctx, solution)
}

func (i *isolation) putSolution(ctx context.Context, solution plan.Solution) (rejection error, goesOn bool, err error) {
	r, part := i.run, solution.Document
	now, err := r.Gateways.Policy(ctx, r.gateway)
	if err != nil {
		return nil, false, err
	}
	if !slices.ContainsFunc(i.seen, func(was *policy.Document) bool { return i.unchanged(was, now) }) {
		return nil, false, nil
	}
	last := i.seen[len(i.seen)-1]
	if part == nil && last == nil { // to delete nothing says nothing
		i.takes(part)
		return nil, true, nil
	}
	err = r.write(ctx, part)
	switch {
	case r.learnsSize(ctx, err):
		return nil, false, nil
	case refuses(err):
		return err, true, nil
	}
	r.journal(ctx, last, part, solution.Hash, err)
	unknown := grant.CodeOf(err) == CodeUnknownOutcome
	if err != nil && !unknown {
		return nil, false, err
	}
	if unknown || !policy.Equal(part, last) {
		r.result.Writes++
	}
	if !unknown {
		i.takes(part)
	}
	return nil, !unknown, nil
}

// takes notes that AWS took the document: what it rejected before is bad.
func (i *isolation) takes(part *policy.Document) {
	i.seen, i.run.inForce, i.listTaken = append(i.seen, part), part, i.listTaken || i.holdsList(part)
	i.bad, i.suspects = append(i.bad, i.suspects...), nil
}

// learn adds what was found to what the run has learned, so that the next pass leaves
// the bad principals out. One that was let in by identity before is held, not tried
// again: the role may have been created again by another owner.
func (i *isolation) learn() {
	r := i.run
	for _, principal := range i.bad {
		known := r.world.Gateway.Recorded.Gateway.Refused[principal]
		refusal := ledger.Refusal{Code: grant.CodeQuarantined, Since: known.Since, Tries: known.Tries + 1}
		if known.Since.IsZero() {
			refusal.Since = r.Now()
		}
		refusal.NextTry = r.Now().Add(ledger.Backoff(refusal.Tries))
		switch {
		case grant.CodeOf(i.because[principal]) != CodePrincipalRejected:
			refusal.Code = grant.CodePolicyRefused
		case !strings.HasSuffix(principal, ":root") && plan.WasAdmitted(r.world.Gateway.Recorded, principal):
			refusal.Code, refusal.NextTry = grant.CodeRecreated, time.Time{}
		}
		r.learned.Principals[principal] = refusal
	}
	for _, principal := range i.interrupted {
		if !slices.Contains(i.bad, principal) {
			r.interrupts = append(r.interrupts, principal)
		}
	}
}
