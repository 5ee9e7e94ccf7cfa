package trigger_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/trigger"
)

func TestASweepAsksForItsGateways(t *testing.T) {
	w := newWorld(t)
	w.states.arns = []string{arn(7), "no ARN", arn(8)}
	_, err := invoke(t.Context(), w.sweep().Handle, []byte(`{"sweep":"due"}`))
	check(t, err)
	want := []trigger.Request{
		{Gateway: gateway(t, 7), Cause: "sweep: due", At: at},
		{Gateway: gateway(t, 8), Cause: "sweep: due", At: at},
	}
	if diff := cmp.Diff(want, w.requests.published, cmp.Comparer(sameRequest)); diff != "" || !w.states.at.Equal(at) {
		t.Errorf("what is due at %v: -want +got\n%s", w.states.at, diff)
	}
}

func TestASweepOfNothingIsQuiet(t *testing.T) {
	w := newWorld(t)
	_, err := invoke(t.Context(), w.sweep().Handle, []byte(`{"sweep":"due"}`))
	check(t, err)
	if w.log.Len() > 0 || len(w.metrics.counts) > 0 {
		t.Errorf("log %s, counts %v", w.log.String(), w.metrics.counts)
	}
}

func TestASweepThatCannotAskFails(t *testing.T) {
	cases := map[string]struct {
		reason string
		input  string
		fault  func(*world)
	}{
		"due is unreadable":       {"the schedule tries again", `{"sweep":"due"}`, func(w *world) { w.states.err = errors.New("throttled") }},
		"gateways are unreadable": {"the schedule tries again", `{"sweep":"gateways"}`, func(w *world) { w.gateways.err = errors.New("throttled") }},
		"one request is lost":     {"the schedule tries again", `{"sweep":"gateways"}`, func(w *world) { w.requests.loses = map[string]bool{arn(2): true} }},
		"another sweep":           {"somebody misconfigured a schedule", `{"sweep":"organization"}`, func(*world) {}},
		"no sweep":                {"somebody misconfigured a schedule", `{}`, func(*world) {}},
		"no object":               {"somebody misconfigured a schedule", `"due"`, func(*world) {}},
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

func sameRequest(a, b trigger.Request) bool {
	return a.Gateway == b.Gateway && a.Cause == b.Cause && a.At.Equal(b.At)
}
