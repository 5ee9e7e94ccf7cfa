package runner

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// rateForm is rate(VALUE UNIT), with a singular unit for one.
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#rate-based
var rateForm = regexp.MustCompile(`^rate\(\s*([1-9][0-9]*)\s+(minute|hour|day)(s?)\s*\)$`)

// parseRate reads the interval of a rate-based schedule. There are no others here:
// a schedule of another kind is an error, and does not run.
func parseRate(expression string) (time.Duration, error) {
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

// occurrence is one time at which a schedule is due.
type occurrence struct {
	schedule string // ARN
	due      time.Time
	id       string
	attempt  int // from 1
}

// fill replaces the keywords in an input.
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
func (o occurrence) fill(input string) string {
	return strings.NewReplacer(
		"<aws.scheduler.schedule-arn>", o.schedule,
		"<aws.scheduler.scheduled-time>", o.due.UTC().Format(time.RFC3339),
		"<aws.scheduler.execution-id>", o.id,
		"<aws.scheduler.attempt-number>", strconv.Itoa(o.attempt),
	).Replace(input)
}
