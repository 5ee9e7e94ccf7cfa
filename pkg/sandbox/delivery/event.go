package delivery

import (
	"context"
	"errors"
	"time"
)

// What did not reach a target of EventBridge is tried again after these.
const (
	eventFirstBackoff = time.Second
	eventLastBackoff  = time.Minute
)

// RetryPolicy ends the retries of a rule's target or of a schedule.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_RetryPolicy.html
// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_RetryPolicy.html
type RetryPolicy struct {
	Retries int
	MaxAge  time.Duration
}

// NewRetryPolicy fills in what is not set with the defaults that both services have;
// maxAge is in seconds.
func NewRetryPolicy(retries, maxAge *int) RetryPolicy {
	policy := RetryPolicy{185, 24 * time.Hour}
	if retries != nil {
		policy.Retries = *retries
	}
	if maxAge != nil {
		policy.MaxAge = time.Duration(*maxAge) * time.Second
	}
	return policy
}

// exhausted names the limit that forbids another attempt; "" if none does.
func (p RetryPolicy) exhausted(attempts int, age time.Duration) string {
	switch {
	case attempts > p.Retries:
		return "MaximumRetryAttempts"
	case age > p.MaxAge:
		return "MaximumEventAgeInSeconds"
	default:
		return ""
	}
}

// RefusedError says that a target cannot be reached, however often it is tried: it does
// not exist, or EventBridge lacks the permission. Code and Message are EventBridge's.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
type RefusedError struct{ Code, Message string }

func (e *RefusedError) Error() string { return e.Code + ": " + e.Message }

// UndeliveredError is an event that did not reach its target, as the attributes of its
// dead-letter message say.
type UndeliveredError struct {
	RefusedError

	Retries   int
	Exhausted string // the limit that ended them; "" for none
}

// DeliverEvent gives an event to its target by send, which the target has taken when there
// is no error. What may pass is tried again, a RefusedError is not. The answer is nil when
// the event was delivered, or when ctx ended.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
func DeliverEvent(ctx context.Context, policy RetryPolicy, now func() time.Time, send func(context.Context) error) *UndeliveredError {
	picked := now()
	for attempt, backoff := 1, eventFirstBackoff; ; attempt, backoff = attempt+1, min(2*backoff, eventLastBackoff) {
		err := send(ctx)
		if err == nil || ctx.Err() != nil {
			return nil //nolint:nilerr // the end of ctx is the caller's own
		}
		if refused, ok := errors.AsType[*RefusedError](err); ok {
			return &UndeliveredError{RefusedError: *refused}
		}
		if exhausted := policy.exhausted(attempt, now().Add(backoff).Sub(picked)); exhausted != "" {
			return &UndeliveredError{RefusedError{"SDK_CLIENT_ERROR", err.Error()}, attempt - 1, exhausted}
		}
		pause(ctx, nil, backoff)
	}
}
