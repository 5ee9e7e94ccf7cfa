// Package reconcile makes one gateway's resource policy what its grants say.
//
// AgentCore has no revision id and no lease can fence a put, so the last writer
// wins. The loop therefore converges under any interleaving: it reads, decides,
// writes only what differs, and ends only with a pass that found nothing to
// write. It acts on what it reads, never on what an event says.
package reconcile

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
)

// maxPasses bounds one run; a gateway that others keep writing to is left to the sweep.
const maxPasses = 6

// Dependencies are what a Reconciler reads and writes. All are required.
type Dependencies struct {
	Gateways  Gateways
	Grants    Grants
	Directory Directory
	States    States
	Notices   Notices
	Now       func() time.Time
	Log       *slog.Logger
}

// Reconciler reconciles gateways, any number at the same time.
type Reconciler struct {
	Dependencies
	limits plan.Limits
}

// New returns a Reconciler that keeps within the limits.
func New(dependencies Dependencies, limits plan.Limits) *Reconciler {
	return &Reconciler{Dependencies: dependencies, limits: limits}
}

// Cause is what asked for a reconcile. It is recorded, and decides nothing.
type Cause struct {
	Text        string    // such as "grants table" or "sweep"
	By          string    // ARN of who did it, where that is known
	RequestedAt time.Time // zero where that is not known
}

// Result is how a run ended for its gateway.
type Result struct {
	Plan    plan.Plan     // of the last pass
	Changes []plan.Change // what the run changed, kept and left out
	Passes  int
	Writes  int
	Failure *grant.Error // why the policy may not be what the grants say; nil if it is

	Applied  time.Time // when what was written was read back as right; zero where nothing was
	Repaired bool      // what was written put right what others had changed
}

// Reconcile makes the gateway's policy what its grants say. Whatever keeps it
// from that is recorded with the gateway, tried again when due, and returned as
// the result's Failure. The error is not nil only if the outcome could not be
// recorded, so that the caller must ask again.
func (r *Reconciler) Reconcile(ctx context.Context, gateway grant.Gateway, cause Cause) (Result, error) {
	run := r.begin(gateway, cause)
	for run.result.Passes < maxPasses {
		run.result.Passes++
		next, err := run.pass(ctx)
		if next == settled {
			next, err = run.settle(ctx)
		}
		switch next {
		case ended:
			return run.result, nil
		case failed:
			return run.fail(ctx, err)
		case unrecorded:
			return run.result, notRecorded(gateway, err)
		default: // look again
		}
	}
	return run.fail(ctx, notConverged())
}

func notConverged() error {
	return &grant.Error{Code: CodeNotConverged, Op: "settle the policy",
		Hint: fmt.Sprintf("what was written was not what was read, %d times: others keep changing it, or AWS shows it late; it is tried again", maxPasses)}
}

// notRecorded is the failure of a run that could not record how it ended.
func notRecorded(gateway grant.Gateway, err error) error {
	return fmt.Errorf("reconcile %s: outcome not recorded: %w", gateway, err)
}

// Plan reads everything and says what a reconcile would do, without doing it.
func (r *Reconciler) Plan(ctx context.Context, gateway grant.Gateway) (plan.Plan, error) {
	world, err := r.Observe(ctx, gateway)
	if err != nil {
		return plan.Plan{}, fmt.Errorf("plan %s: %w", gateway, err)
	}
	return plan.Make(world, r.limits)
}

// Observe reads everything that a decision on the gateway depends on.
func (r *Reconciler) Observe(ctx context.Context, gateway grant.Gateway) (plan.World, error) {
	run := r.begin(gateway, Cause{})
	for range maxPasses {
		switch verdict, err := run.read(ctx); {
		case err != nil:
			return plan.World{}, err
		case verdict == complete:
			return run.world, nil
		}
	}
	return plan.World{}, notConverged()
}
