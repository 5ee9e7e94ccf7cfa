package simulation

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// While functions are replaced, runs of a newer version, which records a form of its
// own, and of an older one, which does not know that form, are under way beside each
// other. What the newer version has recorded once stays in its form.

var newerVersion = ledger.Newer{Form: ledger.Form + 1, Product: "9.0"}

// recordedByNewer is what the run finds of what a newer version recorded; zero for none.
func (n *run) recordedByNewer() ledger.Newer {
	if n.older && n.gateway.newerForm {
		return newerVersion
	}
	return ledger.Newer{}
}

// asItMay is the transition as the run's version may record it on what it finds then.
type asItMay struct {
	run *run
	by  ledger.Transition
}

func (a asItMay) Apply(recorded ledger.State) (ledger.State, error) {
	recorded.Newer = a.run.recordedByNewer()
	next, err := recorded.Record(a.by)
	next.Newer = ledger.Newer{}
	return next, err
}

// onNewer reports whether the run decided on the record of a newer version.
func (n *run) onNewer() bool { return n.state.Newer != ledger.Newer{} }

// addsNothingToNewer is invariant 12: an older version lets in no principal that its
// basis did not let in.
func (n *run) addsNothingToNewer(owned *policy.Document) {
	if !n.onNewer() {
		return
	}
	stood := ways(ownedOnly(n.basis))
	for added := range ways(owned) {
		if !stood[added] {
			n.w.violate(12, "%s, of an older version, adds %+v to what a newer one recorded", n.name, added)
		}
	}
}

// recordedAs leaves of what a row gives what the record says, for an older version: an
// edit waits for the newer one, and so does a role's statement that another writer removed.
func (n *run) recordedAs(row grant.Row, given *grant.Grant, arns []string) (*grant.Grant, []string) {
	if !n.onNewer() || given == nil {
		return given, arns
	}
	status, stood := n.state.Grants[row.Key], ""
	if status.Revision != row.Revision {
		return nil, nil
	}
	if owned := ownedOnly(n.basis); owned != nil {
		stood = owned.String()
	}
	return given, slices.DeleteFunc(slices.Clone(arns), func(arn string) bool {
		return !slices.Contains(status.Given(), arn) || !strings.HasSuffix(arn, ":root") && !strings.Contains(stood, arn)
	})
}

// revokesOnNewer is invariant 3 for an older version: what a newer one recorded of a
// row that was deleted, or has expired, is out after a round of the older one.
func (w *world) revokesOnNewer() {
	if keys := slices.SortedFunc(maps.Keys(w.written), func(a, b grant.Key) int { return strings.Compare(a.String(), b.String()) }); len(keys) > 0 {
		w.revoke(keys[w.pick(len(keys))])
	}
	w.requests = nil
	w.now = w.now.Add(ledger.LookAgainAfter + time.Second) // no write is in flight
	w.effects++
	w.log("a round of the older version")
	for _, g := range w.gateways {
		if g.stuck || !g.newerForm || len(w.broken) > 0 {
			continue
		}
		n := w.launch(request{g, "sweep: gateways"})
		n.older = true
		w.finish(n)
		if n.err != nil || n.result.Failure == nil || n.result.Failure.Code != grant.CodeNewerVersion || n.stale {
			continue
		}
		rows := w.rows(g)
		owned := ownedOnly(parse(w.text(g)))
		if owned == nil {
			continue
		}
		genuine := g.genuine(owned)
		for _, v := range visitors {
			if lets(g, genuine, v, w.now) && !w.everGiven(g, rows, v) {
				w.violate(3, "%s is still let in on %s, by no row that is there, after a round of an older version", v, g.name)
			}
		}
	}
}

// everGiven reports whether a revision of a row that is there may mean the visitor.
func (w *world) everGiven(g *gateway, rows []grant.Row, v visitor) bool {
	for _, row := range rows {
		for _, was := range g.valid[row.Key] {
			given := was.Grant
			if given.Live(w.now) && v.from(given.Conditions) && (given.Principal.IsSelector() || within(given.Subject().ARN(partition), v.arn())) {
				return true
			}
		}
	}
	return false
}

// newerFormTaken has an older version take the record of a newer one for its own.
func newerFormTaken(_ *run, d *reconcile.Dependencies, _ *plan.Limits) {
	d.States = statesAs{States: d.States, load: func(state ledger.State) ledger.State {
		state.Newer = ledger.Newer{}
		return state
	}}
}

// deletionOverlooked has an older version take a row that was deleted for one that it
// cannot understand.
func deletionOverlooked(n *run, d *reconcile.Dependencies, _ *plan.Limits) {
	d.Grants = rowsAs{d.Grants, func(rows []grant.Row, err error) ([]grant.Row, error) {
		if !n.onNewer() || err != nil {
			return rows, err
		}
		for key := range n.state.Grants {
			if !slices.ContainsFunc(rows, func(row grant.Row) bool { return row.Key == key }) {
				rows = append(rows, grant.Row{Key: key, Fault: &grant.Error{Code: grant.CodeNewerVersion}})
			}
		}
		return rows, nil
	}}
}
