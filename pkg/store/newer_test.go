package store_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

// What a newer version records is read as far as it is known, and kept whole: an older
// version adds its marks, and principals that it holds.
func TestNewerRecordLosesNothing(t *testing.T) {
	text := func(value string) map[string]any { return map[string]any{"S": value} }
	number := func(value int) map[string]any { return map[string]any{"N": strconv.Itoa(value)} }
	list := func(values ...any) map[string]any { return map[string]any{"L": values} }
	rejected := map[string]any{"M": map[string]any{"principal": text("arn:aws:iam::777788889999:root"), "code": text("Quarantined"), "nextTry": text("2026-11-24T09:00:00.000000000Z"), "mood": text("hopeful")}}
	own := map[string]any{
		"gateway": text(alpha(t).ARN()), "item": text("gateway"), "form": number(ledger.Form + 1), "product": text("9.0"), "version": number(7), "written": number(6),
		"appliedHash": text("abc"), "failures": number(2), "lastError": text("Old"), "due": text("2026-11-23T11:00:00.000000000Z"), "dueShard": text("all"),
		"refused": list(rejected), "weather": text("fine"), "selected": list(map[string]any{"M": map[string]any{"of": text("o-example"), "rain": text("no")}}),
	}
	status := map[string]any{
		"gateway": text(alpha(t).ARN()), "item": text("grant#*#one"), "scope": text("*"), "grant": text("one"), "phase": text("Admitted"),
		"admitted": list(text(agent)), "lastValid": text("in its own words"), "mood": text("good"),
	}
	puts := 0
	table := store.NewStates(exchanging(func(operation string, asked map[string]any) *http.Response {
		if operation == "PutItem" {
			puts++
			if diff := cmp.Diff("#version = :version", asked["ConditionExpression"]); diff != "" {
				t.Errorf("condition (-want +got):\n%s", diff)
			}
			own = asked["Item"].(map[string]any)
			return answer(map[string]any{})
		}
		if operation != "Query" {
			t.Errorf("%s is called", operation)
		}
		return answer(map[string]any{"Items": []any{own, status}})
	}), "s")

	before, err := table.Load(t.Context(), alpha(t))
	if err != nil || before.Newer != (ledger.Newer{Form: ledger.Form + 1, Product: "9.0"}) || len(before.Grants) != 1 {
		t.Fatalf("%+v, %v", before, err)
	}
	was := clone(t, own)
	until := time.Date(2026, 11, 23, 12, 2, 0, 0, time.UTC)
	after, err := table.Update(t.Context(), alpha(t), before, ledger.BeginWrite{
		Until: until, Hash: "new", Held: map[string]ledger.Refusal{agent: {Code: grant.CodeRecreated, Since: now}},
		WriteAhead: ledger.WriteAhead{HadDirectory: true, Selected: map[string][]string{"o-other": {"444455556666"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := was
	want["version"], want["pendingHash"], want["inFlightUntil"] = number(8), text("new"), text(store.Moment(until))
	want["hadDirectory"] = map[string]any{"BOOL": true}
	want["refused"] = list(rejected, map[string]any{"M": map[string]any{"principal": text(agent), "code": text("PrincipalRecreated"), "since": text(store.Moment(now))}})
	if diff := cmp.Diff(clone(t, want), clone(t, own)); diff != "" {
		t.Errorf("a write begins (-want +got):\n%s", diff)
	}
	if _, err = table.Update(t.Context(), alpha(t), after, ledger.Settled{On: 8, At: until, Hash: "new", Statuses: map[grant.Key]grant.Status{}}); err != nil {
		t.Fatal(err)
	}
	want["version"] = number(9)
	for _, gone := range []string{"failures", "lastError", "due", "dueShard", "inFlightUntil"} {
		delete(want, gone)
	}
	if diff := cmp.Diff(clone(t, want), clone(t, own)); diff != "" || puts != 2 {
		t.Errorf("a run settles, %d puts (-want +got):\n%s", puts, diff)
	}
}

func clone(t *testing.T, item map[string]any) (copied map[string]any) {
	t.Helper()
	text, err := json.Marshal(item)
	if err == nil {
		err = json.Unmarshal(text, &copied)
	}
	if err != nil {
		t.Fatal(err)
	}
	return copied
}
