package runner

import (
	"context"
	"errors"
	"fmt"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
)

// ResourcePolicy says who may invoke the function besides the callers that identity policies
// let.
func (f *function) ResourcePolicy() *policy.Document {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.policy
}

// credentials are those of the function's role at this moment.
func (f *function) credentials(ctx context.Context) (iam.AccessKey, error) {
	f.mu.RLock()
	s := f.session
	f.mu.RUnlock()
	return s.current(ctx)
}

// Invoke is for those who wait for the answer: it is lambda.ErrThrottled when as
// many calls are running as may.
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
func (f *function) Invoke(ctx context.Context, payload, clientContext []byte) (lambda.Result, error) {
	if !f.calls.try() {
		return lambda.Result{}, lambda.ErrThrottled
	}
	return f.call(ctx, payload, clientContext)
}

// invokeWhenFree is for Lambda's own queues and pollers, which wait for a place,
// and then for the answer, be ctx at its end or not.
func (f *function) invokeWhenFree(ctx context.Context, payload []byte) (lambda.Result, error) {
	if err := f.calls.wait(ctx); err != nil {
		return lambda.Result{}, fmt.Errorf("waiting for a free environment: %w", err)
	}
	return f.call(context.WithoutCancel(ctx), payload, nil)
}

// call runs a call that has a place, and gives that back when it has ended, which
// may be after the caller has gone.
func (f *function) call(ctx context.Context, payload, clientContext []byte) (lambda.Result, error) {
	type outcome struct {
		result lambda.Result
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		defer f.calls.release()
		result, err := f.run(context.WithoutCancel(ctx), payload, clientContext)
		done <- outcome{result, err}
	}()
	select {
	case o := <-done:
		return o.result, o.err
	case <-ctx.Done():
		return lambda.Result{}, fmt.Errorf("waiting for the function: %w", ctx.Err())
	}
}

func (f *function) run(ctx context.Context, payload, clientContext []byte) (lambda.Result, error) {
	for {
		process, refusal := f.current()
		if process == nil {
			return lambda.Result{}, refusal
		}
		result, err := process.Invoke(ctx, payload, clientContext)
		if errors.Is(err, lambda.ErrStopped) {
			if next, _ := f.current(); next != process {
				continue // it was replaced before it took the call
			}
		}
		return result, err
	}
}

func (f *function) current() (process, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.process, f.refusal
}

func (f *function) crash() int {
	if process, _ := f.current(); process != nil {
		return process.Crash()
	}
	return 0
}
