package simulation

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

// rowsAs alters what a read of the grants answers.
type rowsAs struct {
	reconcile.Grants
	as func(rows []grant.Row, err error) ([]grant.Row, error)
}

func (r rowsAs) ForGateway(ctx context.Context, g grant.Gateway) ([]grant.Row, error) {
	return r.as(r.Grants.ForGateway(ctx, g))
}

// inconsistentRead misses changes of the last five seconds.
func inconsistentRead(n *run, d *reconcile.Dependencies, _ *plan.Limits) {
	d.Grants = rowsAs{d.Grants, func(rows []grant.Row, err error) ([]grant.Row, error) {
		if err == nil && !n.gateway.changed.IsZero() && n.w.now.Sub(n.gateway.changed) < 5*time.Second {
			return n.gateway.before, nil
		}
		return rows, err
	}}
}

// partialRead loses the second page now and then.
func partialRead(n *run, d *reconcile.Dependencies, _ *plan.Limits) {
	d.Grants = rowsAs{d.Grants, func(rows []grant.Row, err error) ([]grant.Row, error) {
		if n.w.oneIn(4) {
			rows = rows[:len(rows)/2]
		}
		return rows, err
	}}
}

func sentinelIgnored(_ *run, d *reconcile.Dependencies, _ *plan.Limits) {
	d.Grants = rowsAs{d.Grants, func(rows []grant.Row, err error) ([]grant.Row, error) {
		if grant.CodeOf(err) == store.CodeNoSentinel {
			return nil, nil
		}
		return rows, err
	}}
}

func expiredKept(_ *run, d *reconcile.Dependencies, _ *plan.Limits) {
	d.Grants = rowsAs{d.Grants, func(rows []grant.Row, err error) ([]grant.Row, error) {
		rows = slices.Clone(rows)
		for i, row := range rows {
			if row.Fault == nil {
				endless := *row.Grant
				endless.Expires = time.Time{}
				rows[i].Grant = &endless
			}
		}
		return rows, err
	}}
}

type emptyDirectory struct{ reconcile.Directory }

func directoryTakenAsEmpty(_ *run, d *reconcile.Dependencies, _ *plan.Limits) {
	d.Directory = emptyDirectory{d.Directory}
}

func (e emptyDirectory) Lookup(ctx context.Context, selectors []grant.Principal, accounts []string) (directory.Snapshot, error) {
	snapshot, err := e.Directory.Lookup(ctx, selectors, accounts)
	if err != nil {
		return directory.Complete(selectors, nil), nil //nolint:nilerr // that is the bug
	}
	return snapshot, nil
}

func trustedIgnored(_ *run, _ *reconcile.Dependencies, limits *plan.Limits) {
	limits.Trusted = allAccounts
}

// statesAs alters what is read from and written to the state table. A function
// that is nil alters nothing.
type statesAs struct {
	reconcile.States
	load func(ledger.State) ledger.State
	mark func() bool // whether to
	fix  func(before, after ledger.State) ledger.State
	note func(reconcile.Entry) bool // whether to write the journal
}

func (s statesAs) Load(ctx context.Context, g grant.Gateway) (ledger.State, error) {
	state, err := s.States.Load(ctx, g)
	if s.load != nil {
		state = s.load(state)
	}
	return state, err
}

func (s statesAs) Update(ctx context.Context, g grant.Gateway, loaded ledger.State, t ledger.Transition) (ledger.State, error) {
	if _, begins := t.(ledger.BeginWrite); !begins {
		t = altered{t, s}
	} else if s.mark != nil && !s.mark() {
		return loaded, nil
	}
	return s.States.Update(ctx, g, loaded, t)
}

// altered is a transition by a reconciler that sees and records what a bug makes of it.
type altered struct {
	ledger.Transition
	by statesAs
}

func (a altered) Apply(recorded ledger.State) (ledger.State, error) {
	seen := recorded
	if a.by.load != nil {
		seen = a.by.load(recorded)
	}
	next, err := a.Transition.Apply(seen)
	if err == nil && a.by.fix != nil {
		next = a.by.fix(recorded, next)
	}
	return next, err
}

func (s statesAs) Journal(ctx context.Context, g grant.Gateway, entry reconcile.Entry) error {
	if s.note != nil && !s.note(entry) {
		return nil
	}
	return s.States.Journal(ctx, g, entry)
}

func never() bool { return false }

func markLost(_ *run, d *reconcile.Dependencies, _ *plan.Limits) {
	d.States = statesAs{States: d.States, mark: never}
}

func journalDropped(_ *run, d *reconcile.Dependencies, _ *plan.Limits) {
	d.States = statesAs{States: d.States, note: func(reconcile.Entry) bool { return false }}
}

func unansweredDropped(_ *run, d *reconcile.Dependencies, _ *plan.Limits) {
	d.States = statesAs{States: d.States, note: func(e reconcile.Entry) bool { return e.Outcome != string(reconcile.CodeUnknownOutcome) }}
}

func inFlightForgotten(_ *run, d *reconcile.Dependencies, _ *plan.Limits) {
	d.States = statesAs{States: d.States, load: func(state ledger.State) ledger.State {
		state.Gateway.InFlightUntil = time.Time{}
		return state
	}}
}

func holdsForgotten(_ *run, d *reconcile.Dependencies, _ *plan.Limits) {
	d.States = statesAs{States: d.States, load: func(state ledger.State) ledger.State {
		state.Gateway.Refused = maps.Clone(state.Gateway.Refused)
		maps.DeleteFunc(state.Gateway.Refused, func(_ string, r ledger.Refusal) bool { return r.Code == grant.CodeRecreated })
		return state
	}}
}

func holdsEndedByMistake(n *run, d *reconcile.Dependencies, limits *plan.Limits) {
	if slices.ContainsFunc(n.w.rows(n.gateway), func(row grant.Row) bool { return row.Fault != nil }) {
		holdsForgotten(n, d, limits)
	}
}

func directoryForgotten(_ *run, d *reconcile.Dependencies, _ *plan.Limits) {
	d.States = statesAs{States: d.States, load: func(state ledger.State) ledger.State {
		state.Gateway.HadDirectory = false
		return state
	}}
}

func goneRowsKept(_ *run, d *reconcile.Dependencies, _ *plan.Limits) {
	d.States = statesAs{States: d.States, fix: func(before, after ledger.State) ledger.State {
		for key, status := range before.Grants {
			if _, stays := after.Grants[key]; !stays {
				after.Grants[key] = status
			}
		}
		return after
	}}
}

// lastValidAs alters what is recorded of rows that cannot be understood.
func lastValidAs(n *run, d *reconcile.Dependencies, as func(grant.Status) grant.Status) {
	d.States = statesAs{States: d.States, load: func(state ledger.State) ledger.State {
		state.Grants = maps.Clone(state.Grants)
		for _, row := range n.w.rows(n.gateway) {
			if status, known := state.Grants[row.Key]; known && row.Fault != nil {
				state.Grants[row.Key] = as(status)
			}
		}
		return state
	}}
}

func invalidRevokes(n *run, d *reconcile.Dependencies, _ *plan.Limits) {
	lastValidAs(n, d, func(status grant.Status) grant.Status {
		status.Admitted, status.Withheld = nil, nil
		return status
	})
}

// invalidWidens forgets the conditions of what a row gave when it was last valid.
func invalidWidens(n *run, d *reconcile.Dependencies, _ *plan.Limits) {
	lastValidAs(n, d, func(status grant.Status) grant.Status {
		var attributes grant.Attributes
		if json.Unmarshal([]byte(status.LastValid), &attributes) != nil {
			return status
		}
		delete(attributes, "conditions")
		text, err := json.Marshal(attributes)
		must(err)
		status.LastValid = string(text)
		return status
	})
}

// insisting records its own decision over what others have recorded since.
type insisting struct{ reconcile.States }

func recordedOverOthers(_ *run, d *reconcile.Dependencies, _ *plan.Limits) {
	d.States = insisting{d.States}
}

func (i insisting) Update(ctx context.Context, g grant.Gateway, loaded ledger.State, t ledger.Transition) (ledger.State, error) {
	if _, begins := t.(ledger.BeginWrite); !begins {
		t = onlyOn{t, loaded}
	}
	return i.States.Update(ctx, g, loaded, t)
}

// onlyOn applies a transition to what the run loaded, whatever is recorded.
type onlyOn struct {
	ledger.Transition
	loaded ledger.State
}

func (o onlyOn) Apply(ledger.State) (ledger.State, error) { return o.Transition.Apply(o.loaded) }

// early reads the state before everything else, as the loop once did.
type early struct {
	reconcile.Gateways
	reconcile.States
	state ledger.State
	err   error
	kept  bool
}

func stateReadFirst(_ *run, d *reconcile.Dependencies, _ *plan.Limits) {
	e := &early{Gateways: d.Gateways, States: d.States}
	d.Gateways, d.States = e, e
}

func (e *early) Describe(ctx context.Context, g grant.Gateway) (plan.Observed, error) {
	e.state, e.err = e.States.Load(ctx, g)
	e.kept = true
	return e.Gateways.Describe(ctx, g)
}

func (e *early) Load(ctx context.Context, g grant.Gateway) (ledger.State, error) {
	if e.kept {
		e.kept = false
		return e.state, e.err
	}
	return e.States.Load(ctx, g)
}

type chatting struct {
	reconcile.States
	notices reconcile.Notices
}

// chatter publishes a notice in every round, whether it did anything or not.
func chatter(_ *run, d *reconcile.Dependencies, _ *plan.Limits) {
	d.States = chatting{d.States, d.Notices}
}

func (c chatting) Load(ctx context.Context, g grant.Gateway) (ledger.State, error) {
	if err := c.notices.Publish(ctx, []plan.Notice{{Type: plan.PolicyApplied, Gateway: g.ARN()}}); err != nil {
		return ledger.State{}, err
	}
	return c.States.Load(ctx, g)
}
