package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
)

// errUnrecorded marks a failure that could not be recorded with its gateway.
var errUnrecorded = errors.New("outcome not recorded")

// settle records what the last pass found, as far as it is new, and tells whom
// it concerns.
func (r *run) settle(ctx context.Context) (Result, error) {
	p, recorded := r.result.Plan, r.world.Gateway.Recorded
	r.result.Changes = p.Since(r.first)
	notices := p.Notices
	next := plan.GatewayState{
		Version:              recorded.Gateway.Version,
		Authorizer:           r.world.Gateway.Authorizer,
		AppliedHash:          p.Hash,
		Size:                 p.Size,
		Due:                  p.Due,
		Refused:              p.Refused,
		Pinned:               p.Pinned,
		ExpandedSizeObserved: recorded.Gateway.ExpandedSizeObserved,
		Open:                 p.Outside.Open(),
		WriteAhead:           p.WriteAhead,

		ListsRefused: recorded.Gateway.ListsRefused,

		Overwritten:   recorded.Gateway.Overwritten,
		OverwrittenAt: recorded.Gateway.OverwrittenAt,
	}
	if r.result.Writes > 0 {
		next.Due = earlier(next.Due, r.Now().Add(lookAgainAfter))
	}
	if r.result.Writes > 0 && p.Blocked == nil {
		r.result.Applied, r.result.Repaired = r.Now(), r.first.Drift
		notices = append(notices, p.Applied(r.first, r.applied())...)
		if r.first.Drift && next.Overwrite(r.Now()) {
			notices = append(notices, r.overwritten(next))
		}
	}
	r.publish(ctx, notices)
	r.tellWhatWaits(&next)
	if until := recorded.Gateway.InFlightUntil; until.After(r.Now()) { // a write, perhaps another run's, may be under way
		next.Due, next.InFlightUntil, next.PendingHash = earlier(next.Due, until), until, recorded.Gateway.PendingHash
	}
	if err := r.record(ctx, next, p.Status); err != nil {
		return r.result, err
	}
	return r.result, nil
}

// tellWhatWaits records what keeps the policy from being all that the grants say.
func (r *run) tellWhatWaits(next *plan.GatewayState) {
	p, recorded := r.result.Plan, r.world.Gateway.Recorded.Gateway
	again := func() {
		next.Failures = recorded.Failures + 1
		next.Due = earlier(next.Due, r.Now().Add(backoff(next.Failures)))
	}
	switch {
	case p.Blocked != nil:
		next.AppliedHash, next.PendingHash = recorded.AppliedHash, recorded.PendingHash
		if p.Blocked.Code == grant.CodeGatewayNotReady {
			again()
		}
	case r.world.Accounts.Availability() == directory.Unreadable:
		next.LastError, next.LastMessage = grant.CodeDirectoryFailed, "the directory could not be read; whom selectors let in was kept"
		again()
	}
	if r.result.Failure = cmp.Or(p.Blocked, p.Waits); r.result.Failure != nil {
		next.LastError, next.LastMessage = r.result.Failure.Code, r.result.Failure.Hint
	}
}

func (r *run) applied() plan.AppliedDetail {
	return plan.AppliedDetail{Gateway: r.gateway.ARN(), Cause: r.cause.Text, By: r.cause.By, Interrupted: r.interrupts}
}

func (r *run) overwritten(state plan.GatewayState) plan.Notice {
	return plan.Notice{Type: plan.OverwrittenByOther, Gateway: r.gateway.ARN(), Detail: plan.OverwrittenDetail{
		Gateway: r.gateway.ARN(), Times: state.Overwritten, Likely: r.first.Overwriter(), By: r.cause.By, Until: state.BackOffUntil().UTC().Format(time.RFC3339),
	}}
}

// fail records why the run could not end well, and when it is tried again.
func (r *run) fail(ctx context.Context, cause error) (result Result, err error) {
	r.result.Failure = coded(cause)
	r.Log.WarnContext(ctx, "reconcile failed", "gateway", r.gateway.ARN(), "code", r.result.Failure.Code, "error", cause)
	if len(r.interrupts) > 0 {
		r.publish(ctx, r.result.Plan.Interrupted(r.inForce, r.applied()))
	}
	before := r.world.Gateway.Recorded.Gateway
	before.Version += r.marks
	for range maxPasses {
		result, err = r.recordFailure(ctx, cause, before)
		if grant.CodeOf(err) != CodeVersionConflict {
			break
		}
	}
	return result, err
}

// recordFailure adds the failure to what is recorded by now: what this run itself
// marked before a write must survive it, and so must what others recorded. Where
// nobody else did since before, this run says where each grant stands.
func (r *run) recordFailure(ctx context.Context, cause error, before plan.GatewayState) (Result, error) {
	failure := r.result.Failure
	recorded, err := r.States.Load(ctx, r.gateway)
	if err != nil {
		return r.result, fmt.Errorf("reconcile %s: %w: %w", r.gateway, errUnrecorded, errors.Join(err, cause))
	}
	next := recorded.Gateway
	next.LastError, next.LastMessage = failure.Code, cause.Error()
	next.Refused, next.ExpandedSizeObserved = merged(next.Refused, r.refused), next.ExpandedSizeObserved || r.expandedSize
	next.ListsRefused = next.ListsRefused || r.listsRefused
	next.Failures++
	next.Due = r.Now().Add(backoff(next.Failures))
	if failure.Code == CodeIsolating {
		next.Due = r.Now().Add(backoff(1))
	}
	alone := recorded.Gateway.Version == before.Version
	if alone && r.result.Writes == 0 {
		next.InFlightUntil = before.InFlightUntil // only this run began a write, and there was none
	}
	if next.InFlightUntil.After(r.Now()) {
		next.Due = earlier(next.Due, next.InFlightUntil)
	}
	statuses := make(map[grant.Key]grant.Status)
	maps.Copy(statuses, recorded.Grants)
	if alone && r.decided {
		maps.Copy(statuses, plan.StatusOnFailure(r.world, r.result.Plan, r.inForce, next.Refused, failure))
	}
	r.world.Gateway.Recorded = recorded
	return r.result, r.record(ctx, next, statuses)
}

// record writes what differs from what is recorded, and nothing else.
func (r *run) record(ctx context.Context, next plan.GatewayState, statuses map[grant.Key]grant.Status) error {
	recorded := r.world.Gateway.Recorded
	changed := make(map[grant.Key]grant.Status)
	for key, status := range statuses {
		if known, ok := recorded.Grants[key]; !ok || !status.Same(known) {
			changed[key] = status
		}
	}
	var gone []grant.Key
	for key := range recorded.Grants {
		if _, stays := statuses[key]; !stays {
			gone = append(gone, key)
		}
	}
	if len(changed)+len(gone)+len(r.refused) == 0 && !r.expandedSize && sameState(next, recorded.Gateway) {
		return nil
	}
	if err := r.States.Record(ctx, r.gateway, next, changed, gone); err != nil {
		return fmt.Errorf("reconcile %s: %w: %w", r.gateway, errUnrecorded, err)
	}
	return nil
}

func sameState(a, b plan.GatewayState) bool {
	return a.Authorizer == b.Authorizer && a.AppliedHash == b.AppliedHash && a.PendingHash == b.PendingHash &&
		a.Size == b.Size && a.LastError == b.LastError && a.LastMessage == b.LastMessage &&
		a.Failures == b.Failures && a.Due.Equal(b.Due) && a.InFlightUntil.Equal(b.InFlightUntil) &&
		a.Overwritten == b.Overwritten && a.OverwrittenAt.Equal(b.OverwrittenAt) &&
		slices.Equal(a.Pinned, b.Pinned) && maps.EqualFunc(a.Refused, b.Refused, sameRefusal) &&
		maps.EqualFunc(a.Selected, b.Selected, slices.Equal[[]string]) &&
		maps.EqualFunc(a.InFlight, b.InFlight, slices.Equal[[]string]) && a.HadDirectory == b.HadDirectory
}

func sameRefusal(a, b plan.Refusal) bool {
	return a.Code == b.Code && a.Tries == b.Tries && a.Since.Equal(b.Since) && a.NextTry.Equal(b.NextTry)
}

// publish tells people and their tools. The policy is right without it, so a bus
// that fails is logged and nothing is undone.
func (r *run) publish(ctx context.Context, notices []plan.Notice) {
	notices = slices.DeleteFunc(slices.Clone(notices), func(notice plan.Notice) bool {
		return slices.ContainsFunc(r.published, func(told plan.Notice) bool { return reflect.DeepEqual(told, notice) })
	})
	if len(notices) == 0 {
		return
	}
	r.published = append(r.published, notices...)
	if err := r.Notices.Publish(ctx, notices); err != nil {
		r.Log.ErrorContext(ctx, "notices not published", "gateway", r.gateway.ARN(), "error", err)
	}
}

// earlier is the sooner of two moments, of which zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// backoff is how long to wait after a number of failures in a row: a minute,
// doubled each time, an hour at most.
func backoff(failures int) time.Duration {
	return min(time.Minute<<min(max(failures-1, 0), 6), time.Hour)
}

// coded is the failure in the form that is recorded.
func coded(err error) *grant.Error {
	if failure, ok := errors.AsType[*grant.Error](err); ok {
		return failure
	}
	return &grant.Error{Code: codeOf(err), Op: "reconcile", Err: err}
}

func codeOf(err error) grant.Code {
	if code := grant.CodeOf(err); code != "" {
		return code
	}
	return CodeUnknown
}
