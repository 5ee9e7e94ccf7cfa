package reconcile

import (
	"context"
	"errors"
	"fmt"
	"reflect"
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

	world     plan.World
	directory directory.Snapshot // as read, whatever the state makes of it
	decided   bool               // the pass has made its plan
	inForce   *policy.Document   // as last read or written

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
	if err := r.observe(ctx); err != nil {
		return failed, err
	}
	if err := r.recall(ctx); err != nil {
		return unrecorded, err
	}
	if err := r.readTakeover(ctx); err != nil {
		return failed, err
	}
	if err := r.decide(); err != nil {
		return failed, err
	}
	if fresh, err := r.isFresh(ctx); err != nil {
		return failed, err
	} else if !fresh {
		return lookAgain, nil
	}
	r.decided = true
	if !r.result.Plan.Write {
		return settled, nil
	}
	return r.apply(ctx)
}

// observe reads the grants, the gateway and its policy.
func (r *run) observe(ctx context.Context) error {
	r.world, r.decided = plan.World{Now: r.Now(), Gateway: plan.Observed{Gateway: r.gateway}}, false
	rows, err := r.Grants.ForGateway(ctx, r.gateway)
	if err != nil {
		return fmt.Errorf("read the grants: %w", err)
	}
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
	r.world.Gateway, r.world.Rows, r.inForce = observed, rows, observed.Policy
	return nil
}

// recall reads the recorded state and the directory. The state comes after the policy:
// a run that writes a policy first records which accounts selectors admit and which
// principals are held, so that a run that has read the policy finds recorded what it
// was written with. The directory comes last, because the state tells what rows with a
// fault need of it. Where there seems to be no directory, the state is read once more:
// a run that had one may have recorded so since, and accounts outside the organization
// must not get in for a lost mark.
func (r *run) recall(ctx context.Context) error {
	if err := r.load(ctx); err != nil {
		return err
	}
	snapshot, asked := r.lookup(ctx)
	r.directory = snapshot
	seemsNone := asked && snapshot.Availability() == directory.Absent
	if seemsNone && !r.recorded.Gateway.HadDirectory {
		if err := r.load(ctx); err != nil {
			return err
		}
	}
	if seemsNone && r.recorded.Gateway.HadDirectory {
		r.Log.WarnContext(ctx, "directory lost its mark of a complete listing; the next one puts it back", "gateway", r.gateway.ARN())
		snapshot = directory.Failed()
	}
	r.world.Accounts = snapshot
	return nil
}

// readTakeover reads what an admin approved, where the gateway is to be taken over.
func (r *run) readTakeover(ctx context.Context) error {
	r.world.Takeover = nil
	if !plan.NeedsTakeover(r.world.Gateway, r.limits.Installation) {
		return nil
	}
	approved, err := r.Grants.Takeover(ctx, r.gateway)
	if err != nil {
		return fmt.Errorf("read which takeover is approved: %w", err)
	}
	r.world.Takeover = &approved
	return nil
}

// load reads the recorded state. What the run has learned of AWS, and not recorded
// yet, counts as recorded.
func (r *run) load(ctx context.Context) (err error) {
	if r.recorded, err = r.States.Load(ctx, r.gateway); err != nil {
		return fmt.Errorf("read the recorded state: %w", err)
	}
	r.version, r.inFlightUntil = r.recorded.Gateway.Version, r.recorded.Gateway.InFlightUntil
	r.world.Gateway.Recorded, err = r.learned.Apply(r.recorded)
	return err
}

// lookup reads the part of the directory that the rows need, if any do. A directory
// that cannot be read holds up nothing that can be decided without it.
func (r *run) lookup(ctx context.Context) (snapshot directory.Snapshot, asked bool) {
	selectors, accounts := plan.Consults(r.world.Rows, r.recorded, r.world.Now)
	if len(selectors)+len(accounts) == 0 {
		return snapshot, false
	}
	snapshot, err := r.Directory.Lookup(ctx, selectors, accounts)
	if err != nil {
		r.Log.WarnContext(ctx, "directory unreadable", "gateway", r.gateway.ARN(), "error", err)
		return directory.Failed(), true
	}
	return snapshot, true
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
	return nil
}

// isFresh tells whether the plan may be carried out. Where it forgets something, the
// grants, and the directory as far as they need it, must be as they were when they
// were read. The state is read after the grants, and may tell of a deleted role, or of
// accounts that a selector admits, that this pass has not seen: nothing that tells it
// may be lost for that.
func (r *run) isFresh(ctx context.Context) (bool, error) {
	if !r.result.Plan.Forgets(r.world.Gateway.Recorded) && r.knowsRows() {
		return true, nil
	}
	rows, err := r.Grants.ForGateway(ctx, r.gateway)
	if err != nil {
		return false, fmt.Errorf("read the grants again: %w", err)
	}
	if !sameRows(rows, r.world.Rows) {
		return false, nil
	}
	snapshot, _ := r.lookup(ctx)
	return reflect.DeepEqual(snapshot, r.directory), nil
}

// knowsRows tells whether the rows are recorded in just the revisions that were read.
// Where they are not, another run may have recorded newer ones: a record of the older
// would give an Invalid row back what a valid revision had ended.
func (r *run) knowsRows() bool {
	recorded := r.world.Gateway.Recorded.Grants
	return len(recorded) == len(r.world.Rows) && !slices.ContainsFunc(r.world.Rows, func(row grant.Row) bool {
		return recorded[row.Key].Revision != row.Revision
	})
}

// sameRows tells whether the rows are the same in the same revisions.
func sameRows(a, b []grant.Row) bool {
	revisions := make(map[grant.Key]string, len(a))
	for _, row := range a {
		revisions[row.Key] = row.Revision
	}
	return len(a) == len(b) && !slices.ContainsFunc(b, func(row grant.Row) bool {
		revision, known := revisions[row.Key]
		return !known || revision != row.Revision
	})
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
