package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

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
func (m *StreamMapping) settle(ctx context.Context, records []types.Record) {
	failures, backoff := 0, firstBackoff
	for {
		if records = m.dropOld(ctx, records, failures); len(records) == 0 || ctx.Err() != nil {
			return
		}
		tried := m.invoke(ctx, records)
		if tried.succeeded > 0 {
			m.done = sequence(&records[tried.succeeded-1])
			records, failures, backoff = records[tried.succeeded:], 0, firstBackoff
		}
		if tried.err == nil || ctx.Err() != nil {
			return
		}
		// What the function says itself is where the batch is split, else its middle.
		if tried.failed && m.options.BisectOnError && len(records) > 1 && !tried.reported {
			m.log.ErrorContext(ctx, "stream batch failed, will be split", "error", tried.err, "records", len(records))
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
		m.log.ErrorContext(ctx, "stream batch failed, will be tried again", "error", tried.err, "after", backoff)
		pause(ctx, nil, backoff)
		backoff = min(2*backoff, lastBackoff)
	}
}

// dropOld gives up on records that are older than the mapping allows, and returns
// the others.
func (m *StreamMapping) dropOld(ctx context.Context, records []types.Record, failures int) []types.Record {
	if m.options.MaxAge <= 0 {
		return records
	}
	oldest := time.Now().Add(-m.options.MaxAge)
	// They come in the order in which they were written.
	old := 0
	for old < len(records) && aws.ToTime(records[old].Dynamodb.ApproximateCreationDateTime).Before(oldest) {
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

func (m *StreamMapping) invoke(ctx context.Context, records []types.Record) attempt {
	payload, err := streamEvent(m.stream, records)
	if err != nil {
		return attempt{err: err}
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

// checkpoint reads a function's answer as Lambda does: no failures, null or
// nothing at all is success; the lowest sequence number that failed is where to
// begin again; what cannot be read, or names no record, fails the batch.
func checkpoint(answer []byte, records []types.Record) (succeeded int, reported bool, err error) {
	var response events.DynamoDBEventResponse
	if len(answer) > 0 {
		if err := json.Unmarshal(answer, &response); err != nil {
			return 0, false, fmt.Errorf("the function's answer is not a batch response: %w", err)
		}
	}
	first := len(records)
	for _, failed := range response.BatchItemFailures {
		at := slices.IndexFunc(records, func(r types.Record) bool { return sequence(&r) == failed.ItemIdentifier })
		if at < 0 {
			return 0, false, fmt.Errorf("the function says that record %q failed, which it was not given", failed.ItemIdentifier)
		}
		first = min(first, at)
	}
	if first < len(records) {
		return first, true, fmt.Errorf("the function says that record %s failed", sequence(&records[first]))
	}
	return first, false, nil
}
