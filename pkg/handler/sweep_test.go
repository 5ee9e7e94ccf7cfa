package handler_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/event"
	"github.com/gateway-grants/gateway-grants/pkg/eventtest"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

func TestSweepRequestsItsGateways(t *testing.T) {
	w := newWorld(t)
	w.states.arns = []string{arn(7), "no ARN", arn(8)}
	_, err := invoke(t.Context(), w.sweep().Handle, []byte(`{"sweep":"due"}`))
	check(t, err)
	want := []event.Request{
		{Gateway: gateway(t, 7), Cause: "sweep: due", At: at},
		{Gateway: gateway(t, 8), Cause: "sweep: due", At: at},
	}
	if diff := cmp.Diff(want, w.requests.published, cmp.Comparer(sameRequest)); diff != "" || !w.states.at.Equal(at) {
		t.Errorf("what is due at %v: -want +got\n%s", w.states.at, diff)
	}
	marked := []string{arn(7) + " 2026-11-20T09:00:00Z", arn(8) + " 2026-11-20T09:00:00Z"}
	if diff := cmp.Diff(marked, w.states.asked); diff != "" {
		t.Errorf("marked as asked for: -want +got\n%s", diff)
	}
}

func TestOnlyPublishedRequestsAreMarked(t *testing.T) {
	w := newWorld(t)
	w.states.arns = arns(7, 8)
	w.requests.loses = map[string]bool{arn(7): true}
	if _, err := invoke(t.Context(), w.sweep().Handle, []byte(`{"sweep":"due"}`)); err == nil {
		t.Error("a lost request is no error")
	}
	if diff := cmp.Diff([]string{arn(8) + " 2026-11-20T09:00:00Z"}, w.states.asked); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	w = newWorld(t)
	w.states.arns, w.states.unmarked = arns(7), errors.New("throttled")
	if _, err := invoke(t.Context(), w.sweep().Handle, []byte(`{"sweep":"due"}`)); err != nil || len(w.requests.published) != 1 {
		t.Errorf("the request is made all the same, and again in a minute: %v, %v", w.requests.requested(), err)
	}
}

func TestSweepRoundSpreadsGateways(t *testing.T) {
	w := newWorld(t)
	w.gateways.managed = nil
	for n := range 600 {
		w.gateways.managed = append(w.gateways.managed, gateway(t, n))
	}
	sweep := w.sweep()
	sweep.Minutes = 60
	most := 0
	for minute := range 60 {
		before := len(w.requests.published)
		input := fmt.Sprintf(`{"sweep":"gateways","at":%q}`, at.Add(time.Duration(minute)*time.Minute).Format(time.RFC3339))
		_, err := invoke(t.Context(), sweep.Handle, []byte(input))
		check(t, err)
		most = max(most, len(w.requests.published)-before)
	}
	once := map[string]int{}
	for _, arn := range w.requests.requested() {
		once[arn]++
	}
	if len(once) != 600 || len(w.requests.published) != 600 {
		t.Errorf("%d gateways were asked for, %d times in all", len(once), len(w.requests.published))
	}
	if most > 25 { // ten on average
		t.Errorf("%d in one minute", most)
	}
}

func TestUntaggedGatewayWithAccessIsSwept(t *testing.T) {
	w := newWorld(t)
	w.gateways.untagged = []grant.Gateway{gateway(t, 5), gateway(t, 6), gateway(t, 7), gateway(t, 8)}
	w.states.applied = map[string]string{arn(5): "abc", arn(6): "none"}
	w.states.pending = map[string]string{arn(7): "def"}
	_, err := invoke(t.Context(), w.sweep().Handle, []byte(`{"sweep":"gateways"}`))
	check(t, err)
	if diff := cmp.Diff(arns(1, 2, 5, 7), w.requests.requested()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestUnreachableOwnerHoldsUpNoOther(t *testing.T) {
	for input, fails := range map[string]bool{
		`{"sweep":"gateways"}`: true, // the slot is tried again
		`{"source":"gateway-grants","detail-type":"Reconcile Requested","detail":{"gateway":"*","cause":"grant a added"}}`: false,
	} {
		w := newWorld(t)
		w.gateways.err = errors.New("AssumeRole: AccessDenied")
		_, err := invoke(t.Context(), w.sweep().Handle, []byte(input))
		if (err != nil) != fails {
			t.Errorf("%s: %v", input, err)
		}
		if diff := cmp.Diff(arns(1, 2), w.requests.requested()); diff != "" {
			t.Errorf("%s: -want +got\n%s", input, diff)
		}
		// The gauge is the minute's: a request for every gateway says nothing of it.
		if unlisted, published := w.metrics.counts["ListingsFailed"]; published != fails || fails && unlisted != 1 || !strings.Contains(w.log.String(), "AccessDenied") {
			t.Errorf("%s: counts %v, log %s", input, w.metrics.counts, w.log.String())
		}
	}
}

func TestWideRequestKeepsCauseAndTime(t *testing.T) {
	w := newWorld(t)
	asked := at.Add(-time.Minute)
	raw, err := json.Marshal(event.Request{Every: true, Cause: "grant a added", At: asked})
	check(t, err)
	_, err = invoke(t.Context(), w.sweep().Handle, []byte(`{"source":"gateway-grants","detail-type":"Reconcile Requested","detail":`+string(raw)+`}`))
	check(t, err)
	want := []event.Request{
		{Gateway: gateway(t, 1), Cause: "grant a added", At: asked}, {Gateway: gateway(t, 2), Cause: "grant a added", At: asked},
	}
	if diff := cmp.Diff(want, w.requests.published, cmp.Comparer(sameRequest)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	_, err = invoke(t.Context(), w.gatewayEvents().Handle, []byte(`{"source":"gateway-grants","detail-type":"Reconcile Requested","detail":`+string(raw)+`}`))
	check(t, err)
	if len(w.reconciler.causes) > 0 || w.metrics.counts["EventsIgnored"] != 1 {
		t.Errorf("gateway-events reconciled %v", w.reconciler.reconciled())
	}
}

func TestSweepOfNothing(t *testing.T) {
	w := newWorld(t)
	_, err := invoke(t.Context(), w.sweep().Handle, []byte(`{"sweep":"due"}`))
	check(t, err)
	want := map[string]int{"Heartbeat": 1, "GatewaysFailing": 0, "GrantsLeftOut": 0, "PoliciesNearlyFull": 0, "UnmanagedWithAccess": 0, "RowsRemoved": 0}
	if diff := cmp.Diff(want, w.metrics.counts); diff != "" || w.log.Len() > 0 {
		t.Errorf("log %s, -want +got\n%s", w.log.String(), diff)
	}
}

func TestSweepFailsIfRequestsFail(t *testing.T) {
	cases := map[string]struct {
		reason string
		input  string
		fault  func(*world)
	}{
		"due is unreadable":       {"the schedule tries again", `{"sweep":"due"}`, func(w *world) { w.states.err = errors.New("throttled") }},
		"gateways are unreadable": {"the schedule tries again", `{"sweep":"gateways"}`, func(w *world) { w.gateways.err = errors.New("throttled") }},
		"one request is lost":     {"the schedule tries again", `{"sweep":"gateways"}`, func(w *world) { w.requests.loses = map[string]bool{arn(2): true} }},
		"another sweep":           {"an admin misconfigured a schedule", `{"sweep":"organization"}`, func(*world) {}},
		"no sweep":                {"an admin misconfigured a schedule", `{}`, func(*world) {}},
		"no object":               {"an admin misconfigured a schedule", `"due"`, func(*world) {}},
		"another's event":         {"an admin misconfigured a rule", string(eventtest.Payload(t, "organizations-move-account")), func(*world) {}},
		"an unknown event":        {"an admin misconfigured a rule", `{"source":"aws.ec2","detail-type":"x"}`, func(*world) {}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c.fault(w)
			if _, err := invoke(t.Context(), w.sweep().Handle, []byte(c.input)); err == nil {
				t.Errorf("%s: no error", c.reason)
			}
		})
	}
}

func sameRequest(a, b event.Request) bool {
	return a.Gateway == b.Gateway && a.Every == b.Every && a.Cause == b.Cause && a.At.Equal(b.At)
}

func TestEventOfNoSweepIsDropped(t *testing.T) {
	for name, detail := range map[string]string{
		"one gateway": `{"gateway":"` + storyARN + `"}`, "none": `{}`, "no object": `[]`, "another type": `{"gateway":["*"]}`,
	} {
		w := newWorld(t)
		_, err := invoke(t.Context(), w.sweep().Handle, []byte(`{"source":"gateway-grants","detail-type":"Reconcile Requested","detail":`+detail+`}`))
		check(t, err)
		if len(w.requests.published) > 0 || w.metrics.counts["EventsMalformed"] != 1 || !strings.Contains(w.log.String(), "level=ERROR") {
			t.Errorf("%s: requested %v, counts %v", name, w.requests.requested(), w.metrics.counts)
		}
	}
}
