package agentcore

import (
	"context"
	"time"
)

// Clock is time, as far as waiting needs it.
type Clock struct {
	Now func() time.Time
	// Sleep ends early, with an error, when the context does.
	Sleep func(ctx context.Context, d time.Duration) error
}

// SystemClock is the machine's.
func SystemClock() Clock {
	return Clock{Now: time.Now, Sleep: func(ctx context.Context, d time.Duration) error {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timer.C:
			return nil
		}
	}}
}

// pace lets calls through at a steady rate, after a first burst. It serves one
// goroutine.
type pace struct {
	clock Clock
	every time.Duration // between calls in the long run
	burst time.Duration // how far a pause may be caught up
	next  time.Time     // when the next call is due
}

func newPace(clock Clock, perSecond, burst int) *pace {
	every := time.Second / time.Duration(perSecond)
	return &pace{clock: clock, every: every, burst: time.Duration(burst-1) * every}
}

// wait returns when the next call may be made.
func (p *pace) wait(ctx context.Context) error {
	now := p.clock.Now()
	if earliest := now.Add(-p.burst); p.next.Before(earliest) {
		p.next = earliest
	}
	ahead := p.next.Sub(now)
	p.next = p.next.Add(p.every)
	if ahead <= 0 {
		return nil
	}
	return p.clock.Sleep(ctx, ahead)
}
