package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/delivery"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
)

// maxMatch is the largest cloud.RuleMatch that is read, in bytes: an event has 1
// MB at most.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
const maxMatch = 2 << 20

// Events takes, as a POST of a cloud.RuleMatch each, what rules pick for functions,
// queues and other event buses. It checks no signature: it is for moto alone.
func (r *Runner) Events() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		var match cloud.RuleMatch
		if err := json.NewDecoder(http.MaxBytesReader(w, request.Body, maxMatch)).Decode(&match); err != nil {
			r.Log.ErrorContext(request.Context(), "an event that a rule picked cannot be read", "error", err)
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		// The publisher of the event does not wait for its targets.
		r.spawn(func() { r.deliver(r.running, match) })
		w.WriteHeader(http.StatusAccepted)
	})
}

// deliver gives the event to its target: a function's queue, a queue or a bus. What does
// not reach it is lost.
func (r *Runner) deliver(ctx context.Context, match cloud.RuleMatch) {
	retries := delivery.NewRetryPolicy(match.Retries, match.MaxAge)
	undelivered := delivery.DeliverEvent(ctx, retries, r.Now, func(ctx context.Context) error { return r.hand(ctx, match) })
	if undelivered != nil {
		r.lose(ctx, match, *undelivered)
	}
}

// lose sends the event to the target's dead-letter queue; without one it is
// dropped.
func (r *Runner) lose(ctx context.Context, match cloud.RuleMatch, failed delivery.UndeliveredError) {
	log := r.Log.With("rule", match.Rule, "target", match.Target, "error", failed.Error(), "event", string(match.Event))
	if match.DeadLetter == "" {
		log.ErrorContext(ctx, "event dropped: it did not reach its target, and the rule's target has no dead-letter queue")
		return
	}
	if err := r.bury(ctx, match, failed); err != nil {
		log.ErrorContext(ctx, "event dropped: it did not reach its target, nor the dead-letter queue", "queue", match.DeadLetter, "why", err)
		return
	}
	log.ErrorContext(ctx, "event did not reach its target, and is in the dead-letter queue", "queue", match.DeadLetter)
}

func (r *Runner) hand(ctx context.Context, match cloud.RuleMatch) error {
	service := parseARN(match.Target).service
	if service == "sqs" {
		return r.sendFor(ctx, match, match.Target, nil)
	}
	if r.Forward == nil || service != "events" {
		return r.invokeFor(ctx, match)
	}
	err := r.Forward(ctx, match)
	if errors.Is(err, cloud.ErrNotForwarded) {
		return &delivery.RefusedError{Code: "NO_PERMISSIONS", Message: err.Error()}
	}
	return err
}

func (r *Runner) invokeFor(ctx context.Context, match cloud.RuleMatch) error {
	f, err := r.find(ctx, match.Target)
	if errors.Is(err, lambda.ErrNotFound) {
		return &delivery.RefusedError{Code: "NO_RESOURCE", Message: "Function not found: " + match.Target}
	}
	if err != nil {
		return err
	}
	if !r.eventsMay("lambda:InvokeFunction", f.arn, f.ResourcePolicy(), match.Rule) {
		return &delivery.RefusedError{
			Code:    "NO_PERMISSIONS",
			Message: "The resource policy of " + f.arn + " does not let events.amazonaws.com invoke it for " + match.Rule,
		}
	}
	f.Queue(match.Event)
	return nil
}

// eventsMay says whether a resource's policy lets EventBridge do something for a
// rule. A service has no other permissions.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
func (r *Runner) eventsMay(action, resource string, document *policy.Document, rule string) bool {
	call := policy.Call{
		Caller: policy.Service("events.amazonaws.com"), Action: action, Resource: resource, ResourcePolicy: document,
		Context: map[string][]string{
			"aws:SourceArn":     {rule},
			"aws:SourceAccount": {parseARN(rule).account},
			"aws:CurrentTime":   {r.Now().UTC().Format(time.RFC3339)},
		},
	}
	decision := policy.Evaluate(call)
	if r.Record != nil {
		r.Record(call, decision)
	}
	return decision.Allowed
}

// bury sends the event to the target's dead-letter queue.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
func (r *Runner) bury(ctx context.Context, match cloud.RuleMatch, failed delivery.UndeliveredError) error {
	attributes := map[string]string{
		"RULE_ARN": match.Rule, "TARGET_ARN": match.Target,
		"ERROR_CODE": failed.Code, "ERROR_MESSAGE": failed.Message, "RETRY_ATTEMPTS": strconv.Itoa(failed.Retries),
	}
	if failed.Exhausted != "" {
		attributes["EXHAUSTED_RETRY_CONDITION"] = failed.Exhausted
	}
	return r.sendFor(ctx, match, match.DeadLetter, attributes)
}

// sendFor sends the event to a queue, if the queue's policy lets EventBridge.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sqs-permissions
func (r *Runner) sendFor(ctx context.Context, match cloud.RuleMatch, arn string, attributes map[string]string) error {
	queue := parseARN(arn)
	config := r.Queues(queue.account, queue.region)
	document, err := queuePolicy(ctx, config, queue)
	if missing := (smithy.APIError)(nil); errors.As(err, &missing) && strings.Contains(missing.ErrorCode(), "NonExistentQueue") {
		return &delivery.RefusedError{Code: "NO_RESOURCE", Message: "Queue not found: " + arn}
	}
	if err != nil {
		return err
	}
	if !r.eventsMay("sqs:SendMessage", arn, document, match.Rule) {
		return &delivery.RefusedError{
			Code:    "NO_PERMISSIONS",
			Message: "The queue's policy does not let events.amazonaws.com send to " + arn + " for " + match.Rule,
		}
	}
	return sendTo(ctx, config, aws.ToString(config.BaseEndpoint), queue, string(match.Event), attributes)
}

// queuePolicy is nil for a queue without one.
func queuePolicy(ctx context.Context, config aws.Config, queue place) (*policy.Document, error) {
	got, err := sqs.NewFromConfig(config).GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: queueURL(aws.ToString(config.BaseEndpoint), queue), AttributeNames: []types.QueueAttributeName{types.QueueAttributeNamePolicy},
	})
	if err != nil {
		return nil, fmt.Errorf("reading the policy of queue %s: %w", queue.rest, err)
	}
	text, ok := got.Attributes[string(types.QueueAttributeNamePolicy)]
	if !ok || text == "" {
		return nil, nil
	}
	document, err := policy.Parse([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("reading the policy of queue %s: %w", queue.rest, err)
	}
	return document, nil
}
