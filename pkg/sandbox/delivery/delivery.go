// Package delivery calls functions with what happens, as AWS does: with records of
// streams, messages of queues, events that rules pick, schedules, and asynchronous
// calls. It is the one engine of delivery of the stand-in: sources and functions may
// be in memory or behind moto, and what is done with them is the same.
//
// What it does, and where AWS says so:
//
//   - Streams of DynamoDB: batches in order, filters, partial failures, bisecting,
//     retries, a maximum age, an on-failure destination.
//     https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
//     https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
//   - Queues: batches, a bounded concurrency, partial failures, filters. A message
//     that fails comes again when its visibility timeout has passed, and the queue's
//     redrive policy ends that.
//     https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
//     https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
//   - Asynchronous calls: retries, a maximum age, an on-failure destination. They wait
//     less between attempts than Lambda does.
//     https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
//   - Events that rules pick: retries, a maximum age, and what is not retried.
//     https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
//   - Schedules: rates, retries and keywords. An interval begins when a schedule is made.
//     https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
package delivery

import (
	"context"
	"time"
)

// What could not be read or called is tried again after these.
const (
	firstBackoff = 500 * time.Millisecond
	lastBackoff  = 30 * time.Second
)

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
