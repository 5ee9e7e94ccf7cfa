package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
)

// What one PutEvents takes. The size is that of all entries together, and must
// be less than 1 MB.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
const (
	maxEntries = 10
	maxBytes   = 1_000_000 - 1
)

// attempts is how often an entry is put before it counts as failed. The SDK
// repeats calls that fail as a whole by itself, within each attempt.
const attempts = 5

const firstPause = 100 * time.Millisecond // doubled after each attempt

// sizeOf is the size of an entry as EventBridge counts it.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html#eb-putevent-size
func sizeOf(entry *types.PutEventsRequestEntry) int {
	size := len(aws.ToString(entry.Source)) + len(aws.ToString(entry.DetailType)) + len(aws.ToString(entry.Detail))
	for _, resource := range entry.Resources {
		size += len(resource)
	}
	return size
}

// put publishes the entries and sets the outcome of each; entries that are nil
// have theirs already. What EventBridge did not take and may take later is put
// again.
func (b *Bus) put(ctx context.Context, entries []*types.PutEventsRequestEntry, outcomes []error) {
	var pending []int
	for i, entry := range entries {
		if entry != nil {
			pending = append(pending, i)
		}
	}
	pause := firstPause
	for attempt := 1; ; attempt++ {
		again := make([]int, 0, len(pending))
		for _, batch := range batches(entries, pending) {
			again = append(again, b.putBatch(ctx, entries, batch, outcomes)...)
		}
		if len(again) == 0 || attempt == attempts {
			return
		}
		if err := b.sleep(ctx, pause); err != nil {
			return // the outcomes say why each was to be put again
		}
		pending, pause = again, 2*pause
	}
}

// batches parts entries, by index, into calls that EventBridge takes.
func batches(entries []*types.PutEventsRequestEntry, pending []int) [][]int {
	var parts [][]int
	size := 0
	for _, i := range pending {
		last := len(parts) - 1
		if n := sizeOf(entries[i]); last < 0 || len(parts[last]) == maxEntries || size+n > maxBytes {
			parts = append(parts, []int{i})
			size = n
		} else {
			parts[last] = append(parts[last], i)
			size += n
		}
	}
	return parts
}

// putBatch makes one call and returns the entries to put again.
func (b *Bus) putBatch(ctx context.Context, entries []*types.PutEventsRequestEntry, batch []int, outcomes []error) (again []int) {
	in := &eventbridge.PutEventsInput{}
	for _, i := range batch {
		in.Entries = append(in.Entries, *entries[i])
	}
	out, err := b.api.PutEvents(ctx, in)
	if err == nil && len(out.Entries) != len(batch) {
		err = fmt.Errorf("EventBridge answered for %d of %d entries", len(out.Entries), len(batch))
	}
	for n, i := range batch {
		var mayPass bool
		if err != nil {
			mayPass, outcomes[i] = worthRepeating(err), fmt.Errorf("PutEvents: %w", err)
		} else {
			mayPass, outcomes[i] = outcomeOf(out.Entries[n])
		}
		if mayPass {
			again = append(again, i)
		}
	}
	return again
}

// outcomeOf reads what became of one entry: why it was not taken, if it was not,
// and whether it may be later.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html
func outcomeOf(result types.PutEventsResultEntry) (mayPass bool, outcome error) {
	code := aws.ToString(result.ErrorCode)
	if code == "" {
		return false, nil
	}
	return code == "InternalFailure" || code == "ThrottlingException",
		errors.New("EventBridge did not take it: " + code + ": " + aws.ToString(result.ErrorMessage))
}

// worthRepeating reports whether a call that failed as a whole may pass later.
func worthRepeating(err error) bool {
	return retry.IsErrorRetryables(retry.DefaultRetryables).IsErrorRetryable(err).Bool()
}
