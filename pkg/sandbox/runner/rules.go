package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
)

// maxMatch is the largest cloud.RuleMatch that is read, in bytes: an event has 1
// MB at most.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
const maxMatch = 2 << 20

// Events takes, as a POST of a cloud.RuleMatch each, what rules pick for
// functions and for other event buses. It checks nobody: it is for moto alone.
func (r *Runner) Events() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		var match cloud.RuleMatch
		if err := json.NewDecoder(http.MaxBytesReader(w, request.Body, maxMatch)).Decode(&match); err != nil {
			r.Log.Error("an event that a rule picked cannot be read", "error", err)
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		// Whoever published the event does not wait for its targets.
		r.spawn(func() { r.deliver(r.running, match) })
		w.WriteHeader(http.StatusAccepted)
	})
}

// undelivered is why an event did not reach its target, in EventBridge's words.
type undelivered struct{ code, message string }

func (u *undelivered) Error() string { return u.code + ": " + u.message }

// deliver hands the event to its target, a function's queue or a bus, as EventBridge
// does: it has been delivered when Lambda has taken it. That never fails here for a time, so
// that the target's RetryPolicy has nothing to try again: missing permissions and
// functions are not.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
func (r *Runner) deliver(ctx context.Context, match cloud.RuleMatch) {
	err := r.hand(ctx, match)
	failed := (*undelivered)(nil)
	switch {
	case err == nil || ctx.Err() != nil:
		return
	case !errors.As(err, &failed):
		failed = &undelivered{"SDK_CLIENT_ERROR", err.Error()}
	}
	log := r.Log.With("rule", match.Rule, "target", match.Target, "error", failed, "event", string(match.Event))
	if match.DeadLetter == "" {
		log.Error("event dropped: it did not reach its target, and the rule's target has no dead-letter queue")
		return
	}
	if err := r.bury(ctx, match, failed); err != nil {
		log.Error("event dropped: it did not reach its target, nor the dead-letter queue", "queue", match.DeadLetter, "why", err)
		return
	}
	log.Error("event did not reach its target, and is in the dead-letter queue", "queue", match.DeadLetter)
}

func (r *Runner) hand(ctx context.Context, match cloud.RuleMatch) error {
	if r.Forward == nil || parseARN(match.Target).service != "events" {
		return r.invokeFor(ctx, match)
	}
	err := r.Forward(ctx, match)
	if errors.Is(err, cloud.ErrNotForwarded) {
		return &undelivered{"NO_PERMISSIONS", err.Error()}
	}
	return err
}

func (r *Runner) invokeFor(ctx context.Context, match cloud.RuleMatch) error {
	f, err := r.find(ctx, match.Target)
	if errors.Is(err, lambda.ErrNotFound) {
		return &undelivered{"NO_RESOURCE", "Function not found: " + match.Target}
	}
	if err != nil {
		return err
	}
	if !r.eventsMay("lambda:InvokeFunction", f.arn, f.ResourcePolicy(), match.Rule) {
		return &undelivered{"NO_PERMISSIONS", "The resource policy of " + f.arn + " does not let events.amazonaws.com invoke it for " + match.Rule}
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

// bury sends the event to the target's dead-letter queue, if the queue's policy
// lets EventBridge.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
func (r *Runner) bury(ctx context.Context, match cloud.RuleMatch, failed *undelivered) error {
	queue := parseARN(match.DeadLetter)
	config := r.Queues(queue.account, queue.region)
	document, err := queuePolicy(ctx, config, queue)
	if err != nil {
		return err
	}
	if !r.eventsMay("sqs:SendMessage", match.DeadLetter, document, match.Rule) {
		return errors.New("the queue's policy does not let events.amazonaws.com send to it for the rule")
	}
	return sendTo(ctx, config, aws.ToString(config.BaseEndpoint), queue, string(match.Event), map[string]string{
		"RULE_ARN": match.Rule, "TARGET_ARN": match.Target,
		"ERROR_CODE": failed.code, "ERROR_MESSAGE": failed.message, "RETRY_ATTEMPTS": "0",
	})
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
