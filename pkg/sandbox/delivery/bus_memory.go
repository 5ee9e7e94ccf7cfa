package delivery

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/eventpattern"
)

// MemoryBus is an event bus in memory. It is safe for concurrent use.
type MemoryBus struct {
	Log  *slog.Logger
	Work *Work // every match until its target has taken it; may be nil

	mu    sync.RWMutex
	rules []memoryRule
}

type memoryRule struct {
	pattern eventpattern.Pattern
	send    func(ctx context.Context, event []byte) error
}

// Rule has the events that a pattern matches sent to a target.
func (b *MemoryBus) Rule(pattern string, send func(ctx context.Context, event []byte) error) error {
	parsed, err := eventpattern.Parse(pattern)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rules = append(b.rules, memoryRule{parsed, send})
	return nil
}

// Put sends an event to the targets of the rules that match it. It does not wait for them.
func (b *MemoryBus) Put(ctx context.Context, event []byte) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, rule := range b.rules {
		if !rule.pattern.Matches(event) {
			continue
		}
		b.Work.Add(1)
		go func() {
			defer b.Work.Done(1)
			lost := DeliverEvent(context.WithoutCancel(ctx), NewRetryPolicy(nil, nil), time.Now, func(ctx context.Context) error { return rule.send(ctx, event) })
			if lost != nil {
				b.Log.ErrorContext(ctx, "event dropped: it did not reach its target", "error", lost, "event", string(event))
			}
		}()
	}
}
