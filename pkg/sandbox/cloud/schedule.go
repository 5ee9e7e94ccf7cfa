package cloud

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
)

// Schedule invokes a function at a fixed rate, with the event that a scheduled
// rule of EventBridge sends. A run that takes longer than the interval delays
// the next one.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html
type Schedule struct {
	Rule     string // ARN
	Account  string
	Region   string
	Every    time.Duration
	Function lambda.Function
	Log      *slog.Logger
}

// Run invokes the function at once and then at every interval, until ctx ends.
func (s *Schedule) Run(ctx context.Context) {
	tick := time.NewTicker(s.Every)
	defer tick.Stop()
	for at := time.Now(); ; {
		result, err := s.Function.Invoke(ctx, s.event(at), nil)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.Log.ErrorContext(ctx, "scheduled call failed", "rule", s.Rule, "error", err)
		case result.FunctionError != "":
			s.Log.ErrorContext(ctx, "scheduled call failed", "rule", s.Rule, "answer", string(result.Payload))
		}
		select {
		case <-ctx.Done():
			return
		case at = <-tick.C:
		}
	}
}

func (s *Schedule) event(at time.Time) []byte {
	event, _ := json.Marshal(map[string]any{
		"version": "0", "id": newUUID(), "detail-type": "Scheduled Event", "source": "aws.events",
		"account": s.Account, "region": s.Region, "time": at.UTC().Format(time.RFC3339),
		"resources": []string{s.Rule}, "detail": struct{}{},
	}) // strings always marshal
	return event
}
