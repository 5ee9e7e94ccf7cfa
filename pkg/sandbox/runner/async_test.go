package runner

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
)

var (
	failed = lambda.Result{RequestID: "r", FunctionError: "Unhandled", Payload: []byte(`{"errorMessage":"no"}`)}
	fine   = lambda.Result{RequestID: "r", Payload: []byte(`{}`)}
)

func TestAsyncCallFollowsRetrySettings(t *testing.T) {
	number := func(n int) *int { return &n }
	cases := map[string]struct {
		reason   string
		settings cloud.AsyncSettings
		reserved *int
		answers  func(call int) (lambda.Result, error)
		calls    int
		lost     []string // condition, attempts
	}{
		"it succeeds": {
			"it is called once", cloud.AsyncSettings{OnFailure: deadARN}, nil,
			func(int) (lambda.Result, error) { return fine, nil }, 1, nil,
		},
		"it succeeds in the end": {
			"it is called again until it does", cloud.AsyncSettings{OnFailure: deadARN}, nil,
			func(call int) (lambda.Result, error) {
				if call < 3 {
					return failed, nil
				}
				return fine, nil
			}, 3, nil,
		},
		"it fails": {
			"two retries are Lambda's default", cloud.AsyncSettings{OnFailure: deadARN}, nil,
			func(int) (lambda.Result, error) { return failed, nil }, 3, []string{"RetriesExhausted 3"},
		},
		"no retries": {
			"what the function says counts", cloud.AsyncSettings{OnFailure: deadARN, Retries: number(0)}, nil,
			func(int) (lambda.Result, error) { return failed, nil }, 1, []string{"RetriesExhausted 1"},
		},
		"nowhere to send it": {
			"without a destination it is dropped", cloud.AsyncSettings{}, nil,
			func(int) (lambda.Result, error) { return failed, nil }, 3, nil,
		},
		"it is not reached": {
			"that is no attempt, and lasts until the event is too old", cloud.AsyncSettings{OnFailure: deadARN, MaxAge: number(60)}, nil,
			func(int) (lambda.Result, error) { return lambda.Result{}, errors.New("no role") }, 6, []string{"EventAgeExceeded 0"},
		},
		"it may not run": {
			"a call does not wait for a function that is switched off", cloud.AsyncSettings{OnFailure: deadARN}, number(0),
			func(int) (lambda.Result, error) { return fine, nil }, 0, []string{"ZeroReservedConcurrency 0"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				d := one()
				d.Async, d.Reserved = c.settings, c.reserved
				p := &scripted{answers: c.answers}
				w.with(d, p).Queue([]byte(`{"a":1}`))
				time.Sleep(time.Hour)

				if p.count() != c.calls {
					t.Errorf("%s: %d calls, want %d", c.reason, p.count(), c.calls)
				}
				var lost []string
				for _, m := range w.sentMessages() {
					lost = append(lost, condition(t, m))
				}
				if diff := cmp.Diff(c.lost, lost); diff != "" {
					t.Errorf("%s: messages (-want +got):\n%s", c.reason, diff)
				}
			})
		})
	}
}

func condition(t *testing.T, m sent) string {
	t.Helper()
	var record struct {
		RequestContext struct {
			Condition string
			Attempts  json.Number `json:"approximateInvokeCount"`
		}
	}
	if err := json.Unmarshal([]byte(m.body), &record); err != nil || m.queue != deadARN {
		t.Fatalf("%+v: %v", m, err)
	}
	return record.RequestContext.Condition + " " + record.RequestContext.Attempts.String()
}

func TestTheRecordOfALostCallIsLambdas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		d, none := one(), 0
		d.Async = cloud.AsyncSettings{OnFailure: deadARN, Retries: &none}
		w.with(d, &scripted{answers: func(int) (lambda.Result, error) { return failed, nil }}).Queue([]byte(`{"a":1}`))
		time.Sleep(time.Minute)

		var got map[string]any
		if err := json.Unmarshal([]byte(w.sentMessages()[0].body), &got); err != nil {
			t.Fatal(err)
		}
		request, _ := got["requestContext"].(map[string]any)
		if id, _ := request["requestId"].(string); len(id) != 36 {
			t.Errorf("request id %q", id)
		}
		delete(request, "requestId")
		want := map[string]any{
			"version": "1.0", "timestamp": "2000-01-01T00:00:00.000Z",
			"requestContext":  map[string]any{"functionArn": oneARN + ":$LATEST", "condition": "RetriesExhausted", "approximateInvokeCount": 1.0},
			"requestPayload":  map[string]any{"a": 1.0},
			"responseContext": map[string]any{"statusCode": 200.0, "executedVersion": "$LATEST", "functionError": "Unhandled"},
			"responsePayload": map[string]any{"errorMessage": "no"},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("record (-want +got):\n%s", diff)
		}
	})
}

func TestRetriesComeAfterAWhileAndALongerOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var at []time.Duration
		began := time.Now()
		p := &scripted{answers: func(int) (lambda.Result, error) {
			at = append(at, time.Since(began))
			return failed, nil
		}}
		w.with(one(), p).Queue(nil)
		time.Sleep(time.Hour)
		synctest.Wait()
		if diff := cmp.Diff([]time.Duration{0, 10 * time.Second, 30 * time.Second}, at); diff != "" {
			t.Errorf("attempts (-want +got):\n%s", diff)
		}
	})
}

func TestOnlyAsyncCallsWaitForAPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		d, only := one(), 1
		d.Reserved = &only
		p := &scripted{answers: func(int) (lambda.Result, error) {
			time.Sleep(10 * time.Second)
			return fine, nil
		}}
		f := w.with(d, p)
		f.Queue(nil)
		f.Queue(nil)
		time.Sleep(time.Second)
		if _, err := f.Invoke(t.Context(), nil, nil); !errors.Is(err, lambda.ErrThrottled) {
			t.Errorf("a synchronous call over the limit: %v, want it throttled", err)
		}
		if p.count() != 1 {
			t.Errorf("%d calls at once, want 1", p.count())
		}
		time.Sleep(10 * time.Second)
		if p.count() != 2 {
			t.Errorf("%d calls, want both in the end", p.count())
		}
		time.Sleep(10 * time.Second)
		if _, err := f.Invoke(t.Context(), nil, nil); err != nil {
			t.Errorf("a call of an idle function: %v", err)
		}
	})
}

func TestCallLostAtEndIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.with(one(), &scripted{answers: func(int) (lambda.Result, error) { return failed, nil }}).Queue(nil)
		time.Sleep(time.Second)
		w.Stop()
		if !strings.Contains(w.log.String(), "asynchronous call lost: the sandbox ends") {
			t.Errorf("log:\n%s", w.log)
		}
	})
}
