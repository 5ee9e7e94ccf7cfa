package cloud

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
)

const (
	// batchSize is how many records a function gets at most, Lambda's default.
	// https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html
	batchSize = 100
	// idlePoll is how often a stream is read that nobody announced a write to.
	// Moto keeps every iterator that it ever gave out, so idle reads are rare.
	idlePoll     = 5 * time.Second
	firstBackoff = 500 * time.Millisecond
	lastBackoff  = 30 * time.Second
)

// StreamMapping invokes a function with the records of a table's stream, in
// order, as a Lambda event source mapping with ReportBatchItemFailures does: what
// failed comes again, with all that follows it, until it succeeds.
// https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
type StreamMapping struct {
	client   *dynamodbstreams.Client
	stream   string // ARN
	function lambda.Function
	log      *slog.Logger
	wake     chan struct{}

	done     string // sequence number of the last record that succeeded; "" before the first
	iterator *string
}

// NewStreamMapping maps the whole stream, from its oldest record, to the function.
func NewStreamMapping(client *dynamodbstreams.Client, streamARN string, function lambda.Function, log *slog.Logger) *StreamMapping {
	return &StreamMapping{
		client: client, stream: streamARN, function: function,
		log:  log.With("stream", streamARN),
		wake: make(chan struct{}, 1),
	}
}

// Wake has the stream read now. It never blocks.
func (m *StreamMapping) Wake() {
	select {
	case m.wake <- struct{}{}:
	default: // a reading is due already
	}
}

// Run hands records on until ctx ends. What fails is logged and tried again.
func (m *StreamMapping) Run(ctx context.Context) {
	backoff := firstBackoff
	for ctx.Err() == nil {
		more, err := m.next(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			m.log.ErrorContext(ctx, "stream batch failed, will be tried again", "error", err, "after", backoff)
			m.iterator = nil
			pause(ctx, nil, backoff)
			backoff = min(2*backoff, lastBackoff)
		case more:
			backoff = firstBackoff
		default:
			pause(ctx, m.wake, idlePoll)
		}
	}
}

// next hands on one batch. It says whether there was one.
func (m *StreamMapping) next(ctx context.Context) (bool, error) {
	if err := m.seek(ctx); err != nil {
		return false, err
	}
	read, err := m.client.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: m.iterator, Limit: aws.Int32(batchSize)})
	if err != nil {
		return false, fmt.Errorf("reading the stream: %w", err)
	}
	if len(read.Records) == 0 {
		return false, nil
	}
	succeeded, err := m.invoke(ctx, read.Records)
	if succeeded > 0 {
		m.done = sequence(&read.Records[succeeded-1])
	}
	m.iterator = read.NextShardIterator
	return true, err
}

// seek finds the place after the last record that succeeded.
func (m *StreamMapping) seek(ctx context.Context) error {
	if m.iterator != nil {
		return nil
	}
	described, err := m.client.DescribeStream(ctx, &dynamodbstreams.DescribeStreamInput{StreamArn: &m.stream})
	if err != nil {
		return fmt.Errorf("describing the stream: %w", err)
	}
	shards := described.StreamDescription.Shards
	if len(shards) != 1 {
		return fmt.Errorf("stream %s has %d shards, where moto has one that never ends", m.stream, len(shards))
	}
	from := &dynamodbstreams.GetShardIteratorInput{StreamArn: &m.stream, ShardId: shards[0].ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon}
	if m.done != "" {
		from.ShardIteratorType, from.SequenceNumber = types.ShardIteratorTypeAfterSequenceNumber, &m.done
	}
	got, err := m.client.GetShardIterator(ctx, from)
	if err != nil {
		return fmt.Errorf("finding the place in the stream: %w", err)
	}
	m.iterator = got.ShardIterator
	return nil
}

// invoke calls the function and says how many records, from the first on, have
// succeeded. An error says that it was not all.
func (m *StreamMapping) invoke(ctx context.Context, records []types.Record) (int, error) {
	payload, err := streamEvent(m.stream, records)
	if err != nil {
		return 0, err
	}
	result, err := m.function.Invoke(ctx, payload, nil)
	if err != nil {
		return 0, fmt.Errorf("invoking the function: %w", err)
	}
	if result.FunctionError != "" {
		return 0, fmt.Errorf("the function failed: %s", result.Payload)
	}
	return checkpoint(result.Payload, records)
}

// checkpoint reads a function's answer as Lambda does: no failures, null or
// nothing at all is success; the lowest sequence number that failed is where to
// begin again; what cannot be read, or names no record, fails the batch.
func checkpoint(answer []byte, records []types.Record) (int, error) {
	var response events.DynamoDBEventResponse
	if len(answer) > 0 {
		if err := json.Unmarshal(answer, &response); err != nil {
			return 0, fmt.Errorf("the function's answer is not a batch response: %w", err)
		}
	}
	first := len(records)
	for _, failed := range response.BatchItemFailures {
		at := slices.IndexFunc(records, func(r types.Record) bool { return sequence(&r) == failed.ItemIdentifier })
		if at < 0 {
			return 0, fmt.Errorf("the function says that record %q failed, which it was not given", failed.ItemIdentifier)
		}
		first = min(first, at)
	}
	if first < len(records) {
		return first, fmt.Errorf("the function says that record %s failed", sequence(&records[first]))
	}
	return first, nil
}

func sequence(record *types.Record) string { return aws.ToString(record.Dynamodb.SequenceNumber) }

// pause waits until woken, for at most so long; a nil wake never wakes.
func pause(ctx context.Context, wake <-chan struct{}, most time.Duration) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-wake:
	case <-timer.C:
	}
}
