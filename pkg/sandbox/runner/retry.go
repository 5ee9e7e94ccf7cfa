package runner

import (
	"context"
	"time"
)

// What did not reach its target is tried again after these.
const (
	firstBackoff = time.Second
	lastBackoff  = time.Minute
)

// limits end EventBridge's retries.
type limits struct {
	retries int
	maxAge  time.Duration
}

// limitsOf fills in what is not set; maxAge is in seconds.
func limitsOf(retries, maxAge *int, otherwise int, otherwiseAge time.Duration) limits {
	l := limits{otherwise, otherwiseAge}
	if retries != nil {
		l.retries = *retries
	}
	if maxAge != nil {
		l.maxAge = time.Duration(*maxAge) * time.Second
	}
	return l
}

// exhausted names the limit that keeps from another attempt; "" if none does.
func (l limits) exhausted(attempts int, age time.Duration) string {
	switch {
	case attempts > l.retries:
		return "MaximumRetryAttempts"
	case age > l.maxAge:
		return "MaximumEventAgeInSeconds"
	default:
		return ""
	}
}

// sleep waits for so long, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
