package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/bus"
	"github.com/gateway-grants/gateway-grants/pkg/event"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/handler"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
)

var at = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

func TestRequestEvent(t *testing.T) {
	w := newWorld()
	if err := w.bus.Request(t.Context(), []event.Request{{Gateway: gateway(t, 0), Cause: "grant team-b added", At: at}}); err != nil {
		t.Fatal(err)
	}
	want := []types.PutEventsRequestEntry{{
		EventBusName: aws.String("gateway-grants"), Source: aws.String("gateway-grants"), DetailType: aws.String("Reconcile Requested"),
		Detail:    aws.String(`{"gateway":"` + gateway(t, 0).ARN() + `","cause":"grant team-b added","requestedAt":"2026-11-20T09:00:00Z"}`),
		Resources: []string{gateway(t, 0).ARN()},
	}}
	if diff := cmp.Diff(want, w.taken, cmp.Comparer(sameEntry)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestNoticeEventNamesItsGateway(t *testing.T) {
	w := newWorld()
	notice := plan.Notice{
		Type: plan.PolicyFull, Gateway: gateway(t, 0).ARN(),
		Detail: map[string]any{"bytes": int64(9007199254740993)}, // more digits than a float64 keeps
	}
	if err := w.bus.Publish(t.Context(), []plan.Notice{notice}); err != nil {
		t.Fatal(err)
	}
	want := `{"bytes":9007199254740993,"gateway":"` + gateway(t, 0).ARN() + `"}`
	if len(w.taken) != 1 || *w.taken[0].Detail != want || *w.taken[0].DetailType != "Policy Full" {
		t.Errorf("published %v, want detail %s", w.taken, want)
	}
}

func TestCallsStayWithinWhatEventBridgeTakes(t *testing.T) {
	cases := map[string]struct {
		reason string
		causes []string
		calls  []int // entries in each
	}{
		"none":           {"there is nothing to say", nil, nil},
		"ten":            {"a call takes ten entries", make([]string, 10), []int{10}},
		"twenty-one":     {"so more take more calls", make([]string, 21), []int{10, 10, 1}},
		"three of 400 k": {"a call takes less than 1 MB", []string{k(400), k(400), k(400)}, []int{2, 1}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			var requests []event.Request
			for i, cause := range c.causes {
				requests = append(requests, event.Request{Gateway: gateway(t, i), Cause: cause, At: at})
			}
			if err := w.bus.Request(t.Context(), requests); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.calls, w.calls); diff != "" {
				t.Errorf("%s: -want +got\n%s", c.reason, diff)
			}
		})
	}
}

func TestRejectedEntriesAreRetried(t *testing.T) {
	w := newWorld()
	w.answer = func(call int, entry types.PutEventsRequestEntry) string {
		third := strings.Contains(*entry.Detail, gateway(t, 2).ARN())
		if call == 1 && third {
			return "ThrottlingException"
		}
		if call == 2 && third {
			return "InternalFailure"
		}
		return ""
	}
	if err := w.bus.Request(t.Context(), requests(t, 4)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{4, 1, 1}, w.calls); diff != "" {
		t.Errorf("entries in each call: -want +got\n%s", diff)
	}
	if len(w.taken) != 4 {
		t.Errorf("%d events were taken, want 4", len(w.taken))
	}
	if diff := cmp.Diff([]time.Duration{100 * time.Millisecond, 200 * time.Millisecond}, w.slept); diff != "" {
		t.Errorf("pauses: -want +got\n%s", diff)
	}
}

func TestUnpublishedIsNamed(t *testing.T) {
	cases := map[string]struct {
		reason string
		code   string // for the third of four
		calls  int
	}{
		"always throttled": {"it is tried five times", "ThrottlingException", 5},
		"refused":          {"asking again would not help", "MalformedDetail", 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.answer = func(_ int, entry types.PutEventsRequestEntry) string {
				if strings.Contains(*entry.Detail, gateway(t, 2).ARN()) {
					return c.code
				}
				return ""
			}
			err := w.bus.Request(t.Context(), requests(t, 4))
			var unsent *handler.UnsentError
			if !errors.As(err, &unsent) || len(unsent.Requests) != 1 || unsent.Requests[0].Gateway != gateway(t, 2) {
				t.Fatalf("%s: got %v, want the third named", c.reason, err)
			}
			if !strings.Contains(err.Error(), c.code) || len(w.calls) != c.calls || len(w.taken) != 3 {
				t.Errorf("%s: %v after %d calls, %d taken", c.reason, err, len(w.calls), len(w.taken))
			}
		})
	}
}

func TestFailedCallFailsAllEntries(t *testing.T) {
	cases := map[string]struct {
		reason string
		err    error
		calls  int
	}{
		"denied":    {"asking again would not help", &smithy.GenericAPIError{Code: "AccessDeniedException"}, 1},
		"throttled": {"it is tried five times", &smithy.GenericAPIError{Code: "ThrottlingException"}, 5},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.err = c.err
			var unsent *handler.UnsentError
			if err := w.bus.Request(t.Context(), requests(t, 3)); !errors.As(err, &unsent) || len(unsent.Requests) != 3 {
				t.Errorf("%s: got %v, want all three named", c.reason, err)
			}
			if len(w.calls) != c.calls {
				t.Errorf("%s: %d calls, want %d", c.reason, len(w.calls), c.calls)
			}
		})
	}
}

func TestShortAnswerIsNoAnswer(t *testing.T) {
	w := newWorld()
	w.forget = true
	if err := w.bus.Request(t.Context(), requests(t, 2)); err == nil {
		t.Error("no error")
	}
}

func TestPublishEndsWithContext(t *testing.T) {
	w := newWorld()
	w.answer = func(int, types.PutEventsRequestEntry) string { return "ThrottlingException" }
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var unsent *handler.UnsentError
	if err := w.bus.Request(ctx, requests(t, 1)); !errors.As(err, &unsent) || len(w.calls) != 1 {
		t.Errorf("got %v after %d calls, want it named after one", err, len(w.calls))
	}
}

func TestInvalidNoticeBlocksNoOther(t *testing.T) {
	good := plan.Notice{Type: plan.PolicyApplied, Gateway: gateway(t, 0).ARN(), Detail: map[string]any{}}
	cases := map[string]struct {
		reason string
		detail any
	}{
		"too large":    {"EventBridge takes less than 1 MB, all in all", map[string]any{"why": k(1000)}},
		"no object":    {"a detail is an object", []string{"x"}},
		"null":         {"a detail is an object", nil},
		"not encoding": {"a channel is no JSON", make(chan int)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			bad := plan.Notice{Type: plan.PolicyFull, Gateway: gateway(t, 1).ARN(), Detail: c.detail}
			err := w.bus.Publish(t.Context(), []plan.Notice{bad, good})
			if err == nil || !strings.Contains(err.Error(), "Policy Full of "+gateway(t, 1).ARN()) || strings.Contains(err.Error(), "Policy Applied") {
				t.Errorf("%s: error %v, want it to name the bad notice only", c.reason, err)
			}
			if len(w.taken) != 1 {
				t.Errorf("%s: %d events were taken, want the good one", c.reason, len(w.taken))
			}
		})
	}
}

func TestRequestReadsBackFromEvent(t *testing.T) {
	for _, want := range []event.Request{
		{Gateway: gateway(t, 0), Cause: "sweep: due", At: at},
		{Every: true, Owners: []string{"444455556666", "777788889999"}, Cause: "owner account 444455556666 added", At: at},
	} {
		raw, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got event.Request
		if err := json.Unmarshal(raw, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
}

// world is an EventBridge that takes what its answers let it take.
type world struct {
	bus    *bus.Bus
	answer func(call int, entry types.PutEventsRequestEntry) (errorCode string)
	err    error
	forget bool // answer for nothing
	calls  []int
	taken  []types.PutEventsRequestEntry
	slept  []time.Duration
}

func newWorld() *world {
	w := &world{answer: func(int, types.PutEventsRequestEntry) string { return "" }}
	w.bus = bus.New(w, "gateway-grants", func(ctx context.Context, d time.Duration) error {
		w.slept = append(w.slept, d)
		return ctx.Err()
	})
	return w
}

func (w *world) PutEvents(_ context.Context, in *eventbridge.PutEventsInput, _ ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	w.calls = append(w.calls, len(in.Entries))
	out := &eventbridge.PutEventsOutput{}
	if w.err != nil || w.forget {
		return out, w.err
	}
	for _, entry := range in.Entries {
		var result types.PutEventsResultEntry
		if code := w.answer(len(w.calls), entry); code != "" {
			result.ErrorCode = &code
			out.FailedEntryCount++
		} else {
			w.taken = append(w.taken, entry)
		}
		out.Entries = append(out.Entries, result)
	}
	return out, nil
}

func gateway(t *testing.T, n int) grant.Gateway {
	t.Helper()
	g, err := grant.ParseGateway(fmt.Sprintf("arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/gateway-%02d", n))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func requests(t *testing.T, n int) []event.Request {
	t.Helper()
	made := make([]event.Request, n)
	for i := range made {
		made[i] = event.Request{Gateway: gateway(t, i), Cause: "sweep: gateways", At: at}
	}
	return made
}

func k(kilobytes int) string { return strings.Repeat("x", kilobytes*1000) }

func sameEntry(a, b types.PutEventsRequestEntry) bool {
	return *a.EventBusName == *b.EventBusName && *a.Source == *b.Source && *a.DetailType == *b.DetailType &&
		*a.Detail == *b.Detail && cmp.Equal(a.Resources, b.Resources)
}
