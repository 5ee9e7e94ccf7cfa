package runner

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// sendToQueue sends a message to a queue, named by ARN, in a role. There are no
// other destinations.
func (r *Runner) sendToQueue(ctx context.Context, as credentials, queue, body string, attributes map[string]string) error {
	at := parseARN(queue)
	if at.service != "sqs" {
		return fmt.Errorf("sending to %s: the sandbox sends what failed to SQS queues only", queue)
	}
	return sendTo(ctx, r.config(at.region, as), r.Endpoint, at, body, attributes)
}

func sendTo(ctx context.Context, config aws.Config, endpoint string, queue place, body string, attributes map[string]string) error {
	input := &sqs.SendMessageInput{QueueUrl: queueURL(endpoint, queue), MessageBody: &body}
	for name, value := range attributes {
		if input.MessageAttributes == nil {
			input.MessageAttributes = map[string]types.MessageAttributeValue{}
		}
		input.MessageAttributes[name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &value}
	}
	if _, err := sqs.NewFromConfig(config).SendMessage(ctx, input); err != nil {
		return fmt.Errorf("sending to queue %s: %w", queue.rest, err)
	}
	return nil
}

// queueURL is where a queue is at an endpoint.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html
func queueURL(endpoint string, queue place) *string {
	return aws.String(endpoint + "/" + queue.account + "/" + queue.rest)
}

// newID is a UUID of version 4.
func newID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails: crypto/rand crashes the program instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
