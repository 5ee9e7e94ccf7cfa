// Package reconcile makes one gateway's resource policy what its grants say.
//
// AgentCore has no revision id and no lease can fence a put, so the last writer
// wins. The loop therefore converges under any interleaving: it reads, decides,
// writes only what differs, and ends only with a pass that found nothing to
// write. It acts on what it reads, never on what an event says.
package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

const (
	// maxPasses bounds one run; a gateway that others keep writing to is left to
	// the sweep.
	maxPasses = 6
	// lookAgainAfter is when a gateway is looked at again after a write, so that a
	// crash in the middle of it or a late write of somebody else is seen.
	lookAgainAfter = 2 * time.Minute
)

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
	Repaired bool      // what was written put right what somebody else had changed
}

// Reconcile makes the gateway's policy what its grants say. Whatever keeps it
// from that is recorded with the gateway, tried again when due, and returned as
// the result's Failure. The error is not nil only if the outcome could not be
// recorded, so that whoever asked must ask again.
func (r *Reconciler) Reconcile(ctx context.Context, gateway grant.Gateway, cause Cause) (Result, error) {
	run := &run{Reconciler: r, gateway: gateway, cause: cause, refused: map[string]plan.Refusal{}}
	for run.result.Passes < maxPasses {
		run.result.Passes++
		settled, err := run.pass(ctx)
		switch {
		case errors.Is(err, errUnrecorded):
			return run.result, fmt.Errorf("reconcile %s: %w", gateway, err)
		case err != nil:
			return run.fail(ctx, err)
		case settled:
			result, err := run.settle(ctx)
			if grant.CodeOf(err) == CodeVersionConflict {
				continue
			}
			return result, err
		}
	}
	return run.fail(ctx, &grant.Error{Code: CodeNotConverged, Op: "settle the policy",
		Hint: fmt.Sprintf("what was written was not what was read, %d times: somebody else keeps changing it, or AWS shows it late; it is tried again", maxPasses)})
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
	run := &run{Reconciler: r, gateway: gateway}
	if err := run.observe(ctx); err != nil {
		return plan.World{}, err
	}
	return run.world, nil
}

// run is one Reconcile under way.
type run struct {
	*Reconciler
	gateway grant.Gateway
	cause   Cause
	world   plan.World
	result  Result
	first   plan.Plan // of the pass that wrote first, or of the last if none did

	decided      bool                    // the pass has made its plan
	inForce      *policy.Document        // as last read or written
	directory    directory.Snapshot      // as read, whatever the state makes of it
	marks        int                     // by this run since it loaded the state
	published    []plan.Notice           // by this run; a pass that could not be recorded told them already
	trials       int                     // puts spent on finding bad principals
	refused      map[string]plan.Refusal // found in this run, not recorded yet
	interrupts   []string                // principals that were out for a while
	expandedSize bool                    // AWS refused for its size what fits as submitted
	listsRefused bool                    // AWS rejected a list of principals that it accepts one by one
}

// pass reads everything afresh, decides, and writes if something differs. It is
// settled if nothing did: a pass that writes nothing is the verification.
func (r *run) pass(ctx context.Context) (settled bool, err error) {
	if err := r.observe(ctx); err != nil {
		return false, err
	}
	p, err := plan.Make(r.world, r.limits)
	if err != nil {
		return false, err
	}
	r.result.Plan = p
	if r.result.Writes == 0 {
		r.first = p
	}
	if p.Forgets(r.world.Gateway.Recorded) || !r.knowsRows() {
		if fresh, err := r.isFresh(ctx); !fresh || err != nil {
			return false, err
		}
	}
	r.decided = true
	if !p.Write {
		return true, nil
	}
	return false, r.apply(ctx, p)
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

// isFresh tells whether the grants, and the directory as far as they need it, are as
// they were when they were read. The state is read after the grants, and may tell of a
// deleted role, or of whom a selector means, that this pass has not seen: nothing
// that tells it may be lost for that.
func (r *run) isFresh(ctx context.Context) (bool, error) {
	rows, err := r.Grants.ForGateway(ctx, r.gateway)
	if err != nil {
		return false, fmt.Errorf("read the grants again: %w", err)
	}
	if !sameRows(rows, r.world.Rows) {
		return false, nil
	}
	snapshot, _ := r.lookup(ctx, rows, r.world.Gateway.Recorded)
	return reflect.DeepEqual(snapshot, r.directory), nil
}

// observe reads the world. The state comes after the policy: a run that writes a
// policy first records whom selectors mean and which principals are held, so that a
// run that has read the policy finds recorded what it was written with. The
// directory comes last, because the state tells what rows with a fault need of it.
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
	state, snapshot, asked, err := r.recall(ctx, rows)
	if err != nil {
		return err
	}
	r.directory = snapshot
	if asked && snapshot.Availability() == directory.Absent && state.Gateway.HadDirectory {
		r.Log.WarnContext(ctx, "directory lost its mark of a complete listing; the next one puts it back", "gateway", r.gateway.ARN())
		snapshot = directory.Failed()
	}
	r.world.Accounts, r.marks = snapshot, 0
	state.Gateway.Refused = merged(state.Gateway.Refused, r.refused)
	state.Gateway.ExpandedSizeObserved = state.Gateway.ExpandedSizeObserved || r.expandedSize
	state.Gateway.ListsRefused = state.Gateway.ListsRefused || r.listsRefused
	observed.Gateway, observed.Recorded = r.gateway, state
	r.world.Gateway, r.world.Rows, r.inForce = observed, rows, observed.Policy
	return nil
}

// recall reads the recorded state, and then the directory. Where there seems to be no
// directory, it reads the state once more: a run that had one may have recorded so
// since, and accounts outside the organization must not get in for a lost mark.
func (r *run) recall(ctx context.Context, rows []grant.Row) (state plan.State, snapshot directory.Snapshot, asked bool, err error) {
	if state, err = r.load(ctx); err != nil {
		return plan.State{}, snapshot, false, err
	}
	snapshot, asked = r.lookup(ctx, rows, state)
	if asked && snapshot.Availability() == directory.Absent && !state.Gateway.HadDirectory {
		state, err = r.load(ctx)
	}
	return state, snapshot, asked, err
}

func (r *run) load(ctx context.Context) (plan.State, error) {
	state, err := r.States.Load(ctx, r.gateway)
	if err != nil {
		return plan.State{}, fmt.Errorf("%w: read the recorded state: %w", errUnrecorded, err)
	}
	return state, nil
}

// lookup reads the part of the directory that the rows need, if any do. A directory
// that cannot be read holds up nothing that can be decided without it.
func (r *run) lookup(ctx context.Context, rows []grant.Row, recorded plan.State) (snapshot directory.Snapshot, asked bool) {
	selectors, accounts := plan.Consults(rows, recorded, r.world.Now)
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

// apply writes the plan. It marks the gateway due first, so that a crash is
// noticed, and re-reads the policy just before, so that a foreign statement
// written meanwhile is not lost.
func (r *run) apply(ctx context.Context, p plan.Plan) error {
	if err := r.beginWrite(ctx, p, p.Hash); err != nil {
		return err
	}
	now, err := r.Gateways.Policy(ctx, r.gateway)
	if err != nil {
		return fmt.Errorf("re-read the resource policy: %w", err)
	}
	if !sameBytes(now, r.world.Gateway.Policy) {
		return nil // somebody was faster: look again
	}
	err = r.write(ctx, p.Want)
	switch {
	case r.learnsSize(ctx, err):
		return nil
	case refuses(err):
		if err = r.isolate(ctx, p); errors.Is(err, errMoved) {
			return nil
		}
		return err
	}
	r.journal(ctx, now, p.Want, p.Hash, err)
	if err == nil || grant.CodeOf(err) == CodeUnknownOutcome {
		r.result.Writes++
		return nil
	}
	return err
}

// beginWrite records what is about to be written. Whom the plan has newly held goes
// with it: once the unique id that a deleted role left behind is
// written over, nothing but this record tells that the role was deleted.
func (r *run) beginWrite(ctx context.Context, p plan.Plan, hash string) error {
	learned := maps.Clone(p.Refused)
	maps.DeleteFunc(learned, func(principal string, refusal plan.Refusal) bool {
		known, ok := r.world.Gateway.Recorded.Gateway.Refused[principal]
		return !refusal.Held() || ok && sameRefusal(known, refusal)
	})
	intent := plan.Intent{Due: r.Now().Add(lookAgainAfter), Hash: hash, Refused: learned, WriteAhead: p.WriteAhead}
	if err := r.States.BeginWrite(ctx, r.gateway, intent); err != nil {
		return fmt.Errorf("%w: record the intent to write: %w", errUnrecorded, err)
	}
	r.marks++
	return nil
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

// learnsSize tells whether the error shows that AWS measures policies after it has
// expanded account ids, and the deployment did not know: there is less room then,
// which asks for another plan.
func (r *run) learnsSize(ctx context.Context, err error) bool {
	known := r.limits.Accounting == plan.ExpandedSize || r.world.Gateway.Recorded.Gateway.ExpandedSizeObserved
	if known || grant.CodeOf(err) != CodePolicyTooLarge {
		return false
	}
	r.expandedSize = true
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

func merged(known, found map[string]plan.Refusal) map[string]plan.Refusal {
	if len(found) == 0 {
		return known
	}
	all := make(map[string]plan.Refusal, len(known)+len(found))
	maps.Copy(all, known)
	for principal, refusal := range found {
		if !all[principal].Since.IsZero() && all[principal].Held() {
			continue // another run knows it as deleted, and this one only as refused
		}
		all[principal] = refusal
	}
	return all
}

func text(document *policy.Document) string {
	if document == nil {
		return ""
	}
	return document.String()
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

func sameBytes(a, b *policy.Document) bool { return text(a) == text(b) }
