package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// run is one Reconcile under way.
type run struct {
	Dependencies
	limits  plan.Limits
	gateway grant.Gateway
	cause   Cause
	result  Result    // its Plan is the last pass's
	first   plan.Plan // of the pass that wrote first, or of the last if none did

	world   plan.World
	decided bool             // the pass has made its plan
	inForce *policy.Document // as last read or written

	recorded      ledger.State // as last loaded or recorded
	version       int          // of it, if no other run recorded anything since it was loaded
	inFlightUntil time.Time    // as loaded
	learned       ledger.Rejected

	trials     int           // puts spent on finding bad principals
	interrupts []string      // principals that were out for a while
	published  []plan.Notice // a pass that could not be recorded published them already
}

// verdict is how a step of a run ended.
type verdict uint8

const (
	lookAgain  verdict = iota // the run, or others, changed something: read everything again
	complete                  // the step is done, and the pass goes on
	settled                   // nothing is left to write
	ended                     // and that is recorded
	failed                    // the run ends, with an error that is recorded
	unrecorded                // the state table failed: only the caller can have it tried again
)

func (r *Reconciler) begin(gateway grant.Gateway, cause Cause) *run {
	return &run{
		Dependencies: r.Dependencies, limits: r.limits, gateway: gateway, cause: cause,
		learned: ledger.Rejected{Principals: map[string]ledger.Refusal{}},
	}
}

// pass reads everything afresh, decides, and writes if something differs. It is
// settled if nothing did: a pass that writes nothing is the verification.
func (r *run) pass(ctx context.Context) (verdict, error) {
	if verdict, err := r.read(ctx); verdict != complete {
		return verdict, err
	}
	if err := r.decide(); err != nil {
		return failed, err
	}
	// What was recorded after the policy was read may be of a later write: a role that it
	// let in would seem to have been deleted.
	if len(r.newlyHeld()) > 0 {
		if verdict, err := r.stands(ctx); verdict != complete {
			return verdict, err
		}
	}
	if !r.result.Plan.Write {
		return settled, nil
	}
	return r.apply(ctx)
}

// read reads the world, in the order in which the other runs write it, the last first.
// A run records which accounts selectors admit and which principals it holds before it
// writes a policy; so what a policy was written with is found recorded after it is read.
// It records what it decided by the rows and the directory; so these are never older
// than what is recorded, and nothing recorded is lost to a run that has not seen why.
func (r *run) read(ctx context.Context) (verdict, error) {
	r.world, r.decided = plan.World{Now: r.Now()}, false
	if err := r.observe(ctx); err != nil {
		return failed, err
	}
	if err := r.load(ctx); err != nil {
		return unrecorded, err
	}
	rows, err := r.Grants.ForGateway(ctx, r.gateway)
	if err != nil {
		return failed, fmt.Errorf("read the grants: %w", err)
	}
	r.world.Rows = rows
	if err := r.readApprovals(ctx); err != nil {
		return failed, err
	}
	// The directory comes last: a run that has read it records that it could be read.
	return r.consult(ctx)
}

// observe reads the gateway and its policy.
func (r *run) observe(ctx context.Context) error {
	observed, err := r.Gateways.Describe(ctx, r.gateway)
	if err != nil {
		return fmt.Errorf("describe the gateway: %w", err)
	}
	if observed.Exists {
		if observed.Policy, err = r.Gateways.Policy(ctx, r.gateway); err != nil {
			return fmt.Errorf("read the resource policy: %w", err)
		}
	}
	observed.Gateway = r.gateway
	observed.Listed, observed.ListFault = r.listed(ctx)
	r.world.Gateway, r.inForce = observed, observed.Policy
	return nil
}

// listed reports whether the gateway's account is on the list of owners, where the limits
// do not name it. A list that cannot be read holds up no removal.
func (r *run) listed(ctx context.Context) (bool, *grant.Error) {
	owner := r.gateway.Account()
	if len(r.limits.Owners) == 0 || slices.Contains(r.limits.Owners, owner) {
		return false, nil
	}
	listed, err := r.Directory.IsOwner(ctx, owner)
	if err != nil {
		r.Log.WarnContext(ctx, "list of owner accounts unreadable", "gateway", r.gateway.ARN(), "error", err)
		return false, coded(fmt.Errorf("read whether account %s owns gateways: %w", owner, err))
	}
	return listed, nil
}

// readApprovals reads what admins approved, where something waits for it.
func (r *run) readApprovals(ctx context.Context) error {
	r.world.Approvals, r.world.Takeover = nil, plan.NeedsTakeover(r.world.Gateway, r.limits.Installation)
	if !r.world.Takeover && !plan.HoldsAny(r.world.Gateway.Recorded) {
		return nil
	}
	approvals, err := r.Grants.Approvals(ctx, r.gateway)
	if err != nil {
		return fmt.Errorf("read what admins approved: %w", err)
	}
	r.world.Approvals = approvals
	return nil
}

// load reads the recorded state. What the run has learned of AWS, and not recorded
// yet, counts as recorded.
func (r *run) load(ctx context.Context) (err error) {
	if r.recorded, err = r.States.Load(ctx, r.gateway); err != nil {
		return fmt.Errorf("read the recorded state: %w", err)
	}
	if newer := r.recorded.Newer; newer != (ledger.Newer{}) {
		r.Log.WarnContext(ctx, "a newer version recorded the gateway", "gateway", r.gateway.ARN(), "newer", newer.Product, "form", newer.Form)
	}
	r.version, r.inFlightUntil = r.recorded.Gateway.Version, r.recorded.Gateway.InFlightUntil
	r.world.Gateway.Recorded, err = r.learned.Apply(r.recorded)
	return err
}

// consult reads the part of the directory that the rows need, if any do. A directory
// that cannot be read holds up nothing that can be decided without it. Where there seems
// to be none, the state is read once more: a run that had one may have recorded so
// since, and accounts outside the organization must not get in for a lost mark.
func (r *run) consult(ctx context.Context) (verdict, error) {
	selectors, accounts := plan.Consults(r.world.Rows, r.recorded, r.world.Now)
	if len(selectors)+len(accounts) == 0 {
		return complete, nil
	}
	snapshot, err := r.Directory.Lookup(ctx, selectors, accounts)
	switch {
	case err != nil:
		r.Log.WarnContext(ctx, "directory unreadable", "gateway", r.gateway.ARN(), "error", err)
		snapshot = directory.Failed()
	case snapshot.Availability() == directory.Absent && !r.recorded.Gateway.HadDirectory:
		before := r.version
		if err := r.load(ctx); err != nil {
			return unrecorded, err
		}
		if r.version != before { // the rows may be older than what is recorded now
			return lookAgain, nil
		}
	case snapshot.Availability() == directory.Absent:
		r.Log.WarnContext(ctx, "directory lost its mark of a complete listing; the next one puts it back", "gateway", r.gateway.ARN())
		snapshot = directory.Failed()
	}
	r.world.Accounts = snapshot
	return complete, nil
}

// decide makes the pass's plan.
func (r *run) decide() error {
	p, err := plan.Make(r.world, r.limits)
	if err != nil {
		return err
	}
	r.result.Plan = p
	if r.result.Writes == 0 {
		r.first = p
	}
	r.decided = true
	return nil
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
