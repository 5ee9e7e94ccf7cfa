package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// StatesTable is the state table: what the reconciler keeps, what the sweep asks
// for and what the CLI shows.
type StatesTable interface {
	reconcile.States
	Due(ctx context.Context, before time.Time) (gateways []string, err error)
	Asked(ctx context.Context, gateway grant.Gateway, at time.Time) error
	Attention(ctx context.Context) (map[string]plan.Attention, error)
	SetAttention(ctx context.Context, gateway grant.Gateway, wants plan.Attention) error
	History(ctx context.Context, gateway grant.Gateway, limit int) ([]reconcile.Entry, error)
	Journals(ctx context.Context, since time.Time) (map[string][]reconcile.Entry, error)
	RecordRow(ctx context.Context, change grant.RowChange) error
	RowChanges(ctx context.Context, since time.Time) ([]grant.RowChange, error)
	Removal(ctx context.Context) (grant.MassRemoval, error)
	SetRemoval(ctx context.Context, removal grant.MassRemoval) error
	RecordedOwners(ctx context.Context) (map[string]ledger.Owner, error)
	SetOwner(ctx context.Context, account string, owner ledger.Owner) error
	RecordProbe(ctx context.Context, id string, at time.Time) error
	Probes(ctx context.Context, prefix string) ([]string, error)
}

// States holds a state table to its contract. Each table that open returns is
// empty.
func States(t *testing.T, open func(t *testing.T) StatesTable) {
	for name, holds := range map[string]func(*testing.T, StatesTable){
		"nothing recorded is the zero state":                         nothingRecorded,
		"everything recorded is loaded":                              statesAreFaithful,
		"an update replaces the ledger":                              updatesReplace,
		"statuses stay until they change or their row is gone":       statusesStay,
		"hundreds of statuses are recorded at once":                  manyStatuses,
		"statuses may say more than a transaction takes":             largeStatuses,
		"every row has a status of its own, whatever its id":         oddRows,
		"an update that changes nothing makes no version":            nothingChanges,
		"an update starts from what others recorded":                 updatesFollow,
		"an update that fails records nothing":                       failedUpdates,
		"of many updates at once none is lost":                       manyUpdates,
		"hundreds of principals may be rejected at once":             manyRefused,
		"selectors may admit more accounts than an item holds":       manySelected,
		"more than a transaction takes is an error, and not written": tooMuch,
		"a gateway is due from its time on, the longest due first":   dueInOrder,
		"a gateway asked for is left out for a while":                askedForRests,
		"what a request led to ends its being asked for":             askedForEnds,
		"the journal keeps every entry, the newest first":            journalKeeps,
		"changes of rows are kept once, in their order":              rowChangesKept,
		"a row that is too large is not kept, and its change is":     largeRowsNamed,
		"the journals are read together":                             journalsTogether,
		"a mass removal is kept":                                     removalKept,
		"what needs attention is kept until it is mended":            attentionEnds,
		"what is recorded of owners is kept":                         ownersAreKept,
		"probes that arrived are kept by their run":                  probesAreKept,
		"a call that was cancelled is an error, and nothing besides": statesCancelled,
	} {
		t.Run(name, func(t *testing.T) { holds(t, open(t)) })
	}
}

// load reads what is recorded, its version aside: only tests of versions look at
// those.
func load(t *testing.T, table StatesTable, gateway grant.Gateway) ledger.State {
	t.Helper()
	state, err := table.Load(t.Context(), gateway)
	must(t, err)
	state.Gateway.Version = 0
	return state
}

// Record has exactly that state recorded, whatever is recorded now.
func Record(t *testing.T, table reconcile.States, gateway grant.Gateway, state ledger.State) {
	t.Helper()
	_, err := table.Update(t.Context(), gateway, loaded(t, table, gateway), exactly(state))
	must(t, err)
}

// exactly is the transition to a state from any other.
type exactly ledger.State

func (e exactly) Apply(ledger.State) (ledger.State, error) { return ledger.State(e), nil }

// changing is a transition that changes the ledger so.
type changing func(*ledger.Ledger)

func (c changing) Apply(recorded ledger.State) (ledger.State, error) {
	c(&recorded.Gateway)
	return recorded, nil
}

func loaded(t *testing.T, table reconcile.States, gateway grant.Gateway) ledger.State {
	t.Helper()
	state, err := table.Load(t.Context(), gateway)
	must(t, err)
	return state
}

// update applies the transition to what is recorded now.
func update(t *testing.T, table reconcile.States, gateway grant.Gateway, transition ledger.Transition) {
	t.Helper()
	_, err := table.Update(t.Context(), gateway, loaded(t, table, gateway), transition)
	must(t, err)
}

func selected(accounts map[string][]string) ledger.WriteAhead {
	return ledger.WriteAhead{Selected: accounts}
}

func roleARN(path string) string { return "arn:aws:iam::444455556666:role/" + path }

func key(gateway, id string) grant.Key { return grant.Key{Gateway: gateway, ID: id} }

func nothingRecorded(t *testing.T, table StatesTable) {
	Record(t, table, beta, ledger.State{Gateway: filled[ledger.Ledger]()})
	must(t, table.Journal(t.Context(), alpha, filled[reconcile.Entry]()))
	same(t, "state", ledger.State{}, load(t, table, alpha))
	Record(t, table, alpha, ledger.State{})
	same(t, "state after a record of nothing", ledger.State{}, load(t, table, alpha))
}

// statesAreFaithful fills every field that there is, so that one that a table
// forgets shows.
func statesAreFaithful(t *testing.T, table StatesTable) {
	want := filled[ledger.State]()
	want.Gateway.Version, want.Newer = 0, ledger.Newer{} // which storage makes
	slices.Sort(want.Gateway.Accounts)
	slices.Sort(want.Gateway.Selected[firstOf(want.Gateway.Selected)])
	slices.Sort(want.Gateway.InFlight[firstOf(want.Gateway.InFlight)])
	other := ledger.State{
		Gateway: ledger.Ledger{LastMessage: "🚪 \" \n", WriteAhead: selected(map[string][]string{"o-exampleorgid": {"111122223333", "444455556666"}, "ou-abcd-11112222 except ou-abcd-33334444": nil})},
		Grants:  map[grant.Key]grant.Status{key("*", "Ελληνικά"): {Phase: grant.PhaseAdmitted}, key(beta.ARN(), "a#b"): {Phase: grant.PhaseInvalid, Since: at(1)}},
	}
	Record(t, table, alpha, want)
	Record(t, table, beta, other)
	same(t, "state of alpha", want, load(t, table, alpha))
	same(t, "state of beta", other, load(t, table, beta))
}

func firstOf[K comparable, V any](m map[K]V) K {
	for key := range m {
		return key
	}
	panic("an empty map has no first key")
}

func updatesReplace(t *testing.T, table StatesTable) {
	Record(t, table, alpha, ledger.State{Gateway: filled[ledger.Ledger]()})
	for _, next := range []ledger.Ledger{
		{Authorizer: "AWS_IAM", WriteAhead: selected(map[string][]string{"ou-abcd-11111111": {"111122223333", "222233334444"}, "ou-abcd-22222222": {"333344445555"}})},
		{Failures: 3, WriteAhead: selected(map[string][]string{"ou-abcd-11111111": {"222233334444", "444455556666"}, "o-exampleorgid": {"333344445555"}})},
		{Due: at(3), WriteAhead: selected(map[string][]string{"ou-abcd-11111111": nil})},
		{AppliedHash: "abc", Refused: map[string]ledger.Refusal{roleARN("One"): {Code: grant.CodeRecreated, Since: at(1)}, roleARN("Two"): {}}},
		{Refused: map[string]ledger.Refusal{roleARN("One"): {Code: grant.CodeQuarantined, Since: at(1), Tries: 1, NextTry: at(2)}}},
		{},
	} {
		Record(t, table, alpha, ledger.State{Gateway: next})
		same(t, "state", ledger.State{Gateway: next}, load(t, table, alpha))
	}
	due, err := table.Due(t.Context(), at(1000))
	must(t, err)
	same(t, "what is due", 0, len(due))
}

func statusesStay(t *testing.T, table StatesTable) {
	admitted, expired := grant.Status{Phase: grant.PhaseAdmitted}, grant.Status{Phase: grant.PhaseExpired}
	one, two, three := key(alpha.ARN(), "one"), key(alpha.ARN(), "two"), key("*", "one")
	for _, want := range []map[grant.Key]grant.Status{
		{one: admitted, two: admitted, three: admitted},
		{two: expired, three: admitted},
		{one: admitted, two: expired, three: admitted},
	} {
		Record(t, table, alpha, ledger.State{Grants: want})
		same(t, "statuses", want, load(t, table, alpha).Grants)
	}
	update(t, table, alpha, changing(func(l *ledger.Ledger) { l.Failures = 1 }))
	same(t, "statuses after an update of the ledger", 3, len(load(t, table, alpha).Grants))
}

func manyStatuses(t *testing.T, table StatesTable) {
	state := ledger.State{Gateway: ledger.Ledger{AppliedHash: "abc"}, Grants: make(map[grant.Key]grant.Status)}
	for i := range 300 {
		key := key([]string{"*", alpha.ARN()}[i%2], fmt.Sprintf("grant-%d", i))
		state.Grants[key] = grant.Status{Phase: grant.PhaseAdmitted, Message: strconv.Itoa(i), Admitted: []string{"arn:aws:iam::444455556666:root"}}
	}
	Record(t, table, alpha, state)
	same(t, "state", state, load(t, table, alpha))
	Record(t, table, alpha, ledger.State{Gateway: state.Gateway})
	same(t, "state without them", ledger.State{Gateway: state.Gateway}, load(t, table, alpha))
}

// largeStatuses needs 6 MB, where a transaction takes 4.
func largeStatuses(t *testing.T, table StatesTable) {
	admitted := make([]string, 1300)
	for i := range admitted {
		admitted[i] = roleARN(fmt.Sprintf("Role%d", i))
	}
	statuses := make(map[grant.Key]grant.Status)
	for i := range 120 {
		statuses[key(alpha.ARN(), strconv.Itoa(i))] = grant.Status{Phase: grant.PhaseAdmitted, Admitted: admitted}
	}
	Record(t, table, alpha, ledger.State{Grants: statuses})
	same(t, "statuses", statuses, load(t, table, alpha).Grants)
}

func oddRows(t *testing.T, table StatesTable) {
	want := make(map[grant.Key]grant.Status)
	long := strings.Repeat("🚪", 254)
	for i, id := range []string{"a", "a#b", "#", "##", " ", "*", long + "a", long + "b", strings.Repeat("x", 1024)} {
		for _, scope := range []string{"*", alpha.ARN()} {
			want[key(scope, id)] = grant.Status{Phase: grant.PhaseInvalid, Message: fmt.Sprint(i, scope)}
		}
	}
	Record(t, table, alpha, ledger.State{Grants: want})
	same(t, "statuses", want, load(t, table, alpha).Grants)

	delete(want, key(alpha.ARN(), long+"a"))
	delete(want, key("*", "a#b"))
	Record(t, table, alpha, ledger.State{Grants: want})
	same(t, "statuses", want, load(t, table, alpha).Grants)
}

func nothingChanges(t *testing.T, table StatesTable) {
	state := filled[ledger.State]()
	state.Newer = ledger.Newer{}
	Record(t, table, alpha, state)
	before := loaded(t, table, alpha)
	Record(t, table, alpha, before)
	same(t, "state", before, loaded(t, table, alpha))
}

func updatesFollow(t *testing.T, table StatesTable) {
	stale := loaded(t, table, alpha)
	for i := range 3 {
		update(t, table, alpha, changing(func(l *ledger.Ledger) { l.Failures += i + 1 }))
	}
	after, err := table.Update(t.Context(), alpha, stale, changing(func(l *ledger.Ledger) { l.Failures = 10*l.Failures + 1 }))
	must(t, err)
	same(t, "failures", 61, after.Gateway.Failures)
	same(t, "state that was returned", loaded(t, table, alpha), after)
}

func failedUpdates(t *testing.T, table StatesTable) {
	statuses := make(map[grant.Key]grant.Status)
	for i := range 150 { // more than one transaction takes
		statuses[key("*", strconv.Itoa(i))] = grant.Status{Phase: grant.PhaseAdmitted}
	}
	stale := loaded(t, table, alpha)
	update(t, table, alpha, ledger.BeginWrite{Until: at(1), Hash: "abc"})
	before := loaded(t, table, alpha)
	for reason, state := range map[string]ledger.State{"a gateway never seen": stale, "what is recorded": before} {
		_, err := table.Update(t.Context(), alpha, state, ledger.Settled{On: stale.Gateway.Version, Hash: "stale", Statuses: statuses})
		if grant.CodeOf(err) != ledger.CodeVersionConflict {
			t.Errorf("settled on a gateway never seen, from %s: want %s, got %v", reason, ledger.CodeVersionConflict, err)
		}
		same(t, "state after it failed", before, loaded(t, table, alpha))
	}
	update(t, table, alpha, ledger.Settled{On: before.Gateway.Version, Hash: "fresh", Statuses: statuses})
	same(t, "hash", "fresh", load(t, table, alpha).Gateway.AppliedHash)
}

func journalKeeps(t *testing.T, table StatesTable) {
	first, large := filled[reconcile.Entry](), filled[reconcile.Entry]()
	first.At, large.At = at(1), at(2)
	large.Observed, large.Written = strings.Repeat("é", 20_000), strings.Repeat("🚪", 20_000)
	twin := large
	twin.Cause = "another cause in the same moment"
	deletion := reconcile.Entry{At: at(3).In(time.FixedZone("", -3600)), Outcome: "written"}
	entries := []reconcile.Entry{deletion, twin, large, first}
	for _, entry := range slices.Backward(entries) {
		must(t, table.Journal(t.Context(), alpha, entry))
		must(t, table.Journal(t.Context(), alpha, entry)) // as after an answer that was lost
	}
	must(t, table.Journal(t.Context(), beta, first))
	for _, limit := range []int{0, 1, 3, 4, 100} {
		history, err := table.History(t.Context(), alpha, limit)
		must(t, err)
		same(t, fmt.Sprintf("journal, at most %d", limit), append([]reconcile.Entry{}, entries[:min(limit, len(entries))]...), append([]reconcile.Entry{}, history...))
	}
	history, err := table.History(t.Context(), gateway("gamma-0123456789"), 10)
	must(t, err)
	same(t, "journal of another gateway", 0, len(history))
	same(t, "state", ledger.State{}, load(t, table, alpha))
}

func statesCancelled(t *testing.T, table StatesTable) {
	want := ledger.State{Gateway: ledger.Ledger{AppliedHash: "abc", Due: at(1)}}
	Record(t, table, alpha, want)
	check := func(what string, nothing bool, err error) {
		t.Helper()
		if !errors.Is(err, context.Canceled) || grant.CodeOf(err) == "" || !nothing {
			t.Errorf("%s: want nothing but a coded error that wraps context.Canceled, got %v", what, err)
		}
	}
	state, err := table.Load(cancelled(), alpha)
	check("Load", cmp.Equal(state, ledger.State{}), err)
	due, err := table.Due(cancelled(), at(1000))
	check("Due", len(due) == 0, err)
	check("Asked", true, table.Asked(cancelled(), alpha, at(1000)))
	history, err := table.History(cancelled(), alpha, 1)
	check("History", len(history) == 0, err)
	for _, transition := range []ledger.Transition{ledger.BeginWrite{Until: at(0)}, exactly{}} {
		state, err = table.Update(cancelled(), alpha, want, transition)
		check("Update", cmp.Equal(state, ledger.State{}), err)
	}
	check("Journal", true, table.Journal(cancelled(), alpha, filled[reconcile.Entry]()))
	same(t, "state", want, load(t, table, alpha))
}
