package runner

import (
	"context"
	"slices"
	"sync"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
)

// limiter bounds how many calls of a function run at once. The limit may change
// while calls run.
type limiter struct {
	mu      sync.Mutex
	limit   int
	running int
	waiting []chan struct{} // in the order in which they came
}

func (l *limiter) set(limit int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limit = limit
	l.admit()
}

// admit lets in as many of those who wait as there is room for, and sends all away
// when the limit is zero: no call that ends would make room. The caller holds the
// lock.
func (l *limiter) admit() {
	for len(l.waiting) > 0 && (l.running < l.limit || l.limit == 0) {
		if l.limit > 0 {
			l.running++
			l.waiting[0] <- struct{}{}
		}
		close(l.waiting[0])
		l.waiting = l.waiting[1:]
	}
}

// try takes a place if one is free.
func (l *limiter) try() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running >= l.limit {
		return false
	}
	l.running++
	return true
}

// wait takes a place when one is free. Where there is none at all the answer is
// lambda.ErrThrottled.
func (l *limiter) wait(ctx context.Context) error {
	l.mu.Lock()
	if l.limit == 0 {
		l.mu.Unlock()
		return lambda.ErrThrottled
	}
	if l.running < l.limit && len(l.waiting) == 0 {
		l.running++
		l.mu.Unlock()
		return nil
	}
	place := make(chan struct{}, 1)
	l.waiting = append(l.waiting, place)
	l.mu.Unlock()
	select {
	case _, ok := <-place:
		if !ok {
			return lambda.ErrThrottled
		}
		return nil
	case <-ctx.Done():
		l.leave(place)
		return ctx.Err()
	}
}

// leave gives up a place, or the wait for it.
func (l *limiter) leave(place chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at := slices.Index(l.waiting, place); at >= 0 {
		l.waiting = slices.Delete(l.waiting, at, at+1)
		return
	}
	if _, ok := <-place; ok { // it came at the same moment
		l.running--
		l.admit()
	}
}

func (l *limiter) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running--
	l.admit()
}
