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

// SystemClock is the clock of the machine.
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
