package handler_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/handler"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/store/memory"
)

// rowRecord is a stream's record of a row; images are DynamoDB's JSON, "" for none.
func rowRecord(sequence int, id, was, is string) string {
	images := ""
	if was != "" {
		images += `,"OldImage":` + was
	}
	if is != "" {
		images += `,"NewImage":` + is
	}
	name := map[[2]bool]string{{false, true}: "INSERT", {true, true}: "MODIFY", {true, false}: "REMOVE"}[[2]bool{was != "", is != ""}]
	return fmt.Sprintf(`{"eventName":"%s","eventSourceARN":"arn:aws:dynamodb:us-east-1:111122223333:table/gateway-grants/stream/x",`+
		`"dynamodb":{"ApproximateCreationDateTime":%d,"SequenceNumber":"%d","Keys":{"gateway":{"S":"%s"},"grant":{"S":"%s"}}%s}}`,
		name, at.Unix(), sequence, storyARN, id, images)
}

func image(id, principal string) string {
	return `{"gateway":{"S":"` + storyARN + `"},"grant":{"S":"` + id + `"},"principal":{"S":"` + principal + `"}}`
}

// Lambda delivers a record again after a failure, and older ones after newer ones.
func TestRowHistoryIsOrderedAndOnce(t *testing.T) {
	w := newWorld(t)
	first := rowRecord(8, "a", image("a", member), image("a", management))
	second := rowRecord(10, "a", image("a", management), "")
	for _, batch := range [][]string{{second}, {first, second}, {first}} {
		if failed := deliver(t, t.Context(), w.tableChanges(), batchOf(batch...)); len(failed) > 0 {
			t.Fatalf("failed: %v", failed)
		}
	}
	changes, err := w.rows.RowChanges(t.Context(), at.Add(-time.Minute))
	check(t, err)
	if len(changes) != 2 || changes[0].Sequence != "8" || changes[1].Sequence != "10" {
		t.Fatalf("kept: %+v", changes)
	}
	net := grant.NetChanges(changes)
	if len(net) != 1 || !strings.Contains(net[0].Was, member) || net[0].Is != "" || net[0].Verb() != "removed" {
		t.Errorf("in sum: %+v", net)
	}
}

// lossy cannot record the changes of some rows.
type lossy struct {
	*memory.States

	grant string
}

func (l lossy) RecordRow(ctx context.Context, change grant.RowChange) error {
	if change.ID == l.grant {
		return errors.New("ThrottlingException")
	}
	return l.States.RecordRow(ctx, change)
}

func TestHistoryFailureHoldsUpNoReconcile(t *testing.T) {
	w := newWorld(t)
	changes := w.tableChanges()
	changes.History = lossy{w.rows, "b"}
	failed := deliver(t, t.Context(), changes, batchOf(recordOf(1, arn(1), "a"), recordOf(2, arn(2), "b")))
	if !slices.Equal(failed, []string{"2"}) {
		t.Errorf("failed: %v", failed)
	}
	if !slices.Equal(w.reconciler.reconciled(), arns(1, 2)) {
		t.Errorf("reconciled: %v", w.reconciler.reconciled())
	}
}

func TestRowForNoGatewayIsRecorded(t *testing.T) {
	w := newWorld(t)
	record := strings.ReplaceAll(rowRecord(1, "a", image("a", member), ""), storyARN, "tools")
	deliver(t, t.Context(), w.tableChanges(), batchOf(record))
	changes, err := w.rows.RowChanges(t.Context(), at.Add(-time.Minute))
	check(t, err)
	if len(changes) != 1 || changes[0].Gateway != "tools" {
		t.Errorf("kept: %+v", changes)
	}
}

func TestManyRemovalsAreReportedOnce(t *testing.T) {
	w := newWorld(t)
	remove := func(from, to int) {
		var records []string
		for i := from; i < to; i++ {
			id := fmt.Sprintf("g%03d", i)
			records = append(records, rowRecord(100+i, id, image(id, member), ""))
		}
		deliver(t, t.Context(), w.tableChanges(), batchOf(records...))
	}
	for i := range 20 {
		w.grant(t, storyARN, fmt.Sprintf("stays%d", i), member)
	}
	remove(0, 10)
	if published := w.notices.Published(); len(published) > 0 {
		t.Fatalf("ten removals were reported: %+v", published)
	}
	remove(10, 12)
	remove(12, 30)
	removal, err := w.rows.Removal(t.Context())
	check(t, err)
	if want := (grant.MassRemoval{At: at, Removed: 12, Rows: 32}); removal != want {
		t.Errorf("recorded: %+v, want %+v", removal, want)
	}
	published := w.notices.Published()
	if len(published) != 1 || published[0].Type != plan.RowsRemoved || published[0].Gateway != "*" {
		t.Fatalf("notices: %+v", published)
	}
	if detail := published[0].Detail.(plan.RowsRemovedDetail); detail.Removed != 12 || detail.Rows != 32 {
		t.Errorf("notices: %+v", detail)
	}
}

func TestMassRemovalAlarmLastsAnHour(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct {
		ago  time.Duration
		want int
	}{{time.Minute, 30}, {59 * time.Minute, 30}, {time.Hour, 0}} {
		w.states.removal = grant.MassRemoval{At: at.Add(-test.ago), Removed: 30, Rows: 50}
		check(t, w.sweep().Handle(t.Context(), []byte(`{"sweep":"due"}`)))
		if got := w.metrics.counts[handler.GaugeRemoved]; got != test.want {
			t.Errorf("%s after it the gauge is %d, want %d", test.ago, got, test.want)
		}
		w.metrics.counts = nil
	}
}
