package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
)

// Queue is a queue as a mapping uses it.
type Queue interface {
	// Receive waits for messages, for at most some seconds, and takes up to so many.
	// They are hidden from others until the visibility timeout has passed.
	Receive(ctx context.Context, most int) ([]events.SQSMessage, error)
	Delete(ctx context.Context, messages []events.SQSMessage) error
	// VisibilityTimeout is how long a message that was received stays hidden.
	VisibilityTimeout(ctx context.Context) (time.Duration, error)
}

const (
	// queueBatch is Lambda's default, and the most that one call of SQS gives.
	// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html
	queueBatch = 10
	// queueConcurrency is how many batches Lambda takes at once where a mapping sets no
	// maximum. It takes more of a queue that stays full, up to 1,250, for which no
	// machine of one's own has room.
	// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
	queueConcurrency = 5
)

// QueueOptions are the settings of an event source mapping of a queue.
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html
type QueueOptions struct {
	BatchSize int // 1 to 10; 0: 10
	// MaximumConcurrency is how many batches the function has at once; 0: 5.
	MaximumConcurrency int
	// Filter is asked about a message with its body as JSON, if it is. What does not
	// pass is deleted.
	Filter Filter
	// ReportBatchItemFailures has the function name the messages that failed.
	ReportBatchItemFailures bool
}

// QueueMapping calls a function with the messages of a queue, as a Lambda event source
// mapping does. It never makes a message visible early: what fails comes again when
// its visibility timeout has passed, as often as the queue's redrive policy allows.
type QueueMapping struct {
	queue    Queue
	function lambda.Function
	options  QueueOptions
	log      *slog.Logger
}

// NewQueueMapping maps a queue to a function.
func NewQueueMapping(queue Queue, function lambda.Function, options QueueOptions, log *slog.Logger) *QueueMapping {
	if options.BatchSize <= 0 {
		options.BatchSize = queueBatch
	}
	if options.MaximumConcurrency <= 0 {
		options.MaximumConcurrency = queueConcurrency
	}
	return &QueueMapping{queue: queue, function: function, options: options, log: log}
}

// Run delivers messages until ctx ends and the calls that have begun are over.
func (m *QueueMapping) Run(ctx context.Context) {
	places := make(chan struct{}, m.options.MaximumConcurrency)
	var calls sync.WaitGroup
	defer calls.Wait()
	for backoff := firstBackoff; ; {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return
		}
		batch, err := m.receive(ctx)
		if ctx.Err() != nil {
			return // what was received comes again
		}
		if err != nil {
			m.log.ErrorContext(ctx, "queue cannot be read; retrying", "error", err, "after", backoff)
			pause(ctx, nil, backoff)
			backoff = min(2*backoff, lastBackoff)
			<-places
			continue
		}
		backoff = firstBackoff
		if len(batch.messages) == 0 {
			<-places
			continue
		}
		calls.Go(func() {
			defer func() { <-places }()
			m.deliver(ctx, batch)
		})
	}
}

// receivedBatch is what one call of the function is about.
type receivedBatch struct {
	messages []events.SQSMessage
	hidden   time.Time // until then
}

// receive takes the next batch, without what the filter leaves out.
func (m *QueueMapping) receive(ctx context.Context) (receivedBatch, error) {
	timeout, err := m.queue.VisibilityTimeout(ctx)
	if err != nil {
		return receivedBatch{}, err
	}
	received, err := m.queue.Receive(ctx, min(m.options.BatchSize, queueBatch))
	if err != nil {
		return receivedBatch{}, err
	}
	hidden := time.Now().Add(timeout)
	var unwanted []events.SQSMessage
	wanted := slices.DeleteFunc(received, func(message events.SQSMessage) bool {
		if m.passes(message) {
			return false
		}
		unwanted = append(unwanted, message)
		return true
	})
	if len(unwanted) > 0 {
		if err := m.queue.Delete(ctx, unwanted); err != nil {
			return receivedBatch{}, fmt.Errorf("deleting filtered messages: %w", err)
		}
	}
	return receivedBatch{wanted, hidden}, nil
}

// passes asks the filter. A body that is JSON is matched as such.
// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs-filtering.html
func (m *QueueMapping) passes(message events.SQSMessage) bool {
	text, _ := json.Marshal(message) // text always marshals
	if body := []byte(message.Body); json.Valid(body) {
		var record map[string]json.RawMessage
		if json.Unmarshal(text, &record) == nil {
			record["body"] = body
			text, _ = json.Marshal(record)
		}
	}
	return m.options.Filter.passes(text)
}

// deliver calls the function with a batch, and deletes what succeeded.
func (m *QueueMapping) deliver(ctx context.Context, batch receivedBatch) {
	failed, err := m.call(ctx, batch)
	if err != nil {
		m.log.ErrorContext(ctx, "queue batch failed; its messages return after the visibility timeout", "messages", failed, "error", err)
	}
	succeeded := slices.DeleteFunc(slices.Clone(batch.messages), func(message events.SQSMessage) bool { return slices.Contains(failed, message.MessageId) })
	if len(succeeded) == 0 {
		return
	}
	// What has been dealt with is deleted even when everything else ends.
	if err := m.queue.Delete(context.WithoutCancel(ctx), succeeded); err != nil {
		m.log.ErrorContext(ctx, "messages that succeeded cannot be deleted; they will be delivered again", "error", err)
	}
}

// call calls the function once it can be called: until the batch is visible to others
// again a function that takes no call is tried again.
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-backoff-strategy
func (m *QueueMapping) call(ctx context.Context, batch receivedBatch) (failed []string, err error) {
	var ids []string
	for i := range batch.messages {
		ids = append(ids, batch.messages[i].MessageId)
	}
	payload, err := json.Marshal(events.SQSEvent{Records: batch.messages})
	if err != nil {
		return ids, fmt.Errorf("writing a queue event: %w", err)
	}
	for backoff := firstBackoff; ; backoff = min(2*backoff, lastBackoff) {
		result, err := m.function.Invoke(ctx, payload, nil)
		switch {
		case err == nil:
			return m.failed(result, ids)
		case ctx.Err() != nil || !time.Now().Add(backoff).Before(batch.hidden):
			return ids, fmt.Errorf("calling the function: %w", err)
		}
		pause(ctx, nil, backoff)
	}
}

// failed are the messages of the batch that the function has not dealt with.
func (m *QueueMapping) failed(result lambda.Result, batch []string) ([]string, error) {
	if result.FunctionError != "" {
		return batch, errors.New("the function failed: " + string(result.Payload))
	}
	if !m.options.ReportBatchItemFailures {
		return nil, nil
	}
	failed, err := failedItems(result.Payload, batch)
	if err != nil {
		return batch, err
	}
	if len(failed) > 0 {
		return failed, errors.New("the function reports failed messages")
	}
	return nil, nil
}
