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
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/delivery"
)

// schedule is a schedule of EventBridge Scheduler that runs.
type schedule struct {
	runner   *Runner
	deployed cloud.DeployedSchedule
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
	every, err := delivery.ParseRate(d.Expression)
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
	s := &schedule{runner: r, deployed: d, session: session}
	var ctx context.Context
	ctx, s.stop = context.WithCancel(r.running)
	r.schedules[d.ARN] = s
	runs := &delivery.Schedule{
		ARN: d.ARN, Every: every, Input: d.Input, Policy: delivery.NewRetryPolicy(d.Retries, d.MaxAge), Now: r.Now,
		Call: func(ctx context.Context, payload []byte) error {
			return r.invoke(ctx, session.current, d.Target, payload)
		},
		Refused: refused, Lose: s.lose,
		Spawn: func(call func(context.Context)) { r.spawn(func() { call(r.running) }) },
	}
	r.spawn(func() { runs.Run(ctx) })
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

// refused says that the same call cannot succeed later: a caller's fault other than
// impatience does not pass.
func refused(err error) bool {
	if errors.Is(err, cloud.ErrNotTrusted) {
		return true
	}
	answer := (*awshttp.ResponseError)(nil)
	if !errors.As(err, &answer) {
		return false
	}
	return answer.HTTPStatusCode() < http.StatusInternalServerError && answer.HTTPStatusCode() != http.StatusTooManyRequests
}

// lose sends what could not be called to the schedule's dead-letter queue, in the
// schedule's role.
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
func (s *schedule) lose(ctx context.Context, one delivery.Occurrence, why error, exhausted string) {
	log := s.runner.Log.With("schedule", s.deployed.ARN, "due", one.Due, "attempts", one.Attempt, "error", why)
	if s.deployed.DeadLetter == "" {
		log.ErrorContext(ctx, "scheduled call dropped: the schedule has no dead-letter queue")
		return
	}
	code, message := "SdkClientException", why.Error()
	if answered := (smithy.APIError)(nil); errors.As(why, &answered) {
		code, message = answered.ErrorCode(), answered.ErrorMessage()
	}
	attributes := map[string]string{
		"ERROR_CODE": code, "ERROR_MESSAGE": message, "EXECUTION_ID": one.ID, "IS_PAYLOAD_TRUNCATED": "false",
		"RETRY_ATTEMPTS": strconv.Itoa(one.Attempt - 1), "SCHEDULED_TIME": one.Due.UTC().Format(time.RFC3339),
		"SCHEDULE_ARN": s.deployed.ARN, "TARGET_ARN": s.deployed.Target,
	}
	if exhausted != "" {
		attributes["EXHAUSTED_RETRY_CONDITION"] = exhausted
	}
	if err := s.runner.send(ctx, s.session.current, s.deployed.DeadLetter, one.Fill(s.deployed.Input), attributes); err != nil {
		log.ErrorContext(ctx, "scheduled call dropped: its dead-letter queue cannot be reached", "queue", s.deployed.DeadLetter, "why", err)
		return
	}
	log.ErrorContext(ctx, "scheduled call sent to its dead-letter queue", "queue", s.deployed.DeadLetter)
}
