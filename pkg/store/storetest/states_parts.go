package storetest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
)

// What the state keeps in items of their own: whom selectors mean, whom writes
// announce, and whom AWS refuses.

func refusedAdded(t *testing.T, table StatesTable) {
	held := func(n int) plan.Refusal { return plan.Refusal{Code: grant.CodeRecreated, Since: at(n)} }
	one, two := roleARN("a.b/One"), roleARN("Two")
	must(t, table.BeginWrite(t.Context(), alpha, plan.Intent{Refused: map[string]plan.Refusal{one: held(1)}}))
	same(t, "refused", map[string]plan.Refusal{one: held(1)}, load(t, table, alpha).Gateway.Refused)
	must(t, record(t, table, alpha, plan.GatewayState{Refused: map[string]plan.Refusal{one: held(1)}}, nil, nil))
	must(t, table.BeginWrite(t.Context(), alpha, plan.Intent{Refused: map[string]plan.Refusal{one: held(3), two: held(2)}}))
	same(t, "refused", map[string]plan.Refusal{one: held(3), two: held(2)}, load(t, table, alpha).Gateway.Refused)
	must(t, record(t, table, alpha, plan.GatewayState{}, nil, nil))
	must(t, table.BeginWrite(t.Context(), alpha, plan.Intent{Refused: map[string]plan.Refusal{two: held(4)}}))
	same(t, "refused", map[string]plan.Refusal{two: held(4)}, load(t, table, alpha).Gateway.Refused)
}

// manyRefused is what hundreds of roles lead to that were deleted at once.
func manyRefused(t *testing.T, table StatesTable) {
	refused := func(from, until int) map[string]plan.Refusal {
		some := make(map[string]plan.Refusal)
		for i := from; i < until; i++ {
			some[roleARN(fmt.Sprintf("%s/Role%d", strings.Repeat("p", 500), i))] = plan.Refusal{Code: grant.CodeQuarantined, Since: at(i), Tries: i, NextTry: at(i + 1)}
		}
		return some
	}
	first, second := refused(0, 300), refused(300, 599)
	must(t, table.BeginWrite(t.Context(), alpha, plan.Intent{Due: at(1), Refused: first}))
	same(t, "refused", first, load(t, table, alpha).Gateway.Refused)
	must(t, record(t, table, alpha, plan.GatewayState{Refused: second}, nil, nil))
	same(t, "state", plan.State{Gateway: plan.GatewayState{Refused: second}}, load(t, table, alpha))
}

func setsAdded(t *testing.T, table StatesTable) {
	before := plan.GatewayState{
		AppliedHash: "abc", Failures: 2, LastError: "X",
		WriteAhead: plan.WriteAhead{
			Selected: map[string][]string{"ou-abcd-11111111": {"111122223333"}, "ou-abcd-22222222": {"444455556666"}},
			InFlight: map[string][]string{"": {"arn:aws:iam::444455556666:role/One"}},
		},
	}
	statuses := map[grant.Key]grant.Status{key("*", "one"): {Phase: grant.PhaseAdmitted}}
	must(t, record(t, table, alpha, before, statuses, nil))
	must(t, table.BeginWrite(t.Context(), alpha, plan.Intent{Due: at(2), Hash: "def", WriteAhead: plan.WriteAhead{
		Selected: map[string][]string{
			"ou-abcd-11111111": {"222233334444", "111122223333", "222233334444"}, "o-exampleorgid": {"999900001111"}, "tag:team=red": nil,
		},
		InFlight: map[string][]string{
			"": {"arn:aws:iam::444455556666:role/Two"}, "AIDA0000000000000001 AROA0000000000000001": {"arn:aws:iam::444455556666:role/One"},
		},
		HadDirectory: true,
	}}))
	after := before
	after.Due, after.InFlightUntil, after.PendingHash = at(2), at(2), "def"
	after.WriteAhead = plan.WriteAhead{
		Selected: map[string][]string{
			"ou-abcd-11111111": {"111122223333", "222233334444"}, "ou-abcd-22222222": {"444455556666"},
			"o-exampleorgid": {"999900001111"}, "tag:team=red": nil,
		},
		InFlight: map[string][]string{
			"": {"arn:aws:iam::444455556666:role/One", "arn:aws:iam::444455556666:role/Two"},
			"AIDA0000000000000001 AROA0000000000000001": {"arn:aws:iam::444455556666:role/One"},
		},
		HadDirectory: true,
	}
	same(t, "state", plan.State{Gateway: after, Grants: statuses}, load(t, table, alpha))
	must(t, table.BeginWrite(t.Context(), alpha, plan.Intent{Due: at(2), Hash: "def"}))
	same(t, "state after a mark of nothing", plan.State{Gateway: after, Grants: statuses}, load(t, table, alpha))
	must(t, record(t, table, alpha, before, nil, nil))
	same(t, "state", plan.State{Gateway: before, Grants: statuses}, load(t, table, alpha))
}

func manyMarkers(t *testing.T, table StatesTable) {
	want := make([]string, 10)
	var markers sync.WaitGroup
	for i := range want {
		want[i] = fmt.Sprintf("%012d", i)
		markers.Go(func() {
			intent := plan.Intent{Due: at(10 + (i+3)%len(want)), Hash: "abc", WriteAhead: selected(map[string][]string{"o-exampleorgid": {want[i]}})}
			if err := table.BeginWrite(t.Context(), alpha, intent); err != nil {
				t.Error(err)
			}
		})
	}
	markers.Wait()
	got := load(t, table, alpha)
	got.Gateway.InFlightUntil = time.Time{} // of whoever came last
	same(t, "state", plan.State{Gateway: plan.GatewayState{
		Due: at(10), PendingHash: "abc", WriteAhead: selected(map[string][]string{"o-exampleorgid": want}),
	}}, got)
}

// manySelected needs 600 KB, where an item holds 400.
func manySelected(t *testing.T, table StatesTable) {
	accounts := make([]string, 6000)
	for i := range accounts {
		accounts[i] = fmt.Sprintf("%012d", i)
	}
	half := len(accounts) / 2
	first, both := make(map[string][]string), make(map[string][]string)
	for i := range 8 {
		selection := fmt.Sprintf("tag:team=%s%d", strings.Repeat("🚪", 250), i) // longer than a key may be
		first[selection], both[selection] = accounts[:half], accounts
	}
	second := make(map[string][]string)
	for selection := range first {
		second[selection] = accounts[half:]
	}
	must(t, record(t, table, alpha, plan.GatewayState{WriteAhead: selected(first)}, nil, nil))
	same(t, "selected", first, load(t, table, alpha).Gateway.Selected)
	must(t, table.BeginWrite(t.Context(), alpha, plan.Intent{WriteAhead: selected(second)}))
	same(t, "selected", both, load(t, table, alpha).Gateway.Selected)
}
