package reconcile

import (
	"context"
	"fmt"
	"log/slog"
	"maps"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// apply writes the plan. It records first that a write begins, so that a crash is
// noticed, and reads the policy again just before, so that a foreign statement written
// meanwhile is not lost.
func (r *run) apply(ctx context.Context) (verdict, error) {
	p := r.result.Plan
	if verdict, err := r.beginWrite(ctx, p.Hash); verdict != complete {
		return verdict, err
	}
	if verdict, err := r.stands(ctx); verdict != complete {
		return verdict, err
	}
	err := r.write(ctx, p.Want)
	switch {
	case r.learnsSize(ctx, err):
		return lookAgain, nil
	case refuses(err):
		return r.isolate(ctx)
	}
	r.journal(ctx, r.world.Gateway.Policy, p.Want, p.Hash, err)
	if err != nil && grant.CodeOf(err) != CodeUnknownOutcome {
		return failed, err
	}
	r.result.Writes++
	return lookAgain, nil
}

// stands reads the policy again. It is complete if the policy is still what the pass
// decided on, and looks again if another writer came in between.
func (r *run) stands(ctx context.Context) (verdict, error) {
	now, err := r.Gateways.Policy(ctx, r.gateway)
	switch {
	case err != nil:
		return failed, fmt.Errorf("read the resource policy again: %w", err)
	case !sameBytes(now, r.world.Gateway.Policy):
		return lookAgain, nil
	default:
		return complete, nil
	}
}

// newlyHeld are the principals that the plan holds and the record does not.
func (r *run) newlyHeld() map[string]ledger.Refusal {
	known, held := r.world.Gateway.Recorded.Gateway.Refused, maps.Clone(r.result.Plan.Refused)
	maps.DeleteFunc(held, func(principal string, refusal ledger.Refusal) bool {
		recorded, ok := known[principal]
		return !refusal.Held() || ok && recorded.Same(refusal)
	})
	return held
}

// beginWrite records what the run is going to write. The principals that the plan newly
// holds go with it: once a write replaces the unique id that a deleted role left
// behind, only this record shows that the role was deleted.
func (r *run) beginWrite(ctx context.Context, hash string) (verdict, error) {
	p := r.result.Plan
	begin := ledger.BeginWrite{
		Until: r.Now().Add(ledger.LookAgainAfter), Hash: hash, Held: r.newlyHeld(), WriteAhead: p.WriteAhead,
		Revisions: p.Unrecorded(r.world.Gateway.Recorded), Superseded: plan.Superseded(r.world.Rows, r.world.Gateway.Recorded.Gateway),
		Read: make(map[grant.Key]ledger.Read),
	}
	for row := range begin.Revisions {
		begin.Read[row] = ledger.Read{Revision: p.Status[row].Revision, Recorded: r.world.Gateway.Recorded.Grants[row].Revision}
	}
	recorded, err := r.States.Update(ctx, r.gateway, r.recorded, begin)
	switch {
	case grant.CodeOf(err) == ledger.CodeVersionConflict:
		return lookAgain, nil
	case err != nil:
		return unrecorded, fmt.Errorf("record that a write begins: %w", err)
	}
	r.recorded = recorded
	r.version++
	return complete, nil
}

func (r *run) write(ctx context.Context, want *policy.Document) error {
	if want == nil {
		if err := r.Gateways.DeletePolicy(ctx, r.gateway); err != nil {
			return fmt.Errorf("delete the resource policy: %w", err)
		}
		return nil
	}
	if err := r.Gateways.PutPolicy(ctx, r.gateway, want); err != nil {
		return fmt.Errorf("put the resource policy: %w", err)
	}
	return nil
}

// learnsSize reports whether the error shows that AWS measures policies after it has
// expanded account ids, and the deployment did not know: there is less room then,
// which asks for another plan.
func (r *run) learnsSize(ctx context.Context, err error) bool {
	known := r.limits.Accounting == plan.ExpandedSize || r.world.Gateway.Recorded.Gateway.ExpandedSizeObserved
	if known || grant.CodeOf(err) != CodePolicyTooLarge {
		return false
	}
	r.learned.ExpandedSize = true
	r.Log.WarnContext(ctx, "AWS measures policies after it has expanded account ids", "gateway", r.gateway.ARN(), "error", err)
	return true
}

// journal keeps what a write did. A journal that cannot be written is logged: it
// must not turn a write that happened into one that seems not to have.
func (r *run) journal(ctx context.Context, before, written *policy.Document, hash string, outcome error) {
	entry := Entry{
		At: r.Now(), Cause: r.cause.Text, By: r.cause.By, PlanHash: hash,
		Observed: text(before), Written: text(written), Outcome: "written",
	}
	level, message := slog.LevelInfo, "resource policy written"
	if outcome != nil {
		entry.Outcome = string(codeOf(outcome))
		level, message = slog.LevelWarn, "resource policy perhaps not written"
	}
	r.Log.Log(ctx, level, message, "gateway", r.gateway.ARN(), "cause", r.cause.Text, "by", r.cause.By,
		"planHash", hash, "bytes", len(entry.Written), "drift", r.result.Plan.Drift, "outcome", entry.Outcome)
	if err := r.States.Journal(ctx, r.gateway, entry); err != nil {
		r.Log.ErrorContext(ctx, "journal not written", "gateway", r.gateway.ARN(), "error", err)
	}
}

func text(document *policy.Document) string {
	if document == nil {
		return ""
	}
	return document.String()
}

func sameBytes(a, b *policy.Document) bool { return text(a) == text(b) }
