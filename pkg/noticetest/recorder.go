package noticetest

import (
	"context"
	"slices"
	"sync"

	"github.com/gateway-grants/gateway-grants/pkg/plan"
)

// Recorder is a bus that keeps the notices that are published. The zero value is
// ready, for any number of goroutines.
type Recorder struct {
	mu      sync.Mutex
	notices []plan.Notice
}

// Publish keeps the notices. It never fails.
func (r *Recorder) Publish(_ context.Context, notices []plan.Notice) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notices = append(r.notices, notices...)
	return nil
}

// Published are the notices so far, in order.
func (r *Recorder) Published() []plan.Notice {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.notices)
}
