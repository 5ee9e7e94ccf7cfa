package store_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

// rivalStates opens a state table for one who is alone and for one before whose
// n-th call of an operation, from 1, something happens.
func rivalStates(t *testing.T, s *server, name string, happen func(n int, rival *store.States)) (rival, table *store.States) {
	t.Helper()
	client, plain, names := s.openTwice(t, counted(name, func(n int) { happen(n, rival) }))
	rival, table = store.NewStates(plain, names.States), store.NewStates(client, names.States)
	return rival, table
}

func recorded(t *testing.T, table *store.States) ledger.State {
	t.Helper()
	state, err := table.Load(t.Context(), alpha(t))
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func record(t *testing.T, table *store.States, loaded ledger.State, transition ledger.Transition) ledger.State {
	t.Helper()
	state, err := table.Update(t.Context(), alpha(t), loaded, transition)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// A record of more than one transaction takes can be met half done. The ledger is as
// before then, and no other run may record beside it.
func aRecordInSteps(t *testing.T, s *server) {
	statuses := make(map[grant.Key]grant.Status)
	for i := range 250 {
		statuses[grant.Key{Gateway: "*", ID: strconv.Itoa(i)}] = grant.Status{Phase: grant.PhaseAdmitted}
	}
	settles := ledger.Settled{On: 1, At: now, Pinned: []string{agent}, Statuses: statuses}
	var steps []int
	rival, table := rivalStates(t, s, "TransactWriteItems", func(n int, rival *store.States) {
		if steps = append(steps, n); n == 1 {
			return
		}
		met := recorded(t, rival)
		if diff := cmp.Diff(begins.WriteAhead, met.Gateway.WriteAhead); diff != "" {
			t.Errorf("ledger before step %d (-want +got):\n%s", n, diff)
		}
		_, err := rival.Update(t.Context(), alpha(t), met, settles)
		if grant.CodeOf(err) != ledger.CodeVersionConflict {
			t.Errorf("before step %d: want %s, got %v", n, ledger.CodeVersionConflict, err)
		}
	})
	begun := record(t, rival, ledger.State{}, begins)
	after := record(t, table, begun, settles)
	if want := []int{1, 2, 3}; !slices.Equal(steps, want) {
		t.Errorf("want steps %v, got %v", want, steps)
	}
	want := ledger.State{Gateway: ledger.Ledger{Version: 4, Pinned: []string{agent}}, Grants: statuses}
	for what, got := range map[string]ledger.State{"returned": after, "in the end": recorded(t, rival)} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("state %s (-want +got):\n%s", what, diff)
		}
	}
}

// A role is in flight before a write and pinned after it, and never neither.
func aRecordDuringALoad(t *testing.T, s *server) {
	statuses := map[grant.Key]grant.Status{{Gateway: "*", ID: "one"}: {Phase: grant.PhaseAdmitted}}
	inFlight := ledger.Settled{On: 1, WriteAhead: begins.WriteAhead, Statuses: map[grant.Key]grant.Status{{Gateway: "*", ID: "one"}: {Phase: grant.PhaseLeftOut}}}
	queries := 0
	var rival *store.States
	client, plain, names := s.openTwice(t, before("Query", func(request *http.Request) *http.Response {
		if queries++; queries == 2 { // after the gateway's own item
			record(t, rival, recorded(t, rival), ledger.Settled{On: 2, At: now, Pinned: []string{agent}, Statuses: statuses})
		}
		page, err := roundTrip(request, func(body map[string]any) { body["Limit"] = 1 }, nil)
		if err != nil {
			t.Error(err)
		}
		return page
	}))
	rival = store.NewStates(plain, names.States)
	record(t, rival, record(t, rival, ledger.State{}, begins), inFlight)
	want := ledger.State{Gateway: ledger.Ledger{Version: 3, Pinned: []string{agent}}, Grants: statuses}
	if diff := cmp.Diff(want, recorded(t, store.NewStates(client, names.States))); diff != "" || queries < 4 {
		t.Errorf("loaded, in %d queries (-want +got):\n%s", queries, diff)
	}
}

// A ledger that overflows its item is loaded whole, or read again.
func anOverflowDuringALoad(t *testing.T, s *server) {
	held := func(code grant.Code) map[string]ledger.Refusal {
		many := make(map[string]ledger.Refusal)
		for i := range 1000 {
			many[fmt.Sprintf("arn:aws:iam::444455556666:role/%s%d", strings.Repeat("p", 500), i)] = ledger.Refusal{Code: code}
		}
		return many
	}
	queries := 0
	var rival *store.States
	client, plain, names := s.openTwice(t, before("Query", func(request *http.Request) *http.Response {
		if queries++; queries == 2 {
			record(t, rival, recorded(t, rival), ledger.BeginWrite{Held: held("New")})
		}
		page, err := roundTrip(request, func(body map[string]any) { body["Limit"] = 1 }, nil)
		if err != nil {
			t.Error(err)
		}
		return page
	}))
	rival = store.NewStates(plain, names.States)
	record(t, rival, ledger.State{}, ledger.BeginWrite{Until: now, Held: held("Old")})
	if diff := cmp.Diff(held("New"), recorded(t, store.NewStates(client, names.States)).Gateway.Refused); diff != "" {
		t.Errorf("loaded, in %d queries (-want +got):\n%s", queries, diff)
	}
}

func TestLoadFailsIfUpdatesKeepComing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		versions := 0
		table := store.NewStates(answering(func(string) *http.Response {
			versions++
			item := func(sort string, version int) map[string]any {
				return map[string]any{"gateway": map[string]any{"S": alpha(t).ARN()}, "item": map[string]any{"S": sort}, "version": map[string]any{"N": strconv.Itoa(version)}}
			}
			return answer(map[string]any{"Items": []any{item("gateway", versions), item("grant#*#one", versions+1)}})
		}), "s")
		state, err := table.Load(t.Context(), alpha(t))
		if diff := cmp.Diff(ledger.State{}, state); grant.CodeOf(err) != reconcile.CodeReadFailed || diff != "" {
			t.Errorf("want a failed read and nothing read, got %v (-want +got):\n%s", err, diff)
		}
	})
}
