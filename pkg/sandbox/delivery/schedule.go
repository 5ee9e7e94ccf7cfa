package delivery

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// rateForm is rate(VALUE UNIT), with a singular unit for one.
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#rate-based
var rateForm = regexp.MustCompile(`^rate\(\s*([1-9][0-9]*)\s+(minute|hour|day)(s?)\s*\)$`)

// ParseRate reads the interval of a rate-based schedule. There are no others here: a
// schedule of another kind is an error, and does not run.
func ParseRate(expression string) (time.Duration, error) {
	found := rateForm.FindStringSubmatch(expression)
	if found == nil {
		return 0, fmt.Errorf("the sandbox runs schedules like rate(5 minutes), not %s", expression)
	}
	n, err := strconv.Atoi(found[1])
	if err != nil || n > 1_000_000 {
		return 0, fmt.Errorf("%s is too long an interval", expression)
	}
	return time.Duration(n) * map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}[found[2]], nil
}

// Schedule calls its target at a rate, as EventBridge Scheduler does.
type Schedule struct {
	ARN    string
	Every  time.Duration
	Input  string // with keywords, which are filled in
	Policy RetryPolicy
	// Call calls the target once.
	Call func(ctx context.Context, payload []byte) error
	// Refused tells of an error of Call whether it is of no use to try again.
	Refused func(error) bool
	// Lose is given what was not called in the end.
	Lose func(ctx context.Context, one Occurrence, why error, exhausted string)
	// Spawn runs what Run does not wait for.
	Spawn func(func(context.Context))
	Now   func() time.Time
}

// Occurrence is one time at which a schedule is due.
type Occurrence struct {
	Due     time.Time
	ID      string
	Attempt int // from 1

	schedule string // ARN
}

// Fill replaces the keywords in an input.
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
func (o Occurrence) Fill(input string) string {
	return strings.NewReplacer(
		"<aws.scheduler.schedule-arn>", o.schedule,
		"<aws.scheduler.scheduled-time>", o.Due.UTC().Format(time.RFC3339),
		"<aws.scheduler.execution-id>", o.ID,
		"<aws.scheduler.attempt-number>", strconv.Itoa(o.Attempt),
	).Replace(input)
}

// Run calls the target at once and then at every interval, until ctx ends. A call
// that takes its time delays no other.
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#rate-based
func (s *Schedule) Run(ctx context.Context) {
	for due := s.Now(); ; {
		one := Occurrence{schedule: s.ARN, Due: due, ID: strings.ReplaceAll(newID(), "-", "")[:16]}
		s.Spawn(func(ctx context.Context) { s.deliver(ctx, one) })
		for due = due.Add(s.Every); !due.After(s.Now()); {
			due = due.Add(s.Every) // a machine that slept does not catch up
		}
		if pause(ctx, nil, due.Sub(s.Now())); ctx.Err() != nil {
			return
		}
	}
}

// deliver has one occurrence call its target, or be lost.
func (s *Schedule) deliver(ctx context.Context, one Occurrence) {
	for backoff := eventFirstBackoff; ; backoff = min(2*backoff, eventLastBackoff) {
		one.Attempt++
		err := s.Call(ctx, []byte(one.Fill(s.Input)))
		if err == nil || ctx.Err() != nil {
			return
		}
		exhausted := s.Policy.exhausted(one.Attempt, s.Now().Add(backoff).Sub(one.Due))
		if s.Refused(err) {
			exhausted = ""
		}
		if s.Refused(err) || exhausted != "" {
			s.Lose(ctx, one, err, exhausted)
			return
		}
		pause(ctx, nil, backoff)
	}
}
