package delivery_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/delivery"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
)

const (
	oneQueue   = "arn:aws:sqs:us-east-1:111122223333:requests"
	visibility = 6 * time.Minute
)

// queued delivers messages for an hour and returns when each batch came, with its bodies,
// and what is left in the queue and in its dead-letter queue.
func queued(t *testing.T, options delivery.QueueOptions, bodies []string, answer func(bodies string) (lambda.Result, error)) (batches, left, dead []string) {
	t.Helper()
	deadLetters := delivery.NewMemoryQueue(oneQueue+"-dead", visibility, 0, nil, nil)
	queue := delivery.NewMemoryQueue(oneQueue, visibility, 3, deadLetters, nil)
	for _, body := range bodies {
		queue.Send(body)
	}
	began := time.Now()
	var mu sync.Mutex
	function := functionOf(func(payload []byte) (lambda.Result, error) {
		bodies := strings.Join(bodiesIn(t, payload), " ")
		mu.Lock()
		batches = append(batches, fmt.Sprint(time.Since(began), " ", bodies))
		mu.Unlock()
		return answer(bodies)
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	delivery.NewQueueMapping(queue, function, options, slog.New(slog.DiscardHandler)).Run(ctx)
	return batches, queue.Bodies(), deadLetters.Bodies()
}

func bodiesIn(t *testing.T, payload []byte) []string {
	t.Helper()
	var event events.SQSEvent
	if err := json.Unmarshal(payload, &event); err != nil {
		t.Error(err)
	}
	var bodies []string
	for i := range event.Records {
		bodies = append(bodies, event.Records[i].Body)
	}
	return bodies
}

func TestAQueueIsDeliveredAsItsSettingsSay(t *testing.T) {
	one := delivery.QueueOptions{BatchSize: 1, MaximumConcurrency: 2}
	fails := lambda.Result{FunctionError: "Unhandled", Payload: []byte(`{}`)}
	cases := map[string]struct {
		reason  string
		bodies  []string
		options delivery.QueueOptions
		answer  func(bodies string) (lambda.Result, error)
		batches []string
		left    []string
		dead    []string
	}{
		"all is well": {
			"what succeeds is deleted", []string{"a", "b", "c"}, delivery.QueueOptions{BatchSize: 2, MaximumConcurrency: 1}, fine, []string{"0s a b", "0s c"}, nil, nil,
		},
		"one fails": {
			"it returns after the visibility timeout, and is dead after three receives", []string{"a"}, one,
			func(string) (lambda.Result, error) { return fails, nil }, []string{"0s a", "6m0s a", "12m0s a"}, nil, []string{"a"},
		},
		"a batch fails": {
			"all of it returns: nothing says which message it was", []string{"a", "b"}, delivery.QueueOptions{},
			func(string) (lambda.Result, error) { return fails, nil }, []string{"0s a b", "6m0s a b", "12m0s a b"}, nil, []string{"a", "b"},
		},
		"a message is reported": {
			"only that one returns", []string{"a", "b"}, delivery.QueueOptions{ReportBatchItemFailures: true},
			func(string) (lambda.Result, error) {
				return lambda.Result{Payload: []byte(`{"batchItemFailures":[{"itemIdentifier":"2"}]}`)}, nil
			}, []string{"0s a b", "6m0s b", "12m0s b"}, nil, []string{"b"},
		},
		"an unknown message is reported": {
			"an answer that is not about the batch fails all of it", []string{"a"}, delivery.QueueOptions{ReportBatchItemFailures: true},
			func(string) (lambda.Result, error) {
				return lambda.Result{Payload: []byte(`{"batchItemFailures":[{"itemIdentifier":""}]}`)}, nil
			}, []string{"0s a", "6m0s a", "12m0s a"}, nil, []string{"a"},
		},
		"a report that is not asked for": {
			"without ReportBatchItemFailures an answer is success", []string{"a"}, one,
			func(string) (lambda.Result, error) {
				return lambda.Result{Payload: []byte(`{"batchItemFailures":[{"itemIdentifier":"1"}]}`)}, nil
			}, []string{"0s a"}, nil, nil,
		},
		"filtered": {
			"what does not match is deleted, by its body as JSON", []string{`{"n":1}`, "2", `{"n":3}`},
			delivery.QueueOptions{BatchSize: 10, Filter: filter(t, `{"body":{"n":[{"numeric":[">",1]}]}}`)}, fine, []string{`0s {"n":3}`}, nil, nil,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				batches, left, dead := queued(t, c.options, c.bodies, c.answer)
				if diff := cmp.Diff(c.batches, batches); diff != "" {
					t.Errorf("%s: batches (-want +got):\n%s", c.reason, diff)
				}
				if diff := cmp.Diff(c.left, left); diff != "" {
					t.Errorf("%s: left in the queue (-want +got):\n%s", c.reason, diff)
				}
				if diff := cmp.Diff(c.dead, dead); diff != "" {
					t.Errorf("%s: dead letters (-want +got):\n%s", c.reason, diff)
				}
			})
		})
	}
}

func TestMappingConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		running, most := 0, 0
		slow := func(string) (lambda.Result, error) {
			mu.Lock()
			running++
			most = max(most, running)
			mu.Unlock()
			time.Sleep(10 * time.Second)
			mu.Lock()
			running--
			mu.Unlock()
			return lambda.Result{}, nil
		}
		batches, left, _ := queued(t, delivery.QueueOptions{BatchSize: 1, MaximumConcurrency: 3}, strings.Fields("a b c d e f g"), slow)
		if most != 3 || len(batches) != 7 || len(left) != 0 {
			t.Errorf("%d batches, %d at once, left %v; want 7, three at once, and nothing left", len(batches), most, left)
		}
		if last := batches[6]; !strings.HasPrefix(last, "20s ") {
			t.Errorf("the last batch came at %s, want it after two rounds of 10 s", last)
		}
	})
}

func TestRefusedBatchIsRetriedUntilVisible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		busy := func(string) (lambda.Result, error) {
			if time.Since(began) < time.Minute {
				return lambda.Result{}, lambda.ErrThrottled
			}
			return lambda.Result{}, nil
		}
		batches, left, dead := queued(t, delivery.QueueOptions{BatchSize: 1}, []string{"a"}, busy)
		if last := batches[len(batches)-1]; !strings.HasPrefix(last, "1m") || len(left)+len(dead) > 0 {
			t.Errorf("it was called last at %s, with %v left and %v dead; want success soon after a minute", last, left, dead)
		}
	})
}

func TestWhatIsUnderWayEndsWithItsMapping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queue := delivery.NewMemoryQueue(oneQueue, visibility, 3, nil, nil)
		queue.Send("a")
		ended := false
		function := functionOf(func([]byte) (lambda.Result, error) {
			time.Sleep(time.Minute)
			ended = true
			return lambda.Result{}, nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		delivery.NewQueueMapping(queue, function, delivery.QueueOptions{}, slog.New(slog.DiscardHandler)).Run(ctx)
		if !ended || len(queue.Bodies()) != 0 {
			t.Errorf("the call has ended: %t; in the queue: %v", ended, queue.Bodies())
		}
	})
}
