package delivery_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/delivery"
)

func TestARateIsReadAsItIsDocumented(t *testing.T) {
	cases := map[string]time.Duration{
		"rate(1 minute)": time.Minute, "rate(5 minutes)": 5 * time.Minute, "rate(1 hour)": time.Hour,
		"rate(36 hours)": 36 * time.Hour, "rate(1 day)": 24 * time.Hour, "rate(7 days)": 7 * 24 * time.Hour,
	}
	for expression, want := range cases {
		if got, err := delivery.ParseRate(expression); err != nil || got != want {
			t.Errorf("%s: got %s, %v; want %s", expression, got, err, want)
		}
	}
	for _, expression := range []string{"", "rate(0 minutes)", "rate(-1 minute)", "rate(1 second)", "rate(5)", "rate(9999999999999999999 days)", "cron(0 8 * * ? *)", "at(2026-11-23T00:00:00)"} {
		if got, err := delivery.ParseRate(expression); err == nil {
			t.Errorf("%s: want a refusal, got %s", expression, got)
		}
	}
}

func TestKeywordsInAnInputAreFilledIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		schedule := &delivery.Schedule{
			ARN: "arn:schedule", Every: time.Minute, Policy: delivery.NewRetryPolicy(nil, nil), Now: time.Now,
			Input: `["<aws.scheduler.schedule-arn>","<aws.scheduler.scheduled-time>","<aws.scheduler.attempt-number>","<aws.other>"]`,
			Call: func(_ context.Context, payload []byte) error {
				got = append(got, string(payload))
				if len(got) == 1 {
					return errors.New("no connection")
				}
				return nil
			},
			Refused: func(error) bool { return false },
			Lose:    func(context.Context, delivery.Occurrence, error, string) { t.Error("it is lost") },
			Spawn:   func(call func(context.Context)) { call(ctx) },
		}
		schedule.Run(ctx)
		want := []string{
			`["arn:schedule","2000-01-01T00:00:00Z","1","<aws.other>"]`,
			`["arn:schedule","2000-01-01T00:00:00Z","2","<aws.other>"]`,
			`["arn:schedule","2000-01-01T00:01:00Z","1","<aws.other>"]`,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}
