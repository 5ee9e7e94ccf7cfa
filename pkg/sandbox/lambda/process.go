package lambda

import (
	"context"
	"errors"
	"sync"
)

// Bootstrap is a function in an executable that speaks the Lambda runtime API,
// as built for the provided.al2023 runtime.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html
type Bootstrap struct {
	Settings
	Path string
	// Env is added to the variables that Lambda itself sets. Nothing else of
	// this process's environment is passed on.
	Env map[string]string
}

// Process runs a Bootstrap: each of its execution environments is started by
// the first call that needs it, serves one call at a time, and is replaced after
// a crash or a timeout.
type Process struct {
	bootstrap Bootstrap

	slots   chan *slot    // the idle ones
	stopped chan struct{} // closed by Stop
	stop    sync.Once
}

var _ Function = (*Process)(nil)

// slot is the place of one execution environment.
type slot struct{ env *environment }

// NewProcess makes a function of an executable. Nothing is started yet. Stop
// must be called when it is no longer needed.
func NewProcess(bootstrap Bootstrap) *Process {
	bootstrap.Settings = bootstrap.withDefaults()
	p := &Process{
		bootstrap: bootstrap,
		slots:     make(chan *slot, bootstrap.Concurrency),
		stopped:   make(chan struct{}),
	}
	for range bootstrap.Concurrency {
		p.slots <- &slot{}
	}
	return p
}

// Invoke waits for an idle environment and runs the call in it. When ctx ends
// first, a call that has begun goes on without anybody waiting for it, as in
// Lambda.
func (p *Process) Invoke(ctx context.Context, payload, clientContext []byte) (Result, error) {
	var s *slot
	select {
	case <-p.stopped:
		return Result{}, ErrStopped
	case <-ctx.Done():
		return Result{}, abandoned(ctx)
	case s = <-p.slots:
	}
	type outcome struct {
		result Result
		err    error
	}
	done := make(chan outcome, 1)
	inv := newInvocation(payload, clientContext)
	go func() { //nolint:contextcheck // what runs outlives who asked for it, as in Lambda
		result, err := p.runIn(s, inv)
		p.slots <- s
		done <- outcome{result, err}
	}()
	select {
	case <-ctx.Done():
		return Result{}, abandoned(ctx)
	case o := <-done:
		return o.result, o.err
	}
}

// runIn runs the call in the slot's environment, or in a new one if that has
// died since its last call.
func (p *Process) runIn(s *slot, inv *invocation) (Result, error) {
	for {
		cold := s.env == nil || s.env.dead()
		if cold {
			if err := s.restart(p.bootstrap); err != nil {
				return inv.failed("Runtime.InvalidEntrypoint", "%v", err), nil
			}
		}
		result, err := s.env.run(inv, p.stopped)
		if errors.Is(err, errNotTaken) && !cold {
			continue // it died while idle, which is no fault of this call
		}
		if errors.Is(err, errNotTaken) {
			result, err = s.env.initFailure(inv), nil
		}
		return result, err
	}
}

func (s *slot) restart(bootstrap Bootstrap) error {
	s.end()
	env, err := startEnvironment(bootstrap)
	if err != nil {
		return err
	}
	s.env = env
	return nil
}

func (s *slot) end() {
	if s.env != nil {
		s.env.kill()
		s.env = nil
	}
}

// Stop kills every environment and returns when all are gone. Calls that are
// under way end with ErrStopped, and so do all that come later.
func (p *Process) Stop() {
	p.stop.Do(func() {
		close(p.stopped)
		// Whoever holds a slot notices and gives it back.
		for range cap(p.slots) {
			s := <-p.slots
			s.end()
		}
	})
}
