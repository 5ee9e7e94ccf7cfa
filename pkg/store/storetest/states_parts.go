package storetest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

// What a ledger has any number of: accounts that selectors admit, writes in flight, and
// rejected principals.

// refusals is what hundreds of roles lead to that were deleted at once.
func refusals(from, until int) map[string]ledger.Refusal {
	some := make(map[string]ledger.Refusal)
	for i := from; i < until; i++ {
		some[roleARN(fmt.Sprintf("%s/Role%d", strings.Repeat("p", 500), i))] = ledger.Refusal{Code: grant.CodeQuarantined, Since: at(i), Tries: i, NextTry: at(i + 1)}
	}
	return some
}

func manyRefused(t *testing.T, table StatesTable) {
	first, both := refusals(0, 1300), refusals(0, 1900)
	update(t, table, alpha, ledger.BeginWrite{Until: at(1), Held: first})
	same(t, "refused", first, load(t, table, alpha).Gateway.Refused)
	update(t, table, alpha, ledger.Rejected{Principals: refusals(1300, 1900)})
	same(t, "refused", both, load(t, table, alpha).Gateway.Refused)
	few := ledger.State{Gateway: ledger.Ledger{Refused: refusals(3, 5)}}
	Record(t, table, alpha, few)
	same(t, "state", few, load(t, table, alpha))
}

func manyUpdates(t *testing.T, table StatesTable) {
	want := make([]string, 10)
	var runs sync.WaitGroup
	for i := range want {
		want[i] = fmt.Sprintf("%012d", i)
		runs.Go(func() {
			begin := ledger.BeginWrite{Until: at(10 + (i+3)%len(want)), Hash: "abc", WriteAhead: selected(map[string][]string{"o-exampleorgid": {want[i]}})}
			for {
				_, err := table.Update(t.Context(), alpha, ledger.State{}, begin)
				if grant.CodeOf(err) == ledger.CodeVersionConflict {
					continue
				}
				if err != nil {
					t.Error(err)
				}
				return
			}
		})
	}
	runs.Wait()
	got := load(t, table, alpha)
	got.Gateway.InFlightUntil = time.Time{} // of the last
	same(t, "state", ledger.State{Gateway: ledger.Ledger{
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
	first, second, both := make(map[string][]string), make(map[string][]string), make(map[string][]string)
	for i := range 8 {
		selection := fmt.Sprintf("tag:team=%s%d", strings.Repeat("🚪", 250), i)
		first[selection], second[selection], both[selection] = accounts[:half], accounts[half:], accounts
	}
	Record(t, table, alpha, ledger.State{Gateway: ledger.Ledger{WriteAhead: selected(first)}})
	same(t, "selected", first, load(t, table, alpha).Gateway.Selected)
	update(t, table, alpha, ledger.BeginWrite{Until: at(1), WriteAhead: selected(second)})
	same(t, "selected", both, load(t, table, alpha).Gateway.Selected)
}

func tooMuch(t *testing.T, table StatesTable) {
	update(t, table, alpha, ledger.Rejected{Principals: refusals(0, 5)})
	before := loaded(t, table, alpha)
	_, err := table.Update(t.Context(), alpha, before, ledger.Rejected{Principals: refusals(0, 6000)})
	if grant.CodeOf(err) != store.CodeWriteFailed || !strings.Contains(fmt.Sprint(err), "revoke") {
		t.Errorf("want %s and what to do, got %v", store.CodeWriteFailed, err)
	}
	same(t, "state", before, loaded(t, table, alpha))
}
