package delivery

import "sync"

// Work counts what is still to be delivered in memory, so that a play can wait until
// all that it has set in motion has ended. A nil Work counts nothing; it is safe for
// concurrent use.
type Work struct {
	mu      sync.Mutex
	open    int
	failure error
	idle    chan struct{} // closed when nothing is open, or something has failed
}

// Add counts what is to be delivered.
func (w *Work) Add(n int) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open += n
}

// Done counts what has been delivered.
func (w *Work) Done(n int) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open -= n
	w.tell()
}

// Fail has Wait return the first failure. It is nil-safe as the others are.
func (w *Work) Fail(err error) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failure == nil {
		w.failure = err
	}
	w.tell()
}

// Wait returns when nothing is left to deliver, or with the first failure.
func (w *Work) Wait() error {
	for {
		idle, failure := w.state()
		if idle == nil {
			return failure
		}
		<-idle
	}
}

// state gives a channel that closes when there is something to tell; nil if there is now.
func (w *Work) state() (idle <-chan struct{}, failure error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open == 0 || w.failure != nil {
		return nil, w.failure
	}
	if w.idle == nil {
		w.idle = make(chan struct{})
	}
	return w.idle, nil
}

// tell wakes those who wait; the caller holds the lock.
func (w *Work) tell() {
	if w.idle != nil && (w.open == 0 || w.failure != nil) {
		close(w.idle)
		w.idle = nil
	}
}
