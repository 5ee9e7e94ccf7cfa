package mcpclient

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
)

// RefusedError is an HTTP answer other than success.
type RefusedError struct {
	Status int
	URL    string
	// Body is what the gateway said, at most its first 64 KB.
	Body string
}

// Error reads "403 Forbidden for url 'https://…': " and the body.
func (e *RefusedError) Error() string {
	message := fmt.Sprintf("%d %s for url '%s'", e.Status, http.StatusText(e.Status), e.URL)
	if body := strings.TrimSpace(e.Body); body != "" {
		message += ": " + body
	}
	return message
}

// Denied says that the gateway does not let the caller in, whatever it asks.
func (e *RefusedError) Denied() bool {
	return e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden
}

// final says that asking the same in another version of MCP would not help.
func (e *RefusedError) final() bool {
	return e.Denied() || e.Status == http.StatusTooManyRequests || e.Status >= http.StatusInternalServerError
}

// UnreachableError says that no answer came.
type UnreachableError struct {
	URL string
	Err error
}

func (e *UnreachableError) Error() string { return fmt.Sprintf("no answer from %s: %v", e.URL, e.Err) }

// Unwrap gives the network's error.
func (e *UnreachableError) Unwrap() error { return e.Err }

// attempt is what became of the requests that one call of this package makes.
// It travels in the context, which the MCP SDK hands on to the request.
type attempt struct {
	mu    sync.Mutex
	err   error // of the last request, nil if it succeeded
	final bool
}

type attemptKey struct{}

func (a *attempt) in(ctx context.Context) context.Context {
	return context.WithValue(ctx, attemptKey{}, a)
}

func attemptOf(ctx context.Context) *attempt {
	if a, ok := ctx.Value(attemptKey{}).(*attempt); ok {
		return a
	}
	return &attempt{}
}

// over gives the error that ended the attempt: the SDK would otherwise follow a
// refusal with another request of the same fate.
func (a *attempt) over() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.final {
		return a.err
	}
	return nil
}

func (a *attempt) succeeded() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.err = nil
}

func (a *attempt) failed(err error, final bool) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.err, a.final = err, final
	return err
}

// explain prefers what the gateway said to what the SDK made of it.
func (a *attempt) explain(doing string, err error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err != nil {
		err = a.err
	}
	return fmt.Errorf("%s: %w", doing, err)
}
