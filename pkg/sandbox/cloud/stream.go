package cloud

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
)

const (
	// batchSize is how many records a function gets at most, Lambda's default.
	// https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-params.html
	batchSize = 100
	// readAtOnce is the most that GetRecords allows.
	// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
	readAtOnce = 1000
	// idlePoll is how often a stream is read that nobody announced a write to.
	// Moto keeps every iterator that it ever gave out, so idle reads are rare.
	idlePoll     = 5 * time.Second
	firstBackoff = 500 * time.Millisecond
	lastBackoff  = 30 * time.Second
)

// StreamReader is what Lambda reads a table's stream with.
// https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html
type StreamReader interface {
	ListStreams(ctx context.Context, input *dynamodbstreams.ListStreamsInput, options ...func(*dynamodbstreams.Options)) (*dynamodbstreams.ListStreamsOutput, error)
	DescribeStream(ctx context.Context, input *dynamodbstreams.DescribeStreamInput, options ...func(*dynamodbstreams.Options)) (*dynamodbstreams.DescribeStreamOutput, error)
	GetShardIterator(ctx context.Context, input *dynamodbstreams.GetShardIteratorInput, options ...func(*dynamodbstreams.Options)) (*dynamodbstreams.GetShardIteratorOutput, error)
	GetRecords(ctx context.Context, input *dynamodbstreams.GetRecordsInput, options ...func(*dynamodbstreams.Options)) (*dynamodbstreams.GetRecordsOutput, error)
}

// StreamOptions are the settings of an event source mapping. The zero value gives
// the function every record from the oldest on, and a batch that fails again and
// again.
// https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-params.html
type StreamOptions struct {
	FromLatest bool // begin with what is written from now on
	BatchSize  int  // 0: 100
	// Filter says which records the function gets, by the JSON that it would get;
	// nil: all.
	Filter func(record []byte) bool
	// ReportBatchItemFailures has the function say what failed.
	ReportBatchItemFailures bool
	BisectOnError           bool
	Retries                 *int          // of a batch; nil: without end
	MaxAge                  time.Duration // of a record; 0: without end
	// OnFailure, if set, gets the message about records that are given up on.
	OnFailure func(ctx context.Context, message []byte) error
}

// StreamMapping invokes a function with the records of a table's stream, in
// order, as a Lambda event source mapping does.
type StreamMapping struct {
	client      StreamReader
	stream      string // ARN
	function    lambda.Function
	functionARN string
	options     StreamOptions
	log         *slog.Logger
	wake        chan struct{}

	shard    string
	done     string // sequence number of the last record that was dealt with; "" before the first
	iterator *string
}

// NewStreamMapping maps a stream to a function.
func NewStreamMapping(client StreamReader, streamARN string, function lambda.Function, functionARN string, options StreamOptions, log *slog.Logger) *StreamMapping {
	return &StreamMapping{
		client: client, stream: streamARN, function: function, functionARN: functionARN, options: options,
		log:  log.With("stream", streamARN),
		wake: make(chan struct{}, 1),
	}
}

// TakeOver goes on where another mapping of the same stream has ended, as Lambda
// does when a mapping is changed. Neither may be running.
func (m *StreamMapping) TakeOver(from *StreamMapping) {
	m.done, m.iterator, m.shard = from.done, from.iterator, from.shard
}

// Wake has the stream read now. It never blocks.
func (m *StreamMapping) Wake() {
	select {
	case m.wake <- struct{}{}:
	default: // a reading is due already
	}
}

// Run hands records on until ctx ends. What fails is logged and tried again. It
// may be called again when it has returned, and goes on where it was.
func (m *StreamMapping) Run(ctx context.Context) {
	backoff := firstBackoff
	for ctx.Err() == nil {
		more, err := m.next(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			m.log.ErrorContext(ctx, "stream cannot be read, will be tried again", "error", err, "after", backoff)
			pause(ctx, nil, backoff)
			backoff = min(2*backoff, lastBackoff)
		case more:
			backoff = firstBackoff
		default:
			pause(ctx, m.wake, idlePoll)
		}
	}
}

// next deals with what one reading brings. It says whether that was anything.
func (m *StreamMapping) next(ctx context.Context) (bool, error) {
	if err := m.seek(ctx); err != nil {
		return false, err
	}
	limit := m.options.BatchSize
	if limit <= 0 {
		limit = batchSize
	}
	read, err := m.client.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: m.iterator, Limit: aws.Int32(int32(min(limit, readAtOnce)))})
	if err != nil {
		m.lookAgain()
		return false, fmt.Errorf("reading the stream: %w", err)
	}
	wanted, err := m.filter(read.Records)
	if err != nil {
		return false, err
	}
	if m.settle(ctx, wanted); ctx.Err() != nil {
		m.lookAgain()
		return false, ctx.Err()
	}
	if len(read.Records) > 0 {
		m.done = sequence(&read.Records[len(read.Records)-1])
	}
	m.iterator = read.NextShardIterator
	return len(read.Records) > 0, nil
}

// lookAgain has the place in the stream looked for: the iterator may have expired,
// or stand before records that have been dealt with. A mapping that began with the
// latest record and has dealt with none has no other place than its iterator.
func (m *StreamMapping) lookAgain() {
	if m.done != "" || !m.options.FromLatest {
		m.iterator = nil
	}
}

// seek finds the place after the last record that was dealt with.
func (m *StreamMapping) seek(ctx context.Context) error {
	if m.iterator != nil {
		return nil
	}
	if err := m.findShard(ctx); err != nil {
		return err
	}
	from := &dynamodbstreams.GetShardIteratorInput{StreamArn: &m.stream, ShardId: &m.shard, ShardIteratorType: types.ShardIteratorTypeTrimHorizon}
	switch {
	case m.done != "":
		from.ShardIteratorType, from.SequenceNumber = types.ShardIteratorTypeAfterSequenceNumber, &m.done
	case m.options.FromLatest:
		from.ShardIteratorType = types.ShardIteratorTypeLatest
	}
	got, err := m.client.GetShardIterator(ctx, from)
	if err != nil {
		return fmt.Errorf("finding the place in the stream: %w", err)
	}
	m.iterator = got.ShardIterator
	return nil
}

// findShard looks for the stream among its table's and for its one shard.
func (m *StreamMapping) findShard(ctx context.Context) error {
	// arn:aws:dynamodb:REGION:ACCOUNT:table/NAME/stream/LABEL
	parts := strings.Split(m.stream, "/")
	if len(parts) != 4 || parts[2] != "stream" {
		return fmt.Errorf("%s is not the ARN of a table's stream", m.stream)
	}
	table := parts[1]
	listed, err := m.client.ListStreams(ctx, &dynamodbstreams.ListStreamsInput{TableName: &table})
	if err != nil {
		return fmt.Errorf("listing the streams of table %s: %w", table, err)
	}
	if !slices.ContainsFunc(listed.Streams, func(s types.Stream) bool { return aws.ToString(s.StreamArn) == m.stream }) {
		return fmt.Errorf("table %s has no stream %s", table, m.stream)
	}
	described, err := m.client.DescribeStream(ctx, &dynamodbstreams.DescribeStreamInput{StreamArn: &m.stream})
	if err != nil {
		return fmt.Errorf("describing the stream: %w", err)
	}
	shards := described.StreamDescription.Shards
	if len(shards) != 1 {
		return fmt.Errorf("stream %s has %d shards, where moto has one that never ends", m.stream, len(shards))
	}
	m.shard = aws.ToString(shards[0].ShardId)
	return nil
}

// filter leaves out what the function is not to get.
func (m *StreamMapping) filter(records []types.Record) ([]types.Record, error) {
	if m.options.Filter == nil {
		return records, nil
	}
	var wanted []types.Record
	for i := range records {
		record, err := streamRecord(m.stream, &records[i])
		if err != nil {
			return nil, err
		}
		text, err := json.Marshal(record)
		if err != nil {
			return nil, fmt.Errorf("writing a stream record: %w", err)
		}
		if m.options.Filter(text) {
			wanted = append(wanted, records[i])
		}
	}
	return wanted, nil
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
