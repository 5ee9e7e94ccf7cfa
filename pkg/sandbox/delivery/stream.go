package delivery

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
)

const (
	// streamBatch is how many records a function gets at most, Lambda's default.
	// https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-params.html
	streamBatch = 100
	// idlePoll is how often a stream is read of which no write was reported. Moto keeps
	// every iterator that it ever gave out, so idle reads are rare.
	idlePoll = 5 * time.Second
)

// Stream is the stream of a table, as a mapping reads it.
type Stream interface {
	// Read gives up to so many records that follow a place, in the order in which they
	// were written, and none if there are none yet. It may note in the place how to find
	// it faster.
	Read(ctx context.Context, place *Place, most int) ([]Record, error)
}

// Record is a record of a stream as Lambda hands it to a function.
type Record = events.DynamoDBEventRecord

// Place is how far a mapping is in its stream. The zero value is before the first
// record that the mapping is to see.
type Place struct {
	done string // sequence number of the last record that was dealt with

	// Of a stream of DynamoDB, whose iterator stands after the record read.
	shard, read string
	iterator    *string
}

// StreamOptions are the settings of an event source mapping. The zero value gives
// the function every record from the oldest on, and a batch that fails again and
// again.
// https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-params.html
type StreamOptions struct {
	BatchSize int // 0: 100
	Filter    Filter
	// ReportBatchItemFailures has the function name the records that failed.
	ReportBatchItemFailures bool
	BisectOnError           bool
	Retries                 *int          // of a batch; nil: without end
	MaxAge                  time.Duration // of a record; 0: without end
	// OnFailure, if set, gets the message about records that are discarded.
	OnFailure func(ctx context.Context, message []byte) error
}

// StreamMapping calls a function with the records of a table's stream, in order, as a
// Lambda event source mapping does.
type StreamMapping struct {
	stream      Stream
	arn         string // of the stream
	function    lambda.Function
	functionARN string
	options     StreamOptions
	log         *slog.Logger
	wake        chan struct{}
	place       Place
}

// NewStreamMapping maps the stream of an ARN to the function of another.
func NewStreamMapping(stream Stream, arn string, function lambda.Function, functionARN string, options StreamOptions, log *slog.Logger) *StreamMapping {
	if options.BatchSize <= 0 {
		options.BatchSize = streamBatch
	}
	return &StreamMapping{
		stream: stream, arn: arn, function: function, functionARN: functionARN, options: options,
		log: log.With("stream", arn), wake: make(chan struct{}, 1),
	}
}

// TakeOver goes on where another mapping of the same stream has ended, as Lambda
// does when a mapping is changed. Neither may be running.
func (m *StreamMapping) TakeOver(from *StreamMapping) { m.place = from.place }

// Wake has the stream read now. It never blocks.
func (m *StreamMapping) Wake() {
	select {
	case m.wake <- struct{}{}:
	default: // a reading is due already
	}
}

// Run delivers records until ctx ends. What fails is logged and tried again. It may be
// called again when it has returned, and goes on where it was.
func (m *StreamMapping) Run(ctx context.Context) {
	backoff := firstBackoff
	for ctx.Err() == nil {
		more, err := m.next(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			m.log.ErrorContext(ctx, "stream cannot be read; retrying", "error", err, "after", backoff)
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
	records, err := m.stream.Read(ctx, &m.place, m.options.BatchSize)
	if err != nil {
		return false, err
	}
	wanted, err := m.filter(records)
	if err != nil {
		return false, err
	}
	if m.settle(ctx, wanted); ctx.Err() != nil {
		return false, ctx.Err()
	}
	if len(records) > 0 {
		m.place.done = sequence(records[len(records)-1])
	}
	return len(records) > 0, nil
}

// filter leaves out what the function is not to get.
func (m *StreamMapping) filter(records []Record) ([]Record, error) {
	var wanted []Record
	for i := range records {
		text, err := json.Marshal(records[i])
		if err != nil {
			return nil, fmt.Errorf("writing a stream record: %w", err)
		}
		if m.options.Filter.passes(text) {
			wanted = append(wanted, records[i])
		}
	}
	return wanted, nil
}

func sequence(record Record) string { return record.Change.SequenceNumber }
