package cloud

import (
	"context"
	"log/slog"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
)

// Schedule invokes a function at a fixed rate with a fixed input, as EventBridge
// Scheduler does. A run that takes longer than the interval delays the next one.
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-templated.html
type Schedule struct {
	Name     string
	Input    []byte // JSON
	Every    time.Duration
	Function lambda.Function
	Log      *slog.Logger
}

// Run invokes the function at once and then at every interval, until ctx ends.
func (s *Schedule) Run(ctx context.Context) {
	tick := time.NewTicker(s.Every)
	defer tick.Stop()
	for {
		result, err := s.Function.Invoke(ctx, s.Input, nil)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.Log.ErrorContext(ctx, "scheduled call failed", "schedule", s.Name, "error", err)
		case result.FunctionError != "":
			s.Log.ErrorContext(ctx, "scheduled call failed", "schedule", s.Name, "answer", string(result.Payload))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
