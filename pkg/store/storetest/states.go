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
}

// States holds a state table to its contract. Each table that open returns is
// empty.
func States(t *testing.T, open func(t *testing.T) StatesTable) {
	for name, holds := range map[string]func(*testing.T, StatesTable){
		"nothing recorded is the zero state":                         nothingRecorded,
		"everything recorded is loaded":                              statesAreFaithful,
		"a record replaces the gateway's own and its sets":           recordsReplace,
		"statuses stay until they are replaced or their row is gone": statusesStay,
		"hundreds of statuses are recorded at once":                  manyStatuses,
		"statuses may say more than a transaction takes":             largeStatuses,
		"every row has a status of its own, whatever its id":         oddRows,
		"of two due times the earlier counts":                        earlierDueCounts,
		"nothing is recorded on top of what was not loaded":          versionsCount,
		"refused principals are added before a write":                refusedAdded,
		"hundreds of principals may be refused at once":              manyRefused,
		"a mark adds to the sets and takes nothing from them":        setsAdded,
		"of many who mark a gateway as due nobody is forgotten":      manyMarkers,
		"selectors may mean more accounts than an item holds":        manySelected,
		"a gateway is due from its time on, the longest due first":   dueInOrder,
		"a gateway asked for is left out for a while":                askedForRests,
		"what a request led to ends its being asked for":             askedForEnds,
		"the journal keeps every entry, the newest first":            journalKeeps,
		"changes of rows are kept once, in their order":              rowChangesKept,
		"a row that is too large is not kept, and its change is":     largeRowsNamed,
		"the journals are read together":                             journalsTogether,
		"a mass removal is kept":                                     removalKept,
		"what wants a person is kept until it is mended":             attentionEnds,
		"a call that was cancelled is an error, and nothing besides": statesCancelled,
	} {
		t.Run(name, func(t *testing.T) { holds(t, open(t)) })
	}
}

// load reads what is recorded, its version aside: only tests of versions look at
// those.
func load(t *testing.T, table StatesTable, gateway grant.Gateway) plan.State {
	t.Helper()
	state, err := table.Load(t.Context(), gateway)
	must(t, err)
	state.Gateway.Version = 0
	return state
}

// record records on top of whatever version there is.
func record(t *testing.T, table StatesTable, gateway grant.Gateway, state plan.GatewayState, statuses map[grant.Key]grant.Status, gone []grant.Key) error {
	t.Helper()
	recorded, err := table.Load(t.Context(), gateway)
	must(t, err)
	state.Version = recorded.Gateway.Version
	return table.Record(t.Context(), gateway, state, statuses, gone)
}

func selected(accounts map[string][]string) plan.WriteAhead {
	return plan.WriteAhead{Selected: accounts}
}

func roleARN(path string) string { return "arn:aws:iam::444455556666:role/" + path }

func key(gateway, id string) grant.Key { return grant.Key{Gateway: gateway, ID: id} }

func nothingRecorded(t *testing.T, table StatesTable) {
	must(t, record(t, table, beta, filled[plan.GatewayState](), nil, nil))
	must(t, table.Journal(t.Context(), alpha, filled[reconcile.Entry]()))
	same(t, "state", plan.State{}, load(t, table, alpha))

	must(t, record(t, table, alpha, plan.GatewayState{}, nil, []grant.Key{key("*", "never there")}))
	same(t, "state after a record of nothing", plan.State{}, load(t, table, alpha))
}

// statesAreFaithful fills every field that there is, so that one that a table
// forgets shows.
func statesAreFaithful(t *testing.T, table StatesTable) {
	want := filled[plan.State]()
	want.Gateway.Version = 0
	slices.Sort(want.Gateway.Selected[firstOf(want.Gateway.Selected)])
	slices.Sort(want.Gateway.InFlight[firstOf(want.Gateway.InFlight)])
	other := plan.State{
		Gateway: plan.GatewayState{LastMessage: "🚪 \" \n", WriteAhead: selected(map[string][]string{"o-exampleorgid": {"111122223333", "444455556666"}, "ou-abcd-11112222 except ou-abcd-33334444": nil})},
		Grants:  map[grant.Key]grant.Status{key("*", "Ελληνικά"): {Phase: grant.PhaseAdmitted}, key(beta.ARN(), "a#b"): {Phase: grant.PhaseInvalid, Since: at(1)}},
	}
	must(t, record(t, table, alpha, want.Gateway, want.Grants, nil))
	must(t, record(t, table, beta, other.Gateway, other.Grants, nil))
	same(t, "state of alpha", want, load(t, table, alpha))
	same(t, "state of beta", other, load(t, table, beta))
}

func firstOf[K comparable, V any](m map[K]V) K {
	for key := range m {
		return key
	}
	panic("an empty map has no first key")
}

func recordsReplace(t *testing.T, table StatesTable) {
	must(t, record(t, table, alpha, filled[plan.GatewayState](), nil, nil))
	for _, next := range []plan.GatewayState{
		{Authorizer: "AWS_IAM", WriteAhead: selected(map[string][]string{"ou-abcd-11111111": {"111122223333", "222233334444"}, "ou-abcd-22222222": {"333344445555"}})},
		{Failures: 3, WriteAhead: selected(map[string][]string{"ou-abcd-11111111": {"222233334444", "444455556666"}, "o-exampleorgid": {"333344445555"}})},
		{Due: at(3), WriteAhead: selected(map[string][]string{"ou-abcd-11111111": nil})},
		{AppliedHash: "abc", Refused: map[string]plan.Refusal{roleARN("One"): {Code: grant.CodeRecreated, Since: at(1)}, roleARN("Two"): {}}},
		{Refused: map[string]plan.Refusal{roleARN("One"): {Code: grant.CodeQuarantined, Since: at(1), Tries: 1, NextTry: at(2)}}},
		{},
	} {
		must(t, record(t, table, alpha, next, nil, nil))
		same(t, "state", plan.State{Gateway: next}, load(t, table, alpha))
	}
	due, err := table.Due(t.Context(), at(1000))
	must(t, err)
	same(t, "what is due", 0, len(due))
}

func statusesStay(t *testing.T, table StatesTable) {
	admitted, expired := grant.Status{Phase: grant.PhaseAdmitted}, grant.Status{Phase: grant.PhaseExpired}
	one, two, three := key(alpha.ARN(), "one"), key(alpha.ARN(), "two"), key("*", "one")
	record := func(statuses map[grant.Key]grant.Status, gone ...grant.Key) {
		t.Helper()
		must(t, record(t, table, alpha, plan.GatewayState{}, statuses, gone))
	}
	record(map[grant.Key]grant.Status{one: admitted, two: admitted, three: admitted})
	record(map[grant.Key]grant.Status{two: expired}, one, one, key("*", "never there"))
	same(t, "statuses", map[grant.Key]grant.Status{two: expired, three: admitted}, load(t, table, alpha).Grants)
	record(map[grant.Key]grant.Status{one: admitted}, one)
	same(t, "statuses", map[grant.Key]grant.Status{one: admitted, two: expired, three: admitted}, load(t, table, alpha).Grants)
}

func manyStatuses(t *testing.T, table StatesTable) {
	state := plan.State{Gateway: plan.GatewayState{AppliedHash: "abc"}, Grants: make(map[grant.Key]grant.Status)}
	var gone []grant.Key
	for i := range 300 {
		key := key([]string{"*", alpha.ARN()}[i%2], fmt.Sprintf("grant-%d", i))
		state.Grants[key] = grant.Status{Phase: grant.PhaseAdmitted, Message: strconv.Itoa(i), Admitted: []string{"arn:aws:iam::444455556666:root"}}
		gone = append(gone, key)
	}
	must(t, record(t, table, alpha, state.Gateway, state.Grants, nil))
	same(t, "state", state, load(t, table, alpha))
	must(t, record(t, table, alpha, state.Gateway, nil, gone))
	same(t, "state without them", plan.State{Gateway: state.Gateway}, load(t, table, alpha))
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
	must(t, record(t, table, alpha, plan.GatewayState{}, statuses, nil))
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
	must(t, record(t, table, alpha, plan.GatewayState{}, want, nil))
	same(t, "statuses", want, load(t, table, alpha).Grants)

	gone := []grant.Key{key(alpha.ARN(), long+"a"), key("*", "a#b")}
	must(t, record(t, table, alpha, plan.GatewayState{}, nil, gone))
	delete(want, gone[0])
	delete(want, gone[1])
	same(t, "statuses", want, load(t, table, alpha).Grants)
}

func versionsCount(t *testing.T, table StatesTable) {
	statuses := make(map[grant.Key]grant.Status)
	for i := range 150 { // more than one transaction takes
		statuses[key("*", strconv.Itoa(i))] = grant.Status{Phase: grant.PhaseAdmitted}
	}
	refused := func(reason string, version int) {
		t.Helper()
		before, err := table.Load(t.Context(), alpha)
		must(t, err)
		stale := plan.GatewayState{Version: version, AppliedHash: "stale", WriteAhead: selected(map[string][]string{"o-exampleorgid": {"111122223333"}})}
		if err := table.Record(t.Context(), alpha, stale, statuses, []grant.Key{key("*", "kept")}); grant.CodeOf(err) != reconcile.CodeVersionConflict {
			t.Errorf("%s: want %s, got %v", reason, reconcile.CodeVersionConflict, err)
		}
		after, err := table.Load(t.Context(), alpha)
		must(t, err)
		same(t, "state after "+reason, before, after)
	}
	loaded := func() int {
		state, err := table.Load(t.Context(), alpha)
		must(t, err)
		return state.Gateway.Version
	}
	refused("a version that never was", 3)
	must(t, table.BeginWrite(t.Context(), alpha, plan.Intent{Due: at(1), Hash: "abc"}))
	refused("a mark on a gateway never seen", 0)
	before := loaded()
	must(t, table.Record(t.Context(), alpha, plan.GatewayState{Version: before}, map[grant.Key]grant.Status{key("*", "kept"): {Phase: grant.PhaseAdmitted}}, nil))
	refused("a record", before)
	before = loaded()
	must(t, table.BeginWrite(t.Context(), alpha, plan.Intent{WriteAhead: selected(map[string][]string{"o-exampleorgid": {"444455556666"}})}))
	refused("a mark", before)
	must(t, table.Record(t.Context(), alpha, plan.GatewayState{Version: loaded(), AppliedHash: "fresh"}, statuses, nil))
	same(t, "hash", "fresh", load(t, table, alpha).Gateway.AppliedHash)
}

func earlierDueCounts(t *testing.T, table StatesTable) {
	for _, step := range []struct {
		reason string
		mark   plan.Intent
		due    time.Time
		hash   string
	}{
		{"a gateway never seen", plan.Intent{Due: at(10), Hash: "one"}, at(10), "one"},
		{"later", plan.Intent{Due: at(11), Hash: "two"}, at(10), "two"},
		{"earlier", plan.Intent{Due: at(9).In(time.FixedZone("", 3600)), Hash: "two"}, at(9), "two"},
		{"earlier by less than a second, to delete", plan.Intent{Due: at(9).Add(-time.Nanosecond)}, at(9).Add(-time.Nanosecond), ""},
		{"never", plan.Intent{Hash: "three"}, at(9).Add(-time.Nanosecond), "three"},
	} {
		must(t, table.BeginWrite(t.Context(), alpha, step.mark))
		got := load(t, table, alpha).Gateway
		same(t, "due after "+step.reason, step.due, got.Due)
		same(t, "pending after "+step.reason, step.hash, got.PendingHash)
	}
	eventually(t, "what is due", []string{alpha.ARN()}, func() ([]string, error) { return table.Due(t.Context(), at(9)) })
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
	same(t, "state", plan.State{}, load(t, table, alpha))
}

func statesCancelled(t *testing.T, table StatesTable) {
	want := plan.State{Gateway: plan.GatewayState{AppliedHash: "abc", Due: at(1)}}
	must(t, record(t, table, alpha, want.Gateway, nil, nil))
	check := func(what string, nothing bool, err error) {
		t.Helper()
		if !errors.Is(err, context.Canceled) || grant.CodeOf(err) == "" || !nothing {
			t.Errorf("%s: want nothing but a coded error that wraps context.Canceled, got %v", what, err)
		}
	}
	state, err := table.Load(cancelled(), alpha)
	check("Load", cmp.Equal(state, plan.State{}), err)
	due, err := table.Due(cancelled(), at(1000))
	check("Due", len(due) == 0, err)
	check("Asked", true, table.Asked(cancelled(), alpha, at(1000)))
	history, err := table.History(cancelled(), alpha, 1)
	check("History", len(history) == 0, err)
	check("BeginWrite", true, table.BeginWrite(cancelled(), alpha, plan.Intent{Due: at(0)}))
	check("Record", true, table.Record(cancelled(), alpha, plan.GatewayState{}, map[grant.Key]grant.Status{key("*", "one"): {}}, nil))
	check("Journal", true, table.Journal(cancelled(), alpha, filled[reconcile.Entry]()))
	same(t, "state", want, load(t, table, alpha))
}
