package runner

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
)

// How EventBridge Scheduler retries unless the schedule says otherwise.
// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_RetryPolicy.html
const (
	scheduleRetries = 185
	scheduleMaxAge  = 24 * time.Hour
)

// schedule is a schedule of EventBridge Scheduler that runs.
type schedule struct {
	runner   *Runner
	deployed cloud.DeployedSchedule
	every    time.Duration
	session  *session
	stop     context.CancelFunc
}

// runSchedules runs each schedule on its own; the caller holds r.reading.
func (r *Runner) runSchedules(deployed []cloud.DeployedSchedule) {
	wanted := map[string]bool{}
	for _, d := range deployed {
		wanted[d.ARN] = d.Enabled
		if s := r.schedules[d.ARN]; !d.Enabled || s != nil && reflect.DeepEqual(s.deployed, d) {
			continue
		}
		if err := r.runSchedule(d); err != nil {
			r.refuse(d.ARN, "schedule does not run", err)
			wanted[d.ARN] = false
			continue
		}
		r.accept(d.ARN)
	}
	for arn, s := range r.schedules {
		if !wanted[arn] {
			s.stop()
			delete(r.schedules, arn)
		}
	}
}

func (r *Runner) runSchedule(d cloud.DeployedSchedule) error {
	every, err := parseRate(d.Expression)
	if err != nil {
		return err
	}
	if at := parseARN(d.Target); at.service != "lambda" || !strings.HasPrefix(at.rest, "function:") {
		return fmt.Errorf("the sandbox has schedules call functions, not %s", d.Target)
	}
	session, err := r.scheduleSession(d)
	if err != nil {
		return err
	}
	if before := r.schedules[d.ARN]; before != nil {
		before.stop()
	}
	s := &schedule{runner: r, deployed: d, every: every, session: session}
	var ctx context.Context
	ctx, s.stop = context.WithCancel(r.running)
	r.schedules[d.ARN] = s
	r.spawn(func() { s.run(ctx) })
	return nil
}

// scheduleSession is the session that EventBridge Scheduler has in the schedule's
// role: it says for which schedule group.
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
func (r *Runner) scheduleSession(d cloud.DeployedSchedule) (*session, error) {
	at := parseARN(d.ARN)
	parts := strings.Split(at.rest, "/")
	if len(parts) != 3 || parts[0] != "schedule" {
		return nil, fmt.Errorf("%s is not the ARN of a schedule", d.ARN)
	}
	group := strings.TrimSuffix(d.ARN, at.rest) + "schedule-group/" + parts[1]
	return &session{
		runner: r, service: "scheduler.amazonaws.com", role: d.Role, name: "scheduler-" + newID(),
		context: map[string][]string{"aws:SourceAccount": {at.account}, "aws:SourceArn": {group}},
	}, nil
}

// run calls the target at once and then at every interval, until ctx ends. A call
// that takes its time delays no other.
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#rate-based
func (s *schedule) run(ctx context.Context) {
	for due := s.runner.Now(); ; {
		one := occurrence{schedule: s.deployed.ARN, due: due, id: strings.ReplaceAll(newID(), "-", "")[:16]}
		s.runner.spawn(func() { s.see(s.runner.running, one) })
		for due = due.Add(s.every); !due.After(s.runner.Now()); {
			due = due.Add(s.every) // a machine that slept does not catch up
		}
		if sleep(ctx, due.Sub(s.runner.Now())); ctx.Err() != nil {
			return
		}
	}
}

// see has one occurrence call its target, or end in the dead-letter queue.
func (s *schedule) see(ctx context.Context, one occurrence) {
	limits := limitsOf(s.deployed.Retries, s.deployed.MaxAge, scheduleRetries, scheduleMaxAge)
	for backoff := firstBackoff; ; backoff = min(2*backoff, lastBackoff) {
		one.attempt++
		err := s.runner.invoke(ctx, s.session.current, s.deployed.Target, []byte(one.fill(s.deployed.Input)))
		if err == nil || ctx.Err() != nil {
			return
		}
		if !passing(err) {
			s.bury(ctx, one, err, "")
			return
		}
		if exhausted := limits.exhausted(one.attempt, s.runner.Now().Add(backoff).Sub(one.due)); exhausted != "" {
			s.bury(ctx, one, err, exhausted)
			return
		}
		sleep(ctx, backoff)
	}
}

// invokeLater invokes a function asynchronously, in a role: what the function makes
// of it is between it and Lambda.
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-templated.html
func (r *Runner) invokeLater(ctx context.Context, as credentials, function string, payload []byte) error {
	client := awslambda.NewFromConfig(r.config(parseARN(function).region, as), func(o *awslambda.Options) {
		o.Retryer = aws.NopRetryer{} // every attempt is one of the schedule's
	})
	_, err := client.Invoke(ctx, &awslambda.InvokeInput{FunctionName: &function, InvocationType: types.InvocationTypeEvent, Payload: payload})
	if err != nil {
		return fmt.Errorf("calling %s: %w", function, err)
	}
	return nil
}

// passing says whether the same call may succeed later: a caller's fault other
// than impatience does not pass.
func passing(err error) bool {
	if errors.Is(err, cloud.ErrNotTrusted) {
		return false
	}
	answer := (*awshttp.ResponseError)(nil)
	if !errors.As(err, &answer) {
		return true
	}
	return answer.HTTPStatusCode() >= http.StatusInternalServerError || answer.HTTPStatusCode() == http.StatusTooManyRequests
}

// bury sends what could not be called to the schedule's dead-letter queue, in the
// schedule's role.
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
func (s *schedule) bury(ctx context.Context, one occurrence, why error, exhausted string) {
	log := s.runner.Log.With("schedule", s.deployed.ARN, "due", one.due, "attempts", one.attempt, "error", why)
	if s.deployed.DeadLetter == "" {
		log.ErrorContext(ctx, "scheduled call dropped: the schedule has no dead-letter queue")
		return
	}
	code, message := "SdkClientException", why.Error()
	if refused := (smithy.APIError)(nil); errors.As(why, &refused) {
		code, message = refused.ErrorCode(), refused.ErrorMessage()
	}
	attributes := map[string]string{
		"ERROR_CODE": code, "ERROR_MESSAGE": message, "EXECUTION_ID": one.id, "IS_PAYLOAD_TRUNCATED": "false",
		"RETRY_ATTEMPTS": strconv.Itoa(one.attempt - 1), "SCHEDULED_TIME": one.due.UTC().Format(time.RFC3339),
		"SCHEDULE_ARN": s.deployed.ARN, "TARGET_ARN": s.deployed.Target,
	}
	if exhausted != "" {
		attributes["EXHAUSTED_RETRY_CONDITION"] = exhausted
	}
	if err := s.runner.send(ctx, s.session.current, s.deployed.DeadLetter, one.fill(s.deployed.Input), attributes); err != nil {
		log.ErrorContext(ctx, "scheduled call dropped: its dead-letter queue cannot be reached", "queue", s.deployed.DeadLetter, "why", err)
		return
	}
	log.ErrorContext(ctx, "scheduled call given up on, and in its dead-letter queue", "queue", s.deployed.DeadLetter)
}
