package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

func dueInOrder(t *testing.T, table StatesTable) {
	gamma := gateway("gamma-0123456789")
	statuses := map[grant.Key]grant.Status{key("*", "one"): {Phase: grant.PhaseAdmitted}}
	must(t, record(t, table, alpha, plan.GatewayState{Due: at(20)}, statuses, nil))
	must(t, record(t, table, beta, plan.GatewayState{Due: at(10)}, nil, nil))
	must(t, record(t, table, gamma, plan.GatewayState{}, nil, nil))
	var many []string
	for i := range 7 {
		gateway := gateway(fmt.Sprintf("many%d-0123456789", i))
		must(t, table.BeginWrite(t.Context(), gateway, plan.Intent{Due: at(30 + i)}))
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
	must(t, record(t, table, beta, plan.GatewayState{}, nil, nil))
	eventually(t, "one was looked at", []string{alpha.ARN()}, func() ([]string, error) { return table.Due(t.Context(), at(20)) })
}

func askedForRests(t *testing.T, table StatesTable) {
	must(t, record(t, table, alpha, plan.GatewayState{Due: at(10), AppliedHash: "abc"}, nil, nil))
	later := at(10).Add(time.Minute)
	must(t, record(t, table, beta, plan.GatewayState{Due: later}, nil, nil))
	before := load(t, table, alpha)
	must(t, table.Asked(t.Context(), alpha, at(10)))
	must(t, table.Asked(t.Context(), beta, at(10)))                        // not due yet
	must(t, table.Asked(t.Context(), gateway("gamma-0123456789"), at(10))) // never recorded
	same(t, "state", before, load(t, table, alpha))
	same(t, "state of one never recorded", plan.State{}, load(t, table, gateway("gamma-0123456789")))
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
	for reason, reconciled := range map[string]func() error{
		"recorded": func() error { return record(t, table, alpha, plan.GatewayState{Due: at(11)}, nil, nil) },
		"about to be written": func() error {
			return table.BeginWrite(t.Context(), alpha, plan.Intent{Due: at(30), Hash: "def"})
		},
	} {
		must(t, record(t, table, alpha, plan.GatewayState{Due: at(10)}, nil, nil))
		must(t, table.Asked(t.Context(), alpha, at(10)))
		dueBecomes(t, table, "asked for", at(11), []string{})
		must(t, reconciled())
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
