package reconcile

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// maxTrials bounds the puts that one run spends on finding bad principals; what
// is left is looked for in the next.
const maxTrials = 50

// errMoved says that the policy is no longer what the pass decided upon.
var errMoved = errors.New("the policy was changed meanwhile")

// isolation finds the principals that make AWS refuse a document: its error names
// nobody. What AWS accepts on the way stays in force, so that every document
// tried is a part of the plan, proved like the whole.
type isolation struct {
	*run
	plan        plan.Plan
	last        *policy.Document // in force, as of the last put
	trials      int
	good        []string // principals in force
	suspects    []string // refused on top of the good ones, and AWS took nothing since
	bad         []string // suspects without whom AWS did take the others
	interrupted []string // standing principals that were out for a moment, unless they are bad
}

// isolate applies as much of a refused plan as AWS takes, and remembers who is to
// blame for the rest.
func (r *run) isolate(ctx context.Context, p plan.Plan) error {
	if err := r.markDue(ctx, p, plan.Trials); err != nil {
		return err
	}
	i := &isolation{run: r, plan: p, last: r.world.Gateway.Policy}
	defer i.remember()
	err := i.search(ctx)
	if err != nil && grant.CodeOf(err) != CodeIsolating {
		return err
	}
	if err := i.convict(ctx); err != nil {
		return err
	}
	return err
}

// search takes first what must go out of the last accepted document; then additions
// go onto it in groups, halved to find the k bad ones among n in O(k log n) puts.
func (i *isolation) search(ctx context.Context) error {
	accepted, err := i.try(ctx, i.plan.Standing())
	switch {
	case err != nil:
		return err
	case accepted:
		i.good = i.plan.Standing()
		return i.add(ctx, i.plan.Additions(), true)
	default:
		return i.doubtStanding(ctx)
	}
}

// add puts the group onto what is in force. If it is known to be refused as a
// whole, it is halved at once. A single principal is tried in any case before it is
// suspected: what was wrong with the whole may have passed meanwhile.
func (i *isolation) add(ctx context.Context, group []string, refused bool) error {
	if len(group) == 0 {
		return nil
	}
	if !refused || len(group) == 1 {
		accepted, err := i.try(ctx, slices.Concat(i.good, group))
		if err != nil {
			return err
		}
		if accepted {
			i.good = slices.Concat(i.good, group)
			return nil
		}
	}
	if len(group) == 1 {
		return i.suspect(ctx, group[0])
	}
	half, known := len(group)/2, i.found()
	if err := i.add(ctx, group[:half], false); err != nil {
		return err
	}
	nobodyInFirstHalf := i.found() == known
	return i.add(ctx, group[half:], nobodyInFirstHalf)
}

// suspect holds a single principal responsible. The first is convicted at once if
// nothing of ours is in force: others' statements may be what AWS refuses, and then
// there is nobody to look for.
func (i *isolation) suspect(ctx context.Context, principal string) error {
	i.suspects = append(i.suspects, principal)
	if len(i.good) == 0 && i.found() == 1 {
		return i.convict(ctx)
	}
	return nil
}

// found is how many may be to blame.
func (i *isolation) found() int { return len(i.suspects) + len(i.bad) }

// convict makes sure that AWS takes what is in force without the suspects: somebody
// who was good when they were refused may have gone bad by then.
func (i *isolation) convict(ctx context.Context) error {
	if len(i.suspects) == 0 {
		return nil
	}
	accepted, err := i.put(ctx, i.good)
	switch {
	case err != nil || accepted:
		return err
	case len(i.good) == 0:
		return i.blockedByForeign()
	default:
		return errMoved
	}
}

// doubtStanding looks for the standing principal that has gone bad. Suspects are
// left out one at a time, so that nobody else loses access; only while a
// revocation waits, which must wait behind nothing, are groups left out for the
// few puts that it takes to find the bad ones.
func (i *isolation) doubtStanding(ctx context.Context) error {
	standing := i.plan.Standing()
	if len(standing) == 0 { // nothing of ours was in what AWS refused
		return i.blockedByForeign()
	}
	if i.plan.Revokes() {
		if err := i.add(ctx, standing, true); err != nil {
			return err
		}
		i.interrupted = standing
		return i.add(ctx, i.plan.Additions(), false)
	}
	first := i.world.Gateway.Recorded.Gateway.Failures * (maxTrials / 2)
	for n := range min(len(standing), maxTrials/2) {
		suspect := standing[(first+n)%len(standing)]
		others := slices.DeleteFunc(slices.Clone(standing), func(p string) bool { return p == suspect })
		accepted, err := i.try(ctx, others)
		if err != nil {
			return err
		}
		if accepted {
			// Whatever was wrong may have passed by itself, so it is tried once more.
			i.good = others
			if err := i.add(ctx, []string{suspect}, false); err != nil {
				return err
			}
			return i.add(ctx, i.plan.Additions(), false)
		}
	}
	if left := leftovers(i.world.Gateway.Policy, i.plan); len(left) > 0 {
		return i.blockedByForeign()
	}
	return &grant.Error{Code: CodeInvalidPrincipal, Op: "put the resource policy",
		Hint: "AWS refuses a principal that stands in the policy already, and which one is not found yet; nobody lost access, additions wait"}
}

// try puts the part of the plan with the given principals and tells whether AWS
// took it. An error ends the isolation: it says nothing about principals.
func (i *isolation) try(ctx context.Context, principals []string) (accepted bool, err error) {
	if i.trials++; i.trials > maxTrials {
		return false, &grant.Error{Code: CodeIsolating, Op: "isolate refused principals",
			Hint: "there are more than one run can find; it goes on in a minute"}
	}
	return i.put(ctx, principals)
}

// put is try without counting: a search that has come to its end may still learn
// what it found.
func (i *isolation) put(ctx context.Context, principals []string) (accepted bool, err error) {
	part, err := i.plan.Part(principals)
	if err != nil {
		return false, err
	}
	now, err := i.Gateways.Policy(ctx, i.gateway)
	if err != nil {
		return false, err
	}
	if !policy.Equal(now, i.last) || !slices.Equal(i.foreign(now), i.foreign(i.last)) {
		return false, errMoved
	}
	err = i.write(ctx, part)
	if grant.CodeOf(err) == CodeInvalidPrincipal {
		return false, nil
	}
	i.journal(ctx, part, err)
	if err != nil {
		return false, err
	}
	i.last = part
	i.bad, i.suspects = append(i.bad, i.suspects...), nil
	i.result.Writes++
	return true, nil
}

// foreign are the statements of others in a document, byte for byte: one that says
// the same in other words is to be kept as it is, too. AWS may show statements in
// another order than they were put in.
func (i *isolation) foreign(document *policy.Document) []string {
	if document == nil {
		return nil
	}
	var texts []string
	for _, s := range document.Statements {
		if !i.plan.Owns(s) {
			texts = append(texts, s.String())
		}
	}
	slices.Sort(texts)
	return texts
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
		if strings.HasSuffix(principal, ":root") || !plan.WasAdmitted(i.world.Gateway.Recorded, principal) {
			refusal.NextTry = i.Now().Add(backoff(refusal.Tries))
		} else {
			refusal.Code = grant.CodeRecreated
		}
		i.refused[principal] = refusal
	}
	for _, principal := range i.interrupted {
		if !slices.Contains(i.bad, principal) {
			i.interrupts = append(i.interrupts, principal)
		}
	}
}

func (i *isolation) blockedByForeign() error {
	return &grant.Error{Code: CodeBlockedByForeign, Op: "put the resource policy",
		Hint: "AWS refuses every document with the statements of others in it" + named(leftovers(i.world.Gateway.Policy, i.plan)) +
			"; have their owner correct them, nothing can be changed until then"}
}

func named(statements []string) string {
	if len(statements) == 0 {
		return ""
	}
	return ", most likely because of " + strings.Join(statements, ", ")
}

// leftovers names the foreign statements that hold the unique id of a deleted
// principal, which AWS shows but does not accept.
func leftovers(document *policy.Document, p plan.Plan) []string {
	var names []string
	if document == nil {
		return nil
	}
	for _, s := range document.Statements {
		if s.Principal == nil || p.Owns(s) {
			continue
		}
		if slices.ContainsFunc(s.Principal.AWS, plan.IsUniqueID) {
			names = append(names, "statement "+s.Sid)
		}
	}
	return names
}
