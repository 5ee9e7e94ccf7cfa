// Package runner runs what clients have deployed: functions, the streams that they
// read, the rules and the schedules that call them. Moto keeps all of that and runs
// none of it.
//
// It acts on what is deployed, never on what a call says: it reads everything and
// starts, replaces and stops what differs.
package runner

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/delivery"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
)

// readEvery is how often the runner reads what is deployed although no event reports a
// change.
const readEvery = 3 * time.Second

// Source tells what is deployed.
type Source interface {
	// Deployed reads everything that is deployed, or fails.
	Deployed(ctx context.Context) (cloud.Deployed, error)
	// Code reads the zip of a function.
	Code(ctx context.Context, function string) ([]byte, error)
}

// Sessions gives services the roles that they act in. It answers
// cloud.ErrNotTrusted for a role that does not let the service in.
type Sessions interface {
	ServiceSession(ctx context.Context, service string, with map[string][]string, roleARN, session string, lifetime time.Duration) (iam.AccessKey, error)
}

// Options say what to run, and where. All but Forward and Record are required.
type Options struct {
	Source   Source
	Sessions Sessions
	// Endpoint is the URL at which functions find every AWS service, and at which
	// what Lambda and EventBridge Scheduler do in a role is done.
	Endpoint string
	// Queues makes clients of the queues of an account and region that check
	// nothing, for what EventBridge itself sends.
	Queues func(account, region string) aws.Config
	// Forward puts the event of a match on the event bus that is its target, or
	// answers cloud.ErrNotForwarded. Without it there are no such targets.
	Forward func(context.Context, cloud.RuleMatch) error
	// Record, if set, is given every decision on a call that a service makes for
	// itself.
	Record func(policy.Call, policy.Decision)
	// Python runs functions of Python runtimes. It needs the package awslambdaric.
	Python string
	Code   string // directory for the code of functions
	Logs   string // directory for the logs of functions
	Log    *slog.Logger
	Now    func() time.Time
}

// Runner runs functions, mappings and schedules. It is safe for concurrent use.
type Runner struct {
	Options

	changes atomic.Int64  // how often something may have changed
	read    atomic.Int64  // of changes, when what runs was last read
	wake    chan struct{} // something may have changed
	reading sync.Mutex    // one reading at a time; guards mappings, schedules and refused

	mappings  map[string]*mapping  // by UUID
	schedules map[string]*schedule // by ARN
	refused   map[string]string    // what cannot be run, and why: each is logged once

	mu        sync.RWMutex
	functions map[string]*function               // by ARN
	streams   map[string]*delivery.StreamMapping // that are read, by the mapping's UUID
	closed    bool

	// What services do in roles, at the endpoint.
	send   func(ctx context.Context, as credentials, queue, body string, attributes map[string]string) error
	invoke func(ctx context.Context, as credentials, function string, payload []byte) error

	running    context.Context //nolint:containedctx // ends when everything is to stop; no call brings it
	stop       context.CancelFunc
	ending     sync.Once
	background sync.WaitGroup
}

var _ lambda.Functions = (*Runner)(nil)

// New makes a runner that runs nothing yet. Stop must be called when it is no
// longer needed.
func New(options Options) *Runner {
	r := &Runner{
		Options: options, wake: make(chan struct{}, 1),
		mappings: map[string]*mapping{}, schedules: map[string]*schedule{}, refused: map[string]string{},
		functions: map[string]*function{}, streams: map[string]*delivery.StreamMapping{},
	}
	r.send, r.invoke = r.sendToQueue, r.invokeLater
	r.read.Store(-1)
	r.running, r.stop = context.WithCancel(context.Background())
	return r
}

// Redeployed has what is deployed read soon, and in any case before the next call
// of a function. It never blocks.
func (r *Runner) Redeployed() {
	r.changes.Add(1)
	select {
	case r.wake <- struct{}{}:
	default: // a reading is due already
	}
}

// TableWritten has the streams read now. It never blocks for long.
func (r *Runner) TableWritten() {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, stream := range r.streams {
		stream.Wake()
	}
}

// Run keeps what runs in line with what is deployed until ctx ends, and then
// stops everything.
func (r *Runner) Run(ctx context.Context) {
	defer r.Stop()
	tick := time.NewTicker(readEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := r.reconcile(ctx); err != nil && ctx.Err() == nil {
			r.Log.ErrorContext(ctx, "what is deployed cannot be read; what runs stays as it is", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-r.wake:
		case <-tick.C:
		}
	}
}

// Stop ends everything and returns when nothing is left: calls that are under way
// end with lambda.ErrStopped.
func (r *Runner) Stop() { r.ending.Do(r.end) }

func (r *Runner) end() {
	r.stop()
	r.mu.Lock()
	r.closed = true
	functions := r.functions
	r.functions = map[string]*function{}
	r.mu.Unlock()
	for _, f := range functions {
		f.stop()
	}
	r.background.Wait()
}

// Function finds a deployed function by its ARN, with or without $LATEST; there
// are no other versions.
func (r *Runner) Function(ctx context.Context, arn string) (lambda.Function, error) {
	f, err := r.find(ctx, arn)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (r *Runner) find(ctx context.Context, arn string) (*function, error) {
	arn = strings.TrimSuffix(arn, ":$LATEST")
	f, known := r.lookUp(arn)
	if known && r.read.Load() == r.changes.Load() {
		return f, nil
	}
	if err := r.reconcile(ctx); err != nil {
		return nil, fmt.Errorf("looking for function %s: %w", arn, err)
	}
	if f, known = r.lookUp(arn); !known {
		return nil, fmt.Errorf("%s: %w", arn, lambda.ErrNotFound)
	}
	return f, nil
}

func (r *Runner) lookUp(arn string) (*function, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	f, ok := r.functions[arn]
	return f, ok
}

// spawn runs what Stop waits for; it has to end when r.running does. After Stop
// nothing is run any more.
func (r *Runner) spawn(what func()) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if !r.closed {
		r.background.Go(what)
	}
}

// Crash kills every environment of a function, in the midst of its call if it has
// one, as the loss of the machines would. It returns how many there were.
func (r *Runner) Crash(arn string) int {
	f, ok := r.lookUp(arn)
	if !ok {
		return 0
	}
	return f.crash()
}
