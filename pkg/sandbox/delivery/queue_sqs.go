package delivery

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// longPoll is how many seconds a call waits for messages, the most that SQS allows.
const longPoll = 20

// SQS is a queue of Amazon SQS, with the calls by which Lambda reads it.
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions
type SQS struct {
	Client *sqs.Client
	URL    string
	ARN    string
	Region string
}

var _ Queue = (*SQS)(nil)

// Receive receives messages with all of their attributes.
func (q *SQS) Receive(ctx context.Context, most int) ([]events.SQSMessage, error) {
	received, err := q.Client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &q.URL, MaxNumberOfMessages: int32(most), WaitTimeSeconds: longPoll, //nolint:gosec // ten at most
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll}, MessageAttributeNames: []string{"All"},
	})
	if err != nil {
		return nil, fmt.Errorf("receiving from queue %s: %w", q.ARN, err)
	}
	var messages []events.SQSMessage
	for i := range received.Messages {
		messages = append(messages, q.message(&received.Messages[i]))
	}
	return messages, nil
}

// message is what Lambda makes of a message.
// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event
func (q *SQS) message(received *types.Message) events.SQSMessage {
	message := events.SQSMessage{
		MessageId: aws.ToString(received.MessageId), ReceiptHandle: aws.ToString(received.ReceiptHandle),
		Body: aws.ToString(received.Body), Md5OfBody: aws.ToString(received.MD5OfBody), Md5OfMessageAttributes: aws.ToString(received.MD5OfMessageAttributes),
		Attributes: received.Attributes, MessageAttributes: map[string]events.SQSMessageAttribute{},
		EventSourceARN: q.ARN, EventSource: "aws:sqs", AWSRegion: q.Region,
	}
	for name, value := range received.MessageAttributes {
		message.MessageAttributes[name] = events.SQSMessageAttribute{
			StringValue: value.StringValue, BinaryValue: value.BinaryValue, DataType: aws.ToString(value.DataType),
			StringListValues: []string{}, BinaryListValues: [][]byte{},
		}
	}
	return message
}

// Delete deletes messages, each of which was received.
func (q *SQS) Delete(ctx context.Context, messages []events.SQSMessage) error {
	input := &sqs.DeleteMessageBatchInput{QueueUrl: &q.URL}
	for i := range messages {
		input.Entries = append(input.Entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: &messages[i].ReceiptHandle})
	}
	deleted, err := q.Client.DeleteMessageBatch(ctx, input)
	if err != nil {
		return fmt.Errorf("deleting from queue %s: %w", q.ARN, err)
	}
	if len(deleted.Failed) > 0 {
		return fmt.Errorf("deleting from queue %s: %s", q.ARN, aws.ToString(deleted.Failed[0].Message))
	}
	return nil
}

// VisibilityTimeout reads the queue's attribute.
func (q *SQS) VisibilityTimeout(ctx context.Context) (time.Duration, error) {
	got, err := q.Client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &q.URL, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameVisibilityTimeout},
	})
	if err != nil {
		return 0, fmt.Errorf("reading the visibility timeout of queue %s: %w", q.ARN, err)
	}
	seconds, err := strconv.Atoi(got.Attributes[string(types.QueueAttributeNameVisibilityTimeout)])
	if err != nil {
		return 0, fmt.Errorf("reading the visibility timeout of queue %s: %w", q.ARN, err)
	}
	return time.Duration(seconds) * time.Second, nil
}
