package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
)

// settle invokes the function until every record has succeeded or been given up
// on, or ctx ends.
//
// A batch that fails is tried again, whole, or from the record on that the
// function says failed. Where it is bisected, each half is a batch of its own, and
// splitting counts as no retry. Only what failed in the function counts: a
// function that cannot be invoked is waited for, as long as the records' age
// allows.
// https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
// https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
func (m *StreamMapping) settle(ctx context.Context, records []Record) {
	failures, backoff := 0, firstBackoff
	for {
		if records = m.dropOld(ctx, records, failures); len(records) == 0 || ctx.Err() != nil {
			return
		}
		tried := m.invoke(ctx, records)
		if tried.succeeded > 0 {
			m.place.done = sequence(records[tried.succeeded-1])
			records, failures, backoff = records[tried.succeeded:], 0, firstBackoff
		}
		if tried.err == nil || ctx.Err() != nil {
			return
		}
		// What the function says itself is where the batch is split, else its middle.
		if tried.failed && m.options.BisectOnError && len(records) > 1 && !tried.reported {
			m.log.ErrorContext(ctx, "stream batch failed; splitting it", "error", tried.err, "records", len(records))
			half := len(records) / 2
			m.settle(ctx, records[:half])
			m.settle(ctx, records[half:])
			return
		}
		if tried.failed {
			failures++
		}
		if m.options.Retries != nil && failures > *m.options.Retries {
			m.discard(ctx, records, failure{condition: "RetryAttemptsExhausted", attempts: failures, last: tried})
			return
		}
		m.log.ErrorContext(ctx, "stream batch failed; retrying", "error", tried.err, "after", backoff)
		pause(ctx, nil, backoff)
		backoff = min(2*backoff, lastBackoff)
	}
}

// dropOld gives up on records that are older than the mapping allows, and returns
// the others.
func (m *StreamMapping) dropOld(ctx context.Context, records []Record, failures int) []Record {
	if m.options.MaxAge <= 0 {
		return records
	}
	oldest := time.Now().Add(-m.options.MaxAge)
	// They come in the order in which they were written.
	old := 0
	for old < len(records) && records[old].Change.ApproximateCreationDateTime.Before(oldest) {
		old++
	}
	if old > 0 {
		m.discard(ctx, records[:old], failure{condition: "RecordAgeExceeded", attempts: failures})
	}
	return records[old:]
}

// attempt is what came of one invocation with a batch.
type attempt struct {
	succeeded int   // records, from the first on
	err       error // says that it was not all
	failed    bool  // in the function: it was invoked
	reported  bool  // by the function itself, which did not fail
	result    lambda.Result
}

func (m *StreamMapping) invoke(ctx context.Context, records []Record) attempt {
	payload, err := json.Marshal(events.DynamoDBEvent{Records: records})
	if err != nil {
		return attempt{err: fmt.Errorf("writing a stream event: %w", err)}
	}
	result, err := m.function.Invoke(ctx, payload, nil)
	if err != nil {
		return attempt{err: fmt.Errorf("invoking the function: %w", err)}
	}
	tried := attempt{result: result}
	switch {
	case result.FunctionError != "":
		tried.err = errors.New("the function failed: " + string(result.Payload))
	case m.options.ReportBatchItemFailures:
		tried.succeeded, tried.reported, tried.err = checkpoint(result.Payload, records)
	default:
		tried.succeeded = len(records)
	}
	tried.failed = tried.err != nil
	return tried
}

// checkpoint is where the function's answer says that the batch is to begin again: at
// the lowest sequence number that failed.
func checkpoint(answer []byte, records []Record) (succeeded int, reported bool, err error) {
	batch := make([]string, 0, len(records))
	for i := range records {
		batch = append(batch, sequence(records[i]))
	}
	failed, err := failedItems(answer, batch)
	if err != nil {
		return 0, false, err
	}
	first := len(records)
	for _, number := range failed {
		first = min(first, slices.Index(batch, number))
	}
	if first < len(records) {
		return first, true, fmt.Errorf("the function reports record %s as failed", batch[first])
	}
	return first, false, nil
}
