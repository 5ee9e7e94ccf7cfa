package lambda

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"sync"
	"time"
)

// Bootstrap is a function in an executable that speaks the Lambda runtime API,
// as built for the provided.al2023 runtime.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html
type Bootstrap struct {
	Settings
	Path string
	Args []string // after Path
	Root string   // the directory of the code, in which it runs; "" is Path's
	// Env is added to the variables that Lambda itself sets. Nothing else of
	// this process's environment is passed on.
	Env map[string]string

	Runtime      string // as AWS names it; "" is provided.al2023
	Handler      string // "" is bootstrap
	Architecture string // x86_64 or arm64; "" is whatever the executable is for
	Memory       int    // MB, for the function to know; 0 is 128. It is not enforced
	LogGroup     string // "" is /aws/lambda/ and the function's name
	LogFormat    string // Text or JSON; "" is Text

	// Session, if set, is asked before an environment is started. Its error is
	// that of the call.
	Session func(ctx context.Context) (Session, error)
	// Stream, if set, opens the log stream of an environment, which gets what is
	// printed there as Log does, and is closed when the environment has ended.
	Stream func(name string) io.WriteCloser
}

// Session is what an environment may act with, and for how long.
type Session struct {
	Env   map[string]string
	Until time.Time // when the environment is replaced before its next call
}

// Process runs a Bootstrap: each of its execution environments is started by
// the first call that needs it, serves one call at a time, and is replaced after
// a crash or a timeout.
type Process struct {
	bootstrap Bootstrap

	warm    chan *slot    // that are idle, with an environment
	cold    chan *slot    // that are idle, without one
	closed  chan struct{} // closed by Retire and Stop: no new calls
	stopped chan struct{} // closed by Stop: no calls
	drained chan struct{} // closed when every environment is gone
	retire  sync.Once
	stop    sync.Once

	mu   sync.Mutex
	live map[*environment]bool
}

var _ Function = (*Process)(nil)

// slot is the place of one execution environment.
type slot struct{ env *environment }

// NewProcess makes a function of an executable. Nothing is started yet. Stop
// must be called when it is no longer needed.
func NewProcess(bootstrap Bootstrap) *Process {
	bootstrap = bootstrap.withDefaults()
	p := &Process{
		bootstrap: bootstrap,
		warm:      make(chan *slot, bootstrap.Concurrency),
		cold:      make(chan *slot, bootstrap.Concurrency),
		closed:    make(chan struct{}),
		stopped:   make(chan struct{}),
		drained:   make(chan struct{}),
		live:      map[*environment]bool{},
	}
	for range bootstrap.Concurrency {
		p.cold <- &slot{}
	}
	return p
}

func (b Bootstrap) withDefaults() Bootstrap {
	b.Settings = b.Settings.withDefaults()
	if b.Root == "" {
		b.Root = filepath.Dir(b.Path)
	}
	if b.Runtime == "" {
		b.Runtime = "provided.al2023"
	}
	if b.Handler == "" {
		b.Handler = "bootstrap"
	}
	if b.Memory <= 0 {
		b.Memory = defaultMemory
	}
	if b.LogGroup == "" {
		b.LogGroup = "/aws/lambda/" + b.name()
	}
	if b.LogFormat == "" {
		b.LogFormat = "Text"
	}
	return b
}

// Invoke waits for an idle environment and runs the call in it. When ctx ends
// first, a call that has begun goes on without anybody waiting for it, as in
// Lambda.
func (p *Process) Invoke(ctx context.Context, payload, clientContext []byte) (Result, error) {
	s, err := p.take(ctx)
	if err != nil {
		return Result{}, err
	}
	type outcome struct {
		result Result
		err    error
	}
	done := make(chan outcome, 1)
	inv := newInvocation(payload, clientContext)
	go func() { //nolint:contextcheck // what runs outlives who asked for it, as in Lambda
		result, err := p.runIn(s, inv)
		p.give(s)
		done <- outcome{result, err}
	}()
	select {
	case <-ctx.Done():
		return Result{}, abandoned(ctx)
	case o := <-done:
		return o.result, o.err
	}
}

// take waits for an idle place. One with an environment comes first.
func (p *Process) take(ctx context.Context) (*slot, error) {
	select {
	case s := <-p.warm:
		return s, nil
	default:
	}
	select {
	case <-p.closed:
		return nil, ErrStopped
	case <-ctx.Done():
		return nil, abandoned(ctx)
	case s := <-p.warm:
		return s, nil
	case s := <-p.cold:
		return s, nil
	}
}

func (p *Process) give(s *slot) {
	if s.env == nil || s.env.dead() {
		p.cold <- s
		return
	}
	p.warm <- s
}

// runIn runs the call in the slot's environment, or in a new one if that has
// died since its last call or its session nears its end.
func (p *Process) runIn(s *slot, inv *invocation) (Result, error) {
	for {
		cold := s.env == nil || s.env.dead() || s.env.outdated()
		if cold {
			refused, err := p.restart(s)
			if err != nil {
				return Result{}, err
			}
			if refused != nil {
				return inv.failed("Runtime.InvalidEntrypoint", "%v", refused), nil
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

// restart gives the slot a new environment. The system may refuse to run it, which
// is the function's fault; err is another's.
func (p *Process) restart(s *slot) (refused, err error) {
	p.end(s)
	var session Session
	if p.bootstrap.Session != nil {
		// The caller may be gone before the session starts.
		if session, err = p.bootstrap.Session(context.Background()); err != nil {
			return nil, err
		}
	}
	env, refused := startEnvironment(p.bootstrap, session)
	if refused != nil {
		return refused, nil
	}
	s.env = env
	p.mu.Lock()
	defer p.mu.Unlock()
	p.live[env] = true
	return nil, nil
}

func (p *Process) end(s *slot) {
	if s.env == nil {
		return
	}
	s.env.close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.live, s.env)
	s.env = nil
}

// Crash kills every environment, in the midst of its call if it has one, as the
// loss of the machines would: such a call has failed. It returns how many there
// were, when they are gone.
func (p *Process) Crash() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	crashed := 0
	for env := range p.live {
		if !env.dead() {
			env.signalGroup()
			crashed++
		}
	}
	for env := range p.live {
		<-env.exited
	}
	return crashed
}

// Retire lets calls that are under way end, in whatever time they take, and then
// kills every environment. Calls that wait, or come later, end with ErrStopped.
// It returns when all are gone.
func (p *Process) Retire() {
	p.retire.Do(func() {
		close(p.closed)
		go func() {
			// The holder of a slot gives it back.
			for range cap(p.cold) {
				select {
				case s := <-p.warm:
					p.end(s)
				case s := <-p.cold:
					p.end(s)
				}
			}
			close(p.drained)
		}()
	})
	<-p.drained
}

// Stop kills every environment and returns when all are gone. Calls that are
// under way end with ErrStopped, and so do all that come later.
func (p *Process) Stop() {
	p.stop.Do(func() { close(p.stopped) })
	p.Retire()
}
