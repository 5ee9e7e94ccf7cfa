package store_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

// What earlier versions recorded must not be forgotten: a role that is held would be
// let in again.
func TestLedgerWithoutFormIsRead(t *testing.T) {
	text := func(value string) map[string]any { return map[string]any{"S": value} }
	item := func(sort string, more map[string]any) map[string]any {
		more["gateway"], more["item"] = text(alpha(t).ARN()), text(sort)
		return more
	}
	table := store.NewStates(answering(func(string) *http.Response {
		return answer(map[string]any{"Items": []any{
			item("gateway", map[string]any{"version": map[string]any{"N": "7"}, "appliedHash": text("abc")}),
			item("gateway#accounts#o-example", map[string]any{"of": text("o-example"), "members": map[string]any{"SS": []any{"222233334444", "111122223333"}}}),
			item("gateway#accounts#tag:a=b", map[string]any{"of": text("tag:a=b")}),
			item("gateway#announced#", map[string]any{"of": text(""), "members": map[string]any{"SS": []any{agent}}}),
			item("gateway#refused#"+agent, map[string]any{"principal": text(agent), "code": text("PrincipalRecreated"), "since": text("2026-11-20T09:00:00.000000000Z")}),
			item("grant#*#one", map[string]any{"scope": text("*"), "grant": text("one"), "phase": text("Admitted")}),
		}})
	}), "s")
	got, err := table.Load(t.Context(), alpha(t))
	if err != nil {
		t.Fatal(err)
	}
	want := ledger.State{
		Gateway: ledger.Ledger{
			Version: 7, AppliedHash: "abc", Refused: map[string]ledger.Refusal{agent: {Code: grant.CodeRecreated, Since: now}},
			WriteAhead: ledger.WriteAhead{
				Selected: map[string][]string{"o-example": {"111122223333", "222233334444"}, "tag:a=b": nil},
				InFlight: map[string][]string{"": {agent}},
			},
		},
		Grants: map[grant.Key]grant.Status{{Gateway: "*", ID: "one"}: {Phase: grant.PhaseAdmitted}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
