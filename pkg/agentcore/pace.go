package agentcore

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// pace lets calls through at a steady rate, after a first burst. A caller that is
// throttled all the same shares the rate with others: then pace lets fewer through,
// and step by step as many again. It is safe for concurrent use.
type pace struct {
	clock  Clock
	every  time.Duration // between calls in the long run
	burst  time.Duration // how far a pause may be caught up
	jitter func() float64

	mu       sync.Mutex
	next     time.Time // when the next call is due
	slowness float64   // how many times longer than every to wait; 1 unless throttled
}

func newPace(clock Clock, perSecond float64, burst int) *pace {
	every := time.Duration(float64(time.Second) / perSecond)
	return &pace{clock: clock, every: every, burst: time.Duration(burst-1) * every, jitter: rand.Float64, slowness: 1}
}

// wait returns when the next call may be made.
func (p *pace) wait(ctx context.Context) error {
	ahead := p.take()
	if ahead <= 0 {
		return nil
	}
	return p.clock.Sleep(ctx, ahead)
}

// take counts a call, and says how long it has to wait.
func (p *pace) take() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock.Now()
	if earliest := now.Add(-p.burst); p.next.Before(earliest) {
		p.next = earliest
	}
	ahead := p.next.Sub(now)
	p.next = p.next.Add(time.Duration(p.slowness * float64(p.every)))
	return ahead
}

const (
	slower  = 2    // after a throttled call
	faster  = 0.98 // after any other: half the wait after some thirty
	slowest = 16   // times the wait that was asked for
)

// learn adapts the rate to an answer. After a throttled call nothing is let through for a
// random while, so that callers that were throttled together do not come back together.
func (p *pace) learn(throttled bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !throttled {
		p.slowness = max(1, p.slowness*faster)
		return
	}
	p.slowness = min(slowest, p.slowness*slower)
	rest := time.Duration((0.5 + p.jitter()) * p.slowness * float64(p.every))
	if until := p.clock.Now().Add(rest); p.next.Before(until) {
		p.next = until
	}
}
