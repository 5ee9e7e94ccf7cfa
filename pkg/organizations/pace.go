package organizations

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/organizations/types"
	"github.com/aws/smithy-go"
)

// Clock is where the client takes its time from, and what it waits by.
type Clock struct {
	Now   func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error // ends early with the context's error
}

// SystemClock is the clock of the machine.
func SystemClock() Clock {
	return Clock{Now: time.Now, Sleep: func(ctx context.Context, d time.Duration) error {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
}

// operation is a call with a rate of its own.
type operation int

const (
	describeOrganization operation = iota
	describeAccount
	listAccounts
	listParents
	listTags
)

// rates are calls a second and burst, for one account. All callers in the account
// share them.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html
var rates = [...]struct{ perSecond, burst float64 }{
	describeOrganization: {1, 2},
	describeAccount:      {20, 30},
	listAccounts:         {8, 12},
	listParents:          {5, 8},
	listTags:             {10, 15},
}

// pace is a token bucket for each operation: a caller that keeps to the rates is not
// refused, and leaves others what is theirs.
type pace struct {
	clock Clock

	mu      sync.Mutex
	buckets [len(rates)]bucket
}

type bucket struct {
	tokens float64 // below 0, others wait already
	at     time.Time
}

func newPace(clock Clock) *pace {
	p := &pace{clock: clock}
	for i, rate := range rates {
		p.buckets[i].tokens = rate.burst
	}
	return p
}

// take waits until a call may be made.
func (p *pace) take(ctx context.Context, op operation) error {
	p.mu.Lock()
	b, rate, now := &p.buckets[op], rates[op], p.clock.Now()
	if !b.at.IsZero() {
		b.tokens = min(rate.burst, b.tokens+now.Sub(b.at).Seconds()*rate.perSecond)
	}
	b.at = now
	b.tokens--
	wait := time.Duration(-b.tokens / rate.perSecond * float64(time.Second))
	p.mu.Unlock()
	if wait <= 0 {
		return ctx.Err()
	}
	return p.clock.Sleep(ctx, wait)
}

// empty says that others used up what the bucket still promised.
func (p *pace) empty(op operation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.buckets[op].tokens = min(p.buckets[op].tokens, 0)
}

// attempts is how often a throttled call is made: the last waits half a minute.
const attempts = 8

// paced makes a call within its rate, and again, later each time, where
// Organizations says that there were too many.
func paced[Out any](ctx context.Context, p *pace, op operation, call func() (Out, error)) (out Out, err error) {
	for attempt := range attempts {
		if err := p.take(ctx, op); err != nil {
			return out, err
		}
		if out, err = call(); !throttled(err) {
			return out, err
		}
		p.empty(op)
		if attempt == attempts-1 {
			break
		}
		if waited := p.clock.Sleep(ctx, 250*time.Millisecond<<attempt); waited != nil {
			return out, errors.Join(err, waited)
		}
	}
	return out, err
}

func throttled(err error) bool {
	if _, many := errors.AsType[*types.TooManyRequestsException](err); many {
		return true
	}
	answer, ok := errors.AsType[smithy.APIError](err)
	return ok && (answer.ErrorCode() == "ThrottlingException" || answer.ErrorCode() == "Throttling")
}
