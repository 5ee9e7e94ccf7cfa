package delivery

import (
	"context"
	"encoding/json"
	"time"
)

// failure is why records are discarded.
type failure struct {
	condition string
	attempts  int
	last      attempt
}

// discard skips records. The mapping's on-failure destination gets where they are, not
// what is in them. A message that cannot be sent is lost, as Lambda's are.
// https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
func (m *StreamMapping) discard(ctx context.Context, records []Record, why failure) {
	m.log.ErrorContext(ctx, "stream records discarded", "records", len(records), "condition", why.condition, "attempts", why.attempts, "error", why.last.err)
	if m.options.OnFailure != nil {
		message, _ := json.Marshal(m.discarded(records, why, time.Now())) // text, numbers and times always marshal
		if err := m.options.OnFailure(ctx, message); err != nil {
			m.log.ErrorContext(ctx, "message about discarded records lost", "message", string(message), "error", err)
		}
	}
	m.place.done = sequence(records[len(records)-1])
}

type discardedRecords struct {
	RequestContext  requestContext   `json:"requestContext"`
	ResponseContext *responseContext `json:"responseContext,omitempty"` // none without an invocation
	Version         string           `json:"version"`
	Timestamp       string           `json:"timestamp"`
	Batch           batchInfo        `json:"DDBStreamBatchInfo"`
}

type requestContext struct {
	RequestID   string `json:"requestId"`
	FunctionARN string `json:"functionArn"`
	Condition   string `json:"condition"`
	Attempts    int    `json:"approximateInvokeCount"`
}

type responseContext struct {
	StatusCode    int    `json:"statusCode"`
	Version       string `json:"executedVersion"`
	FunctionError string `json:"functionError,omitempty"`
}

type batchInfo struct {
	ShardID string `json:"shardId"`
	First   string `json:"startSequenceNumber"`
	Last    string `json:"endSequenceNumber"`
	FirstAt string `json:"approximateArrivalOfFirstRecord"`
	LastAt  string `json:"approximateArrivalOfLastRecord"`
	Size    int    `json:"batchSize"`
	Stream  string `json:"streamArn"`
}

func (m *StreamMapping) discarded(records []Record, why failure, now time.Time) discardedRecords {
	first, last := records[0], records[len(records)-1]
	arrived := func(r Record) string { return r.Change.ApproximateCreationDateTime.UTC().Format(time.RFC3339) }
	message := discardedRecords{
		RequestContext: requestContext{
			RequestID: why.last.result.RequestID, FunctionARN: m.functionARN, Condition: why.condition, Attempts: why.attempts,
		},
		Version: "1.0", Timestamp: now.UTC().Format(millis),
		Batch: batchInfo{
			ShardID: m.place.shard, First: sequence(first), Last: sequence(last), FirstAt: arrived(first), LastAt: arrived(last),
			Size: len(records), Stream: m.arn,
		},
	}
	if why.last.failed {
		message.ResponseContext = &responseContext{StatusCode: 200, Version: "$LATEST", FunctionError: why.last.result.FunctionError}
	}
	if message.RequestContext.RequestID == "" {
		message.RequestContext.RequestID = newID()
	}
	return message
}
