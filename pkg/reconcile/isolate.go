package reconcile

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
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

// errMoved says that the policy is no longer what the pass decided upon.
var errMoved = errors.New("the policy was changed meanwhile")

// isolation finds the principals that make AWS refuse a document: its error names
// nobody. What AWS accepts on the way stays in force, so that every document
// tried is a part of the plan, proved like the whole.
type isolation struct {
	*run
	plan        plan.Plan
	seen        []*policy.Document // what was in force, the last of them as of now
	good        []string           // principals in force
	suspects    []string           // refused on top of the good ones, and AWS took nothing since
	bad         []string           // suspects without whom AWS did take the others
	because     map[string]error   // what AWS said of a suspect
	interrupted []string           // standing principals that were out for a while, unless they are bad
	listTaken   bool               // AWS accepted a list of principals in this search
}

// isolate applies as much of a refused plan as AWS takes, and remembers who is to
// blame for the rest.
func (r *run) isolate(ctx context.Context, p plan.Plan) error {
	if err := r.beginWrite(ctx, p, plan.Trials); err != nil {
		return err
	}
	i := &isolation{run: r, plan: p, seen: []*policy.Document{r.world.Gateway.Policy}, because: make(map[string]error)}
	defer i.remember()
	failure := i.search(ctx)
	if failure != nil && grant.CodeOf(failure) != CodeIsolating {
		return failure
	}
	if err := i.confirmRejected(ctx); err != nil {
		return err
	}
	return failure
}

// search takes first what must go out of the last accepted document; then additions
// go onto it in groups, halved to find the k bad ones among n in O(k log n) puts.
func (i *isolation) search(ctx context.Context) error {
	refusal, err := i.try(ctx, i.plan.Standing)
	switch {
	case err != nil:
		return err
	case refusal == nil:
		i.good = i.plan.Standing
		return i.split(ctx, i.plan.Additions)
	default:
		return i.bisectExisting(ctx, refusal)
	}
}

// add puts the group onto what is in force, and splits it if AWS refuses that.
func (i *isolation) add(ctx context.Context, group []string) error {
	if len(group) == 0 {
		return nil
	}
	refusal, err := i.tryLists(ctx, slices.Concat(i.good, group))
	switch {
	case err != nil:
		return err
	case refusal == nil:
		i.good = slices.Concat(i.good, group)
		return nil
	case len(group) == 1:
		return i.markSuspect(ctx, group[0], refusal)
	default:
		return i.split(ctx, group)
	}
}

// split adds the halves of a group that AWS refuses as a whole. If nobody in the
// first is to blame, the second need not be tried as a whole either. A single
// principal is tried in any case: what was wrong with the whole may have passed.
func (i *isolation) split(ctx context.Context, group []string) error {
	if len(group) < 2 {
		return i.add(ctx, group)
	}
	half, known := len(group)/2, i.found()
	if err := i.add(ctx, group[:half]); err != nil {
		return err
	}
	if i.found() == known {
		return i.split(ctx, group[half:])
	}
	return i.add(ctx, group[half:])
}

// markSuspect holds a single principal responsible. The first is confirmed at once if
// nothing of ours is in force: others' statements may be what AWS refuses, and then
// there is nobody to look for.
func (i *isolation) markSuspect(ctx context.Context, principal string, refusal error) error {
	i.Log.WarnContext(ctx, "principal refused", "gateway", i.gateway.ARN(), "principal", principal, "error", refusal)
	i.suspects, i.because[principal] = append(i.suspects, principal), refusal
	if len(i.good) == 0 && i.found() == 1 {
		return i.confirmRejected(ctx)
	}
	return nil
}

// found is how many may be to blame.
func (i *isolation) found() int { return len(i.suspects) + len(i.bad) }

// confirmRejected makes sure that AWS takes what is in force without the suspects: somebody
// who was good when they were refused may have gone bad by then. Where it takes
// nobody at all, a deletion has to do, which it always takes: whoever was let in by
// identity is held then, rather than let in again as perhaps somebody else.
func (i *isolation) confirmRejected(ctx context.Context) error {
	if len(i.suspects) == 0 {
		return nil
	}
	refusal, err := i.put(ctx, i.good)
	switch {
	case err != nil || refusal == nil:
		return err
	case len(i.good) == 0:
		return i.blockedByForeign(refusal)
	default:
		return errMoved
	}
}

// bisectExisting looks for the standing principal that has gone bad. Suspects are
// left out one at a time, so that nobody else loses access; only while a
// revocation waits, which must wait behind nothing, are groups left out for the
// few puts that it takes to find the bad ones.
func (i *isolation) bisectExisting(ctx context.Context, refusal error) error {
	standing := i.plan.Standing
	if len(standing) == 0 { // nothing of ours was in what AWS refused
		return i.blockedByForeign(refusal)
	}
	if again, tried, err := i.tryWithoutLists(ctx, standing); err != nil {
		return err
	} else if tried && again == nil {
		i.good = standing
		return i.split(ctx, i.plan.Additions)
	}
	if i.plan.Revokes() {
		i.interrupted = standing
		if err := i.split(ctx, standing); err != nil {
			return err
		}
		return i.add(ctx, i.plan.Additions)
	}
	for _, suspects := range i.leftOut(standing) {
		others := without(standing, suspects)
		refusal, err := i.try(ctx, others)
		if err != nil {
			return err
		}
		if refusal == nil {
			// Whatever was wrong may have passed by itself, so they are tried once more.
			i.good = others
			if err := i.split(ctx, suspects); err != nil {
				return err
			}
			return i.add(ctx, i.plan.Additions)
		}
	}
	if i.mayBeForeign(standing) {
		return i.blockedByForeign(refusal)
	}
	return &grant.Error{Code: grant.CodeOf(refusal), Op: "put the resource policy", Err: saidByAWS(refusal),
		Hint: "AWS refuses what stands in the policy already, and because of whom is not found yet; nobody lost access, additions wait"}
}

// leftOut lists which principals to leave out, one at a time. Of a few, all combinations follow by
// their size: if AWS takes a document at last, everybody left out of it is bad.
func (i *isolation) leftOut(standing []string) [][]string {
	var all [][]string
	if len(standing) > fewStanding {
		first := i.world.Gateway.Recorded.Gateway.Failures * leftOutInOneRun
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

// mayBeForeign tells, once AWS has refused the policy without any single one of the
// standing principals, whether a foreign statement is to blame. Of a few, it refused
// the policy without all of them, too; of many, two may be bad at once, which only a
// search that takes access away for a moment could tell.
func (i *isolation) mayBeForeign(standing []string) bool {
	document := i.world.Gateway.Policy
	switch {
	case len(holdingUniqueIDs(document, i.plan)) > 0:
		return true
	case len(standing) <= fewStanding:
		return len(i.foreign(document)) > 0
	default:
		sought := (i.world.Gateway.Recorded.Gateway.Failures + 1) * leftOutInOneRun
		return sought >= len(standing) && len(namingPrincipals(document, i.plan)) > 0
	}
}

func without(all, some []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(p string) bool { return slices.Contains(some, p) })
}

// try puts the part of the plan with the given principals and tells whether AWS
// refuses it. An error ends the isolation: it says nothing about principals.
func (i *isolation) try(ctx context.Context, principals []string) (refusal, err error) {
	if err := i.count(ctx); err != nil {
		return nil, err
	}
	return i.put(ctx, principals)
}

// count ends the search with CodeIsolating once it has spent its puts or its time.
func (i *isolation) count(ctx context.Context) error {
	deadline, bounded := ctx.Deadline()
	if i.trials++; i.trials > maxTrials || bounded && time.Until(deadline) < toRecord {
		return &grant.Error{Code: CodeIsolating, Op: "isolate refused principals",
			Hint: "there are more than one run can find; it goes on in a minute"}
	}
	return nil
}

// put is try without counting: a search that has come to its end may still learn
// what it found.
func (i *isolation) put(ctx context.Context, principals []string) (refusal, err error) {
	solution, err := i.plan.Problem.Compile(principals)
	if err != nil {
		return nil, err
	}
	return i.putSolution(ctx, solution)
}

func (i *isolation) putSolution(ctx context.Context, solution plan.Solution) (refusal, err error) {
	part := solution.Document
	now, err := i.Gateways.Policy(ctx, i.gateway)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(i.seen, func(was *policy.Document) bool { return i.unchanged(was, now) }) {
		return nil, errMoved
	}
	last := i.seen[len(i.seen)-1]
	if part != nil || last != nil { // to delete nothing says nothing
		err = i.write(ctx, part)
		switch {
		case i.learnsSize(ctx, err):
			return nil, errMoved
		case refuses(err):
			return err, nil
		}
		i.journal(ctx, last, part, solution.Hash, err)
	}
	switch {
	case grant.CodeOf(err) == CodeUnknownOutcome:
		i.result.Writes++
		return nil, errMoved
	case err != nil:
		return nil, err
	case !policy.Equal(part, last):
		i.result.Writes++
	}
	i.seen, i.inForce, i.listTaken = append(i.seen, part), part, i.listTaken || i.holdsList(part)
	i.bad, i.suspects = append(i.bad, i.suspects...), nil
	return nil, nil
}

// remember keeps what was found for the next pass, which leaves the bad ones out.
// One that was let in by identity before is held, not tried again: the role may
// have been made anew by somebody else.
func (i *isolation) remember() {
	for _, principal := range i.bad {
		known := i.world.Gateway.Recorded.Gateway.Refused[principal]
		refusal := plan.Refusal{Code: grant.CodeQuarantined, Since: known.Since, Tries: known.Tries + 1}
		if known.Since.IsZero() {
			refusal.Since = i.Now()
		}
		refusal.NextTry = i.Now().Add(backoff(refusal.Tries))
		switch {
		case grant.CodeOf(i.because[principal]) != CodePrincipalRejected:
			refusal.Code = grant.CodePolicyRefused
		case !strings.HasSuffix(principal, ":root") && plan.WasAdmitted(i.world.Gateway.Recorded, principal):
			refusal.Code, refusal.NextTry = grant.CodeRecreated, time.Time{}
		}
		i.refused[principal] = refusal
	}
	for _, principal := range i.interrupted {
		if !slices.Contains(i.bad, principal) {
			i.interrupts = append(i.interrupts, principal)
		}
	}
}
