// Package bus publishes events on EventBridge: requests to reconcile, which
// drive the product, and notices, which inform people and their tools.
package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/gateway-grants/gateway-grants/pkg/event"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/handler"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// API is the part of the SDK's client that is used.
type API interface {
	PutEvents(ctx context.Context, in *eventbridge.PutEventsInput, options ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error)
}

// Bus is one event bus. It may be used by several goroutines.
type Bus struct {
	api   API
	name  string
	sleep Sleep
}

// Sleep waits, or ends early with the context's error.
type Sleep func(ctx context.Context, d time.Duration) error

var (
	_ handler.Requests  = (*Bus)(nil)
	_ reconcile.Notices = (*Bus)(nil)
)

// New makes a Bus of the SDK's client and the bus's name or ARN.
func New(api API, name string, sleep Sleep) *Bus {
	return &Bus{api: api, name: name, sleep: sleep}
}

// Wait is Sleep by the machine's clock.
func Wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Request publishes requests to reconcile. It fails with *handler.UnsentError, which
// names those that were not published; all others were.
func (b *Bus) Request(ctx context.Context, requests []event.Request) error {
	outcomes := make([]error, len(requests))
	entries := make([]*types.PutEventsRequestEntry, len(requests))
	for i, request := range requests {
		entries[i], outcomes[i] = b.entry(event.ReconcileRequested, request.Scope(), request)
	}
	b.put(ctx, entries, outcomes)
	failure := &handler.UnsentError{Err: errors.Join(distinct(outcomes)...)}
	for i, err := range outcomes {
		if err != nil {
			failure.Requests = append(failure.Requests, requests[i])
		}
	}
	if len(failure.Requests) == 0 {
		return nil
	}
	return failure
}

// Publish publishes notices. Its error names those that were not published; all
// others were.
func (b *Bus) Publish(ctx context.Context, notices []plan.Notice) error {
	outcomes := make([]error, len(notices))
	entries := make([]*types.PutEventsRequestEntry, len(notices))
	for i, notice := range notices {
		detail, err := noticeDetail(notice)
		if err != nil {
			outcomes[i] = err
			continue
		}
		entries[i], outcomes[i] = b.entry(string(notice.Type), notice.Gateway, detail)
	}
	b.put(ctx, entries, outcomes)
	for i, err := range outcomes {
		if err != nil {
			outcomes[i] = fmt.Errorf("publish notice %s of %s: %w", notices[i].Type, notices[i].Gateway, err)
		}
	}
	return errors.Join(outcomes...)
}

// noticeDetail is a notice's detail with its gateway in it, which every detail
// on our bus has.
func noticeDetail(notice plan.Notice) (map[string]json.RawMessage, error) {
	raw, err := json.Marshal(notice.Detail)
	if err != nil {
		return nil, fmt.Errorf("encode its detail: %w", err)
	}
	detail := make(map[string]json.RawMessage)
	if err := json.Unmarshal(raw, &detail); err != nil || detail == nil {
		return nil, fmt.Errorf("encode its detail: a %T is no JSON object", notice.Detail)
	}
	detail["gateway"], err = json.Marshal(notice.Gateway)
	if err != nil {
		return nil, fmt.Errorf("encode its gateway: %w", err)
	}
	return detail, nil
}

func (b *Bus) entry(detailType, gateway string, detail any) (*types.PutEventsRequestEntry, error) {
	raw, err := json.Marshal(detail)
	if err != nil {
		return nil, fmt.Errorf("encode its detail: %w", err)
	}
	entry := &types.PutEventsRequestEntry{
		EventBusName: &b.name,
		Source:       aws.String(event.Source),
		DetailType:   &detailType,
		Detail:       aws.String(string(raw)),
	}
	if gateway != grant.EveryGateway { // which is no resource
		entry.Resources = []string{gateway}
	}
	if size := sizeOf(entry); size > maxBytes {
		return nil, fmt.Errorf("it has %d bytes, and EventBridge takes %d at most; the gateway's status has the rest", size, maxBytes)
	}
	return entry, nil
}

// distinct leaves out errors that repeat another: one refused call refuses many.
func distinct(failures []error) []error {
	var once []error
	seen := make(map[string]bool)
	for _, err := range failures {
		if err != nil && !seen[err.Error()] {
			seen[err.Error()] = true
			once = append(once, err)
		}
	}
	return once
}
