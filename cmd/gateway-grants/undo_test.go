package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/gateway-grants/gateway-grants/pkg/event"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/handler"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// bystander takes what the stream asks for, and does nothing.
type bystander struct{}

func (bystander) Reconcile(context.Context, grant.Gateway, reconcile.Cause) (reconcile.Result, error) {
	return reconcile.Result{}, nil
}
func (bystander) Request(context.Context, []event.Request) error { return nil }
func (bystander) Emit(context.Context, string, map[string]int)   {}
func (bystander) Publish(context.Context, []plan.Notice) error   { return nil }

// follow has table-changes read the stream of the grants table, in batches as Lambda
// makes them. What it returns delivers what is on its way.
func (w *world) follow() (deliver func()) {
	changes := &handler.TableChanges{
		Reconciler: bystander{}, Grants: w.grants, Requests: bystander{}, History: w.states, Notices: w.bus,
		GrantsTable: "gateway-grants", AccountsTable: "gateway-grants-accounts", Now: w.now, Log: slog.New(slog.DiscardHandler), Metrics: bystander{},
	}
	var waiting []events.DynamoDBEventRecord
	w.grants.Changes(func(batch events.DynamoDBEvent) { waiting = append(waiting, batch.Records...) })
	return func() {
		for batch := range slices.Chunk(waiting, 100) {
			raw, err := json.Marshal(events.DynamoDBEvent{Records: batch})
			w.must(err)
			response, err := changes.Handle(context.Background(), raw)
			if w.must(err); len(response.BatchItemFailures) > 0 {
				w.t.Errorf("table-changes reports %v", response.BatchItemFailures)
			}
		}
		waiting = nil
	}
}

func TestUndoPutsBackWhatWasRemovedOrChanged(t *testing.T) {
	w := newWorld(t)
	config := w.created()
	w.done("grant", accountB, "--reason", "pilot")
	w.done("grant", "777788889999", "--id", "edited", "--expires", "2099-01-31")
	w.must(w.grants.Put(t.Context(), grant.Attributes{"gateway": "*", "grant": "for all", "principal": "ou-abcd-11112222", "requestedBy": "alice"}, true))
	before, err := w.grants.Texts(t.Context())
	w.must(err)
	deliver := w.follow()

	w.done("revoke", accountB)
	w.must(w.grants.Put(t.Context(), grant.Attributes{"gateway": config.GatewayARN, "grant": "edited", "principal": "888899990000"}, false))
	_, err = w.grants.Delete(t.Context(), grant.Key{Gateway: "*", ID: "for all"})
	w.must(err)
	w.done("grant", "999900001111", "--id", "new")

	deliver()
	shown := w.done("undo", "--since", "10m", "--dry-run")
	for _, part := range []string{"444455556666  removed", "for all       removed", "edited        changed", "1 row added since stay."} {
		if !strings.Contains(shown.out, part) {
			t.Errorf("the dry run did not show %q:\n%s", part, shown.out)
		}
	}
	if now := w.rows(); len(now) != 2 {
		t.Fatalf("the dry run wrote rows: %v", now)
	}
	if got := w.run("undo", "--since", "10m"); got.code != exitError || len(w.rows()) != 2 || !strings.Contains(got.err, "--yes") {
		t.Errorf("without an answer: exit %d\n%s%s", got.code, got.out, got.err)
	}
	if got := w.done("undo", "--since", "10m", "--yes"); !strings.Contains(got.out, "Put back 3 rows.") {
		t.Errorf("it said\n%s", got.out)
	}
	after, err := w.grants.Texts(t.Context())
	w.must(err)
	for key, text := range before {
		if after[key] != text {
			t.Errorf("%s is %s, and was %s", key, after[key], text)
		}
	}
	if len(after) != len(before)+1 {
		t.Errorf("%d rows, want those of before and the new one", len(after))
	}
	if got := w.done("undo", "--since", "10m"); !strings.Contains(got.out, "Nothing to put back: the rows of 10m ago are as they were.") {
		t.Errorf("undone again, it said\n%s", got.out)
	}
}

func TestUndoLeavesARowThatIsEditedMeanwhile(t *testing.T) {
	w := newWorld(t)
	config := w.created()
	w.done("grant", accountB)
	w.done("grant", "777788889999")
	deliver := w.follow()
	w.done("revoke", accountB)
	w.done("revoke", "777788889999")
	deliver()
	shown, err := w.states.RowChanges(t.Context(), w.now().Add(-10*time.Minute))
	w.must(err)
	w.must(w.grants.Put(t.Context(), grant.Attributes{"gateway": config.GatewayARN, "grant": accountB, "principal": "999900001111"}, true))
	all := []undone{{change: shown[0]}, {change: shown[1]}}
	putBack(t.Context(), w.grants, all)
	if !all[0].blocked || !strings.Contains(all[0].Result, "RowChanged") || all[1].blocked {
		t.Errorf("put back: %+v", all)
	}
	for _, row := range w.rows() {
		if row.ID == accountB && row.Grant.Principal.String() != "999900001111" {
			t.Errorf("the edit was lost: %v", row.Grant.Principal)
		}
	}
}

func TestUndoPutsBackTenThousandRows(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 10,000 rows three times: run by make test, not with -short")
	}
	const rows = 10_000
	w := newWorld(t)
	arn := "arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/tools-abcdefghij"
	for i := range rows {
		w.must(w.grants.Put(t.Context(), grant.Attributes{"gateway": arn, "grant": fmt.Sprint("g", i), "principal": fmt.Sprintf("%012d", i+1)}, true))
	}
	deliver := w.follow()
	for i := range rows {
		_, err := w.grants.Delete(t.Context(), grant.Key{Gateway: arn, ID: fmt.Sprint("g", i)})
		w.must(err)
	}
	deliver()
	if got := w.done("undo", "--since", "10m", "--yes"); !strings.Contains(got.out, "Put back 10000 rows.") {
		t.Errorf("it said %.300s", got.out)
	}
	if now := len(w.rows()); now != rows {
		t.Errorf("%d rows are there", now)
	}
}

func TestHistoryShowsRowsAndPoliciesOldestFirst(t *testing.T) {
	w := newWorld(t)
	deliver := w.follow()
	config := w.created()
	w.must(w.grants.Put(t.Context(), grant.Attributes{"gateway": config.GatewayARN, "grant": "b", "principal": accountB, "requestedBy": "alice"}, true))
	deliver()
	w.done("reconcile")
	w.must(w.grants.Put(t.Context(), grant.Attributes{"gateway": "tools", "grant": "odd", "principal": accountB, "colour": "red"}, true))
	w.done("revoke", "b")
	deliver()
	w.done("reconcile")

	var all []changed
	w.must(json.Unmarshal([]byte(w.done("history", "--since", "1h", "-o", "json").out), &all))
	type line struct{ change, grant, by, detail string }
	by := "arn:aws:sts::111122223333:assumed-role/AdminRole/session"
	want := map[string][]line{ // a stream tells the second alone, so the two kinds may be interleaved
		"row":    {{"added", "b", "alice", accountB}, {"added", "odd", "", "Invalid (UnknownAttribute)"}, {"removed", "b", "", accountB}},
		"policy": {{"written", "", by, "+arn:aws:iam::444455556666:root"}, {"written", "", by, "-arn:aws:iam::444455556666:root"}},
	}
	got := map[string][]line{}
	for _, c := range all {
		got[c.What] = append(got[c.What], line{c.Change, c.Grant, c.By, c.Detail})
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("history is\n%v, want\n%v", got, want)
	}
	if !slices.IsSortedFunc(all, func(a, b changed) int { return strings.Compare(a.At, b.At) }) {
		t.Errorf("it is not in the order of time: %+v", all)
	}
	if one := w.done("history", config.GatewayARN, "--since", "1h"); strings.Contains(one.out, "odd") || strings.Count(one.out, "\n") != 5 {
		t.Errorf("of the gateway:\n%s", one.out)
	}
}
