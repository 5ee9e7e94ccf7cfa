package delivery

import (
	"context"
	"crypto/md5" // SQS's own digest of a body
	"encoding/hex"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// MemoryQueue is a standard queue of SQS in memory, with a visibility timeout and a
// redrive policy. It is safe for concurrent use.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
type MemoryQueue struct {
	arn         string
	visibility  time.Duration
	maxReceives int          // 0: without end
	dead        *MemoryQueue // takes what was received as often, if set
	work        *Work        // every message until it is deleted or dead; may be nil

	mu       sync.Mutex
	messages []*kept
	sent     int
	wake     chan struct{} // a message was sent
}

// kept is a message with what SQS knows of it.
type kept struct {
	message  events.SQSMessage
	sent     time.Time
	received int
	visible  time.Time // from then on
}

var _ Queue = (*MemoryQueue)(nil)

// NewMemoryQueue makes a queue whose messages go to dead, if there is one, once they
// have been received maxReceives times.
func NewMemoryQueue(arn string, visibility time.Duration, maxReceives int, dead *MemoryQueue, work *Work) *MemoryQueue {
	return &MemoryQueue{arn: arn, visibility: visibility, maxReceives: maxReceives, dead: dead, work: work, wake: make(chan struct{}, 1)}
}

// Send puts a message into the queue.
func (q *MemoryQueue) Send(body string) {
	q.work.Add(1)
	q.mu.Lock()
	q.sent++
	id := strconv.Itoa(q.sent)
	sum := md5.Sum([]byte(body))
	now := time.Now()
	q.messages = append(q.messages, &kept{sent: now, visible: now, message: events.SQSMessage{
		MessageId: id, ReceiptHandle: id, Body: body, Md5OfBody: hex.EncodeToString(sum[:]),
		MessageAttributes: map[string]events.SQSMessageAttribute{}, EventSource: "aws:sqs", EventSourceARN: q.arn,
	}})
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default: // a receiver will look already
	}
}

// Bodies are those of the messages that are in the queue, hidden or not.
func (q *MemoryQueue) Bodies() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	var bodies []string
	for _, m := range q.messages {
		bodies = append(bodies, m.message.Body)
	}
	return bodies
}

// VisibilityTimeout is the one that the queue was made with.
func (q *MemoryQueue) VisibilityTimeout(context.Context) (time.Duration, error) {
	return q.visibility, nil
}

// Receive waits for messages as a long poll does.
func (q *MemoryQueue) Receive(ctx context.Context, most int) ([]events.SQSMessage, error) {
	end := time.Now().Add(longPoll * time.Second)
	for {
		messages, next := q.take(most)
		wait := time.Until(end)
		if len(messages) > 0 || wait <= 0 || ctx.Err() != nil {
			return messages, ctx.Err()
		}
		if !next.IsZero() {
			wait = min(wait, max(time.Until(next), 0))
		}
		pause(ctx, q.wake, wait)
	}
}

// take hides what it gives. If there is nothing yet it says when there will be; zero is
// unknown.
func (q *MemoryQueue) take(most int) (taken []events.SQSMessage, next time.Time) {
	now := time.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.messages = slices.DeleteFunc(q.messages, func(m *kept) bool {
		if m.visible.After(now) || q.maxReceives == 0 || m.received < q.maxReceives {
			return false
		}
		if q.dead != nil {
			q.dead.Send(m.message.Body)
		}
		q.work.Done(1)
		return true
	})
	for _, m := range q.messages {
		switch {
		case m.visible.After(now):
			if next.IsZero() || m.visible.Before(next) {
				next = m.visible
			}
		case len(taken) < most:
			m.received++
			m.visible = now.Add(q.visibility)
			m.message.Attributes = map[string]string{
				"ApproximateReceiveCount": strconv.Itoa(m.received), "SentTimestamp": strconv.FormatInt(m.sent.UnixMilli(), 10),
			}
			taken = append(taken, m.message)
		}
	}
	return taken, next
}

// Delete deletes messages, hidden or not.
func (q *MemoryQueue) Delete(_ context.Context, messages []events.SQSMessage) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range messages {
		before := len(q.messages)
		q.messages = slices.DeleteFunc(q.messages, func(m *kept) bool { return m.message.MessageId == messages[i].MessageId })
		q.work.Done(before - len(q.messages))
	}
	return nil
}
