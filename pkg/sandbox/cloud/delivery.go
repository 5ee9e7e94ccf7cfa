package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
)

// Rule picks the events of a bus that a function gets.
type Rule struct {
	Name    string
	Bus     string // "default" or one that exists
	Pattern string // an event pattern, JSON
}

// Delivery hands a function the events that rules pick, as EventBridge does
// through Lambda's queue for asynchronous invocations: a failed event is tried
// twice more, then it goes to a dead-letter queue. Moto matches the events, but
// runs no functions; a queue NAME and a queue NAME-dead take Lambda's place, for
// all to see.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
type Delivery struct {
	queue    *sqs.Client
	url      string
	account  string
	function lambda.Function
	log      *slog.Logger
}

const (
	attempts      = 3
	retryAfter    = time.Second      // where Lambda waits one minute, then two
	longestCall   = 15 * time.Minute // of any Lambda function
	longPoll      = 20               // seconds, the most that SQS allows
	receiveAtOnce = 10               // the most that SQS allows
)

// NewDelivery makes the queues and the rules in the account that config acts in.
func NewDelivery(ctx context.Context, config aws.Config, account, name string, rules []Rule, function lambda.Function, log *slog.Logger) (*Delivery, error) {
	d := &Delivery{queue: sqs.NewFromConfig(config), account: account, function: function, log: log.With("queue", name)}
	arn, err := d.makeQueues(ctx, config.Region, name)
	if err != nil {
		return nil, err
	}
	bus := eventbridge.NewFromConfig(config)
	for _, rule := range rules {
		if _, err := bus.PutRule(ctx, &eventbridge.PutRuleInput{Name: &rule.Name, EventBusName: &rule.Bus, EventPattern: &rule.Pattern}); err != nil {
			return nil, fmt.Errorf("making rule %s: %w", rule.Name, err)
		}
		put, err := bus.PutTargets(ctx, &eventbridge.PutTargetsInput{
			Rule: &rule.Name, EventBusName: &rule.Bus,
			Targets: []eventtypes.Target{{Id: aws.String(name), Arn: &arn}},
		})
		if err != nil {
			return nil, fmt.Errorf("giving rule %s its target: %w", rule.Name, err)
		}
		if put.FailedEntryCount > 0 {
			return nil, fmt.Errorf("giving rule %s its target: %s", rule.Name, aws.ToString(put.FailedEntries[0].ErrorMessage))
		}
	}
	return d, nil
}

func (d *Delivery) makeQueues(ctx context.Context, region, name string) (string, error) {
	arn := "arn:aws:sqs:" + region + ":" + d.account + ":" + name
	dead := name + "-dead"
	if _, err := d.queue.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &dead}); err != nil {
		return "", fmt.Errorf("making queue %s: %w", dead, err)
	}
	made, err := d.queue.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &name, Attributes: map[string]string{
		"VisibilityTimeout": strconv.Itoa(int(longestCall.Seconds())),
		"RedrivePolicy":     `{"deadLetterTargetArn":"` + arn + `-dead","maxReceiveCount":` + strconv.Itoa(attempts) + `}`,
	}})
	if err != nil {
		return "", fmt.Errorf("making queue %s: %w", name, err)
	}
	d.url = aws.ToString(made.QueueUrl)
	return arn, nil
}

// Run hands on events until ctx ends and the function has answered.
func (d *Delivery) Run(ctx context.Context) {
	for ctx.Err() == nil {
		received, err := d.queue.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl: &d.url, WaitTimeSeconds: longPoll, MaxNumberOfMessages: receiveAtOnce,
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameApproximateReceiveCount},
		})
		if err != nil {
			if ctx.Err() == nil {
				d.log.ErrorContext(ctx, "events cannot be read, will be tried again", "error", err)
				time.Sleep(retryAfter)
			}
			continue
		}
		var calls sync.WaitGroup
		for i := range received.Messages {
			calls.Go(func() { d.handle(ctx, &received.Messages[i]) })
		}
		calls.Wait()
	}
}

func (d *Delivery) handle(ctx context.Context, message *types.Message) {
	err := d.invoke(ctx, aws.ToString(message.Body))
	if err == nil {
		_, err = d.queue.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &d.url, ReceiptHandle: message.ReceiptHandle})
	}
	if err == nil || ctx.Err() != nil {
		return
	}
	d.log.ErrorContext(ctx, "event failed", "error", err, "attempt", message.Attributes["ApproximateReceiveCount"], "of", attempts)
	_, err = d.queue.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
		QueueUrl: &d.url, ReceiptHandle: message.ReceiptHandle, VisibilityTimeout: int32(retryAfter.Seconds()),
	})
	if err != nil {
		d.log.ErrorContext(ctx, "event stays hidden", "error", err, "for", longestCall)
	}
}

func (d *Delivery) invoke(ctx context.Context, body string) error {
	event, err := d.complete(body)
	if err != nil {
		return err
	}
	result, err := d.function.Invoke(ctx, event, nil)
	if err != nil {
		return fmt.Errorf("invoking the function: %w", err)
	}
	if result.FunctionError != "" {
		return errors.New("the function failed: " + string(result.Payload))
	}
	return nil
}

// complete adds the account, which EventBridge puts into every event and moto
// leaves out.
// https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
func (d *Delivery) complete(body string) ([]byte, error) {
	var event map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &event); err != nil {
		return nil, fmt.Errorf("reading an event: %w", err)
	}
	if _, ok := event["account"]; !ok {
		event["account"] = json.RawMessage(`"` + d.account + `"`)
	}
	completed, err := json.Marshal(event)
	if err != nil {
		return nil, fmt.Errorf("writing an event: %w", err)
	}
	return completed, nil
}
