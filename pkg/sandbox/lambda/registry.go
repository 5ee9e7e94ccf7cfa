package lambda

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// ErrNotFound says that there is no function of that ARN.
var ErrNotFound = errors.New("function not found")

// Functions finds functions by ARN, with or without a version or alias at its
// end. It answers ErrNotFound for one that does not exist.
type Functions interface {
	Function(ctx context.Context, arn string) (Function, error)
}

// Registry is a set of functions. Its zero value is empty and ready; it is safe
// for concurrent use.
type Registry struct {
	mu        sync.RWMutex
	functions map[string]Function
}

var _ Functions = (*Registry)(nil)

// Register makes a function known, or replaces it.
func (r *Registry) Register(arn string, function Function) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.functions == nil {
		r.functions = map[string]Function{}
	}
	r.functions[arn] = function
}

// Function finds a function by the ARN that it was registered under.
func (r *Registry) Function(_ context.Context, arn string) (Function, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	function, ok := r.functions[arn]
	if !ok {
		return nil, fmt.Errorf("%s: %w", arn, ErrNotFound)
	}
	return function, nil
}
