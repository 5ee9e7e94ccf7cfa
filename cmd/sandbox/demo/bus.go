package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/event"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

// eventBus is EventBridge in memory: each event is delivered, after the call
// that sent it and one at a time, to the function that its rule names.
type eventBus struct {
	gatewayEvents lambda.Function
	organization  lambda.Function
	sweep         lambda.Function

	mu       sync.Mutex
	idle     *sync.Cond
	queue    []delivery
	running  bool
	failures []error
	notices  []plan.Notice
}

type delivery struct {
	function lambda.Function
	payload  json.RawMessage
}

func newEventBus() *eventBus {
	b := &eventBus{}
	b.idle = sync.NewCond(&b.mu)
	return b
}

// Request is handler.Requests.
func (b *eventBus) Request(_ context.Context, requests []event.Request) error {
	for _, request := range requests {
		requested, err := envelope(event.Source, event.ReconcileRequested, request.At, request)
		if err != nil {
			return err
		}
		if request.Every {
			b.send(b.sweep, requested)
		} else {
			b.send(b.gatewayEvents, requested)
		}
	}
	return nil
}

// Publish is reconcile.Notices. Nobody subscribes but the story.
func (b *eventBus) Publish(_ context.Context, notices []plan.Notice) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.notices = append(b.notices, notices...)
	return nil
}

// touched tells of a call to AgentCore, as CloudTrail would.
func (b *eventBus) touched(change model.Change) {
	detail, err := cloud.TrailDetail(change)
	if err == nil {
		detail, err = envelope("aws.bedrock-agentcore", "AWS API Call via CloudTrail", change.Time, detail)
	}
	if err != nil {
		b.fail(err)
		return
	}
	b.send(b.gatewayEvents, detail)
}

// envelope is an event as a rule delivers it.
// https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
func envelope(source, detailType string, at time.Time, detail any) (json.RawMessage, error) {
	encoded, err := json.Marshal(map[string]any{
		"version": "0", "id": "00000000-0000-4000-8000-000000000000", "account": accountA, "region": region, "resources": []string{},
		"source": source, "detail-type": detailType, "time": at.UTC().Format(time.RFC3339), "detail": detail,
	})
	if err != nil {
		return nil, fmt.Errorf("write event %s: %w", detailType, err)
	}
	return encoded, nil
}

func (b *eventBus) send(function lambda.Function, payload json.RawMessage) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue = append(b.queue, delivery{function, payload})
	if !b.running {
		b.running = true
		go b.deliver()
	}
}

func (b *eventBus) deliver() {
	for {
		b.mu.Lock()
		if len(b.queue) == 0 {
			b.running = false
			b.idle.Broadcast()
			b.mu.Unlock()
			return
		}
		next := b.queue[0]
		b.queue = b.queue[1:]
		b.mu.Unlock()
		if err := invoke(context.Background(), next.function, next.payload); err != nil {
			b.fail(err)
		}
	}
}

// settle returns when every event so far, and every event that these caused, was
// delivered.
func (b *eventBus) settle() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.running {
		b.idle.Wait()
	}
	if len(b.failures) > 0 {
		return b.failures[0]
	}
	return nil
}

func (b *eventBus) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures = append(b.failures, err)
}

// take returns the notices published since it was last called.
func (b *eventBus) take() []plan.Notice {
	b.mu.Lock()
	defer b.mu.Unlock()
	notices := b.notices
	b.notices = nil
	return notices
}

// invoke calls a function with an event. What it answers must not be a failure,
// of itself or of a record.
func invoke(ctx context.Context, function lambda.Function, payload json.RawMessage) error {
	result, err := function.Invoke(ctx, payload, nil)
	if err != nil {
		return err
	}
	var answer struct {
		BatchItemFailures []json.RawMessage `json:"batchItemFailures"`
	}
	if result.FunctionError == "" && json.Unmarshal(result.Payload, &answer) == nil && len(answer.BatchItemFailures) == 0 {
		return nil
	}
	if result.FunctionError == "" && string(result.Payload) == "null" {
		return nil
	}
	return fmt.Errorf("a function answered %s %s", result.FunctionError, result.Payload)
}
