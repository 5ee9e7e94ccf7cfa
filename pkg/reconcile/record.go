package reconcile

import (
	"cmp"
	"context"
	"errors"
	"reflect"
	"slices"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
)

// settle publishes and records what the last pass found, as far as it is new. Where
// another run recorded something since the pass loaded the state, the run looks again.
func (r *run) settle(ctx context.Context) (verdict, error) {
	p, outcome := r.result.Plan, r.outcome()
	r.result.Changes, r.result.Failure = p.Since(r.first), cmp.Or(p.Blocked, p.Waits)
	notices := p.Notices
	if outcome.Wrote && p.Blocked == nil {
		r.result.Applied, r.result.Repaired = r.Now(), r.first.Drift
		notices = slices.Concat(notices, p.Applied(r.first, r.applied()))
	}
	next, err := outcome.Apply(r.recorded)
	if err != nil {
		return unrecorded, err
	}
	if outcome.Drifted && next.Gateway.BacksOff() {
		notices = append(slices.Clip(notices), r.overwritten(next.Gateway))
	}
	r.publish(ctx, notices)
	_, err = r.States.Update(ctx, r.gateway, r.recorded, outcome)
	switch {
	case grant.CodeOf(err) == ledger.CodeVersionConflict:
		return lookAgain, nil
	case err != nil:
		return unrecorded, err
	default:
		return ended, nil
	}
}

// outcome is what there is to record of a run that settled, with what keeps the
// policy from being all that the grants say.
func (r *run) outcome() ledger.Settled {
	p := r.result.Plan
	outcome := ledger.Settled{
		On: r.recorded.Gateway.Version, At: r.Now(), Statuses: p.Status,
		Superseded: plan.Superseded(r.world.Rows, r.recorded.Gateway),
		Wrote:      r.result.Writes > 0, Drifted: r.result.Writes > 0 && p.Blocked == nil && r.first.Drift,
		Authorizer: r.world.Gateway.Authorizer, Hash: p.Hash, Size: p.Size, Due: p.Due, Refused: p.Refused, Pinned: p.Pinned,
		Open: p.Outside.Open(), WriteAhead: p.WriteAhead, Learned: r.learned.Learned,
		Untouched: p.Blocked != nil, Failure: cmp.Or(p.Blocked, p.Waits),
	}
	switch {
	case p.Waits != nil && p.Waits.Code == grant.CodeNewerVersion:
		outcome.Again = true
	case r.world.Gateway.ListFault != nil:
		outcome.Again, outcome.Failure = true, cmp.Or(p.Blocked, r.world.Gateway.ListFault)
	case p.Blocked != nil:
		outcome.Again = p.Blocked.Code == grant.CodeGatewayNotReady || p.Blocked.Code == grant.CodeNewerVersion
	case r.world.Accounts.Availability() == directory.Unreadable:
		outcome.Again = true
		outcome.Failure = cmp.Or(outcome.Failure, &grant.Error{Code: grant.CodeDirectoryFailed, Op: "read the directory",
			Hint: "the directory could not be read; the accounts that selectors let in were kept"})
	case r.world.Accounts.TrustUnread():
		outcome.Again = true
		outcome.Failure = cmp.Or(outcome.Failure, &grant.Error{Code: grant.CodeDirectoryFailed, Op: "read the list of trusted accounts",
			Hint: "its sentinel is missing, so that it may be another table's; accounts that were let in were kept: make deploy puts the sentinel back"})
	}
	return outcome
}

func (r *run) applied() plan.AppliedDetail {
	return plan.AppliedDetail{Gateway: r.gateway.ARN(), Cause: r.cause.Text, By: r.cause.By, Interrupted: r.interrupts}
}

func (r *run) overwritten(state ledger.Ledger) plan.Notice {
	return plan.Notice{Type: plan.OverwrittenByOther, Gateway: r.gateway.ARN(), Detail: plan.OverwrittenDetail{
		Gateway: r.gateway.ARN(), Times: state.Overwritten, Likely: r.first.Overwriter(), By: r.cause.By, Until: state.BackOffUntil().UTC().Format(time.RFC3339),
	}}
}

// fail records why the run could not end well, and when it is tried again. Where no
// other run recorded anything since, it says where each grant stands.
func (r *run) fail(ctx context.Context, cause error) (Result, error) {
	failure := coded(cause)
	r.result.Failure = failure
	r.Log.WarnContext(ctx, "reconcile failed", "gateway", r.gateway.ARN(), "code", failure.Code, "error", cause)
	if len(r.interrupts) > 0 {
		r.publish(ctx, r.result.Plan.Interrupted(r.inForce, r.applied()))
	}
	outcome := ledger.Failed{
		On: r.version, At: r.Now(), Code: failure.Code, Message: cause.Error(), Soon: failure.Code == CodeIsolating,
		Rejected: r.learned, WroteNothing: r.result.Writes == 0, InFlightUntil: r.inFlightUntil,
	}
	if r.decided {
		known, err := r.learned.Apply(r.recorded)
		if err != nil {
			return r.result, err
		}
		outcome.Statuses = plan.StatusOnFailure(r.world, r.result.Plan, r.inForce, known.Gateway.Refused, failure)
		outcome.Superseded = plan.Superseded(r.world.Rows, r.recorded.Gateway)
	}
	if _, err := r.States.Update(ctx, r.gateway, r.recorded, outcome); err != nil {
		return r.result, notRecorded(r.gateway, errors.Join(err, cause))
	}
	return r.result, nil
}

// publish sends notices. The policy is right without them, so a bus that fails is
// logged and nothing is undone.
func (r *run) publish(ctx context.Context, notices []plan.Notice) {
	notices = slices.DeleteFunc(slices.Clone(notices), func(notice plan.Notice) bool {
		return slices.ContainsFunc(r.published, func(sent plan.Notice) bool { return reflect.DeepEqual(sent, notice) })
	})
	if len(notices) == 0 {
		return
	}
	r.published = append(r.published, notices...)
	if err := r.Notices.Publish(ctx, notices); err != nil {
		r.Log.ErrorContext(ctx, "notices not published", "gateway", r.gateway.ARN(), "error", err)
	}
}
