package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

func dueInOrder(t *testing.T, table StatesTable) {
	gamma := gateway("gamma-0123456789")
	statuses := map[grant.Key]grant.Status{key("*", "one"): {Phase: grant.PhaseAdmitted}}
	Record(t, table, alpha, ledger.State{Gateway: ledger.Ledger{Due: at(20)}, Grants: statuses})
	Record(t, table, beta, ledger.State{Gateway: ledger.Ledger{Due: at(10)}})
	Record(t, table, gamma, ledger.State{Gateway: ledger.Ledger{}})
	var many []string
	for i := range 7 {
		gateway := gateway(fmt.Sprintf("many%d-0123456789", i))
		update(t, table, gateway, ledger.BeginWrite{Until: at(30 + i)})
		many = append(many, gateway.ARN())
	}
	for _, step := range []struct {
		reason string
		before time.Time
		want   []string
	}{
		{"nothing is due yet", at(10).Add(-time.Nanosecond), []string{}},
		{"due at this very moment", at(10), []string{beta.ARN()}},
		{"two are due", at(20), []string{beta.ARN(), alpha.ARN()}},
		{"all that will ever be due", at(10_000), append([]string{beta.ARN(), alpha.ARN()}, many...)},
	} {
		dueBecomes(t, table, step.reason, step.before, step.want)
	}
	Record(t, table, beta, ledger.State{Gateway: ledger.Ledger{}})
	eventually(t, "one was looked at", []string{alpha.ARN()}, func() ([]string, error) { return table.Due(t.Context(), at(20)) })
}

func askedForRests(t *testing.T, table StatesTable) {
	Record(t, table, alpha, ledger.State{Gateway: ledger.Ledger{Due: at(10), AppliedHash: "abc"}})
	later := at(10).Add(time.Minute)
	Record(t, table, beta, ledger.State{Gateway: ledger.Ledger{Due: later}})
	before := load(t, table, alpha)
	must(t, table.Asked(t.Context(), alpha, at(10)))
	must(t, table.Asked(t.Context(), beta, at(10)))                        // not due yet
	must(t, table.Asked(t.Context(), gateway("gamma-0123456789"), at(10))) // never recorded
	same(t, "state", before, load(t, table, alpha))
	same(t, "state of one never recorded", ledger.State{}, load(t, table, gateway("gamma-0123456789")))
	again := at(10).Add(store.AskAgainAfter)
	for _, step := range []struct {
		reason string
		before time.Time
		want   []string
	}{
		{"the request is on its way", at(10), []string{}},
		{"the other is due", later, []string{beta.ARN()}},
		{"the request must have been lost", again, []string{alpha.ARN(), beta.ARN()}},
		{"it was not lost a moment ago", again.Add(-time.Nanosecond), []string{beta.ARN()}},
	} {
		dueBecomes(t, table, step.reason, step.before, step.want)
	}
}

func askedForEnds(t *testing.T, table StatesTable) {
	for reason, transition := range map[string]ledger.Transition{
		"recorded":            exactly{Gateway: ledger.Ledger{Due: at(11)}},
		"about to be written": ledger.BeginWrite{Until: at(30), Hash: "def"},
	} {
		Record(t, table, alpha, ledger.State{Gateway: ledger.Ledger{Due: at(10)}})
		must(t, table.Asked(t.Context(), alpha, at(10)))
		dueBecomes(t, table, "asked for", at(11), []string{})
		update(t, table, alpha, transition)
		dueBecomes(t, table, reason, at(11), []string{alpha.ARN()})
	}
}

func dueBecomes(t *testing.T, table StatesTable, reason string, before time.Time, want []string) {
	t.Helper()
	eventually(t, reason, want, func() ([]string, error) {
		due, err := table.Due(t.Context(), before)
		return append([]string{}, due...), err
	})
}
