package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
)

// unreserved is how many calls run at once of a function without reserved
// concurrency. An account of AWS has 1,000 for all of its functions, which no
// machine of one's own has room for; it is ten in a new account.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const unreserved = 10

// function is a deployed function. It stays the same while its code and its
// settings change.
type function struct {
	runner *Runner
	arn    string
	calls  limiter

	mu       sync.RWMutex
	deployed cloud.DeployedFunction
	policy   *policy.Document
	session  *session
	process  process // nil if it cannot be run
	refusal  error   // why not
	code     string  // directory; "" if none
	log      *os.File
}

// process runs a function with the settings of one moment.
type process interface {
	lambda.Function
	Crash() int
	Retire()
	Stop()
}

var (
	_ lambda.Function = (*function)(nil)
	_ lambda.Guarded  = (*function)(nil)
	_ lambda.Queued   = (*function)(nil)
)

func newFunction(r *Runner, arn string) *function { return &function{runner: r, arn: arn} }

// deploy has the function run as it is deployed. An error means that it stays as
// it was.
func (f *function) deploy(ctx context.Context, deployed cloud.DeployedFunction) error {
	f.mu.RLock()
	before, session, fresh := f.deployed, f.session, f.process == nil && f.refusal == nil
	f.mu.RUnlock()
	if !fresh && reflect.DeepEqual(before, deployed) {
		return nil
	}
	document, err := parsePolicy(deployed.Policy)
	if err != nil {
		return err
	}
	if session == nil || before.Role != deployed.Role {
		session = f.runner.functionSession(deployed)
	}
	replaced := replacement{policy: document, session: session}
	if fresh || !reflect.DeepEqual(running(before), running(deployed)) {
		if err := f.prepare(ctx, deployed, &replaced); err != nil {
			return err
		}
	}
	f.replace(deployed, replaced)
	return nil
}

// running is what of a function its process depends on.
func running(d cloud.DeployedFunction) cloud.DeployedFunction {
	d.Policy, d.Async = nil, cloud.AsyncSettings{}
	return d
}

// replacement is what changes with a deployment.
type replacement struct {
	policy  *policy.Document
	session *session
	started bool // the rest is new
	process process
	refusal error
	code    string
}

// prepare makes the process, or the refusal of one that cannot be.
func (f *function) prepare(ctx context.Context, deployed cloud.DeployedFunction, replaced *replacement) error {
	replaced.started = true
	f.mu.RLock()
	unpacked := f.code
	if f.deployed.Code != deployed.Code {
		unpacked = ""
	}
	f.mu.RUnlock()
	program, err := f.runner.program(ctx, deployed, unpacked)
	if refused := (*lambda.Error)(nil); errors.As(err, &refused) {
		replaced.refusal = refused
		return nil
	}
	if err != nil {
		return err
	}
	log, err := f.openLog()
	if err != nil {
		return err
	}
	replaced.code = program.directory
	replaced.process = lambda.NewProcess(lambda.Bootstrap{
		Settings: lambda.Settings{
			ARN: deployed.ARN, Timeout: time.Duration(deployed.Timeout) * time.Second,
			Concurrency: concurrency(deployed), Log: log,
		},
		Path: program.path, Args: program.arguments, Root: program.directory,
		Env:     deployed.Environment,
		Runtime: deployed.Runtime, Handler: deployed.Handler, Architecture: program.architecture,
		Memory: deployed.Memory, LogGroup: deployed.LogGroup, LogFormat: deployed.LogFormat,
		Session: func(ctx context.Context) (lambda.Session, error) {
			return f.runner.environmentSession(ctx, replaced.session)
		},
		Stream: func(name string) io.WriteCloser {
			return f.runner.newLogStream(replaced.session, parseARN(deployed.ARN).region, deployed.LogGroup, name)
		},
	})
	return nil
}

func (f *function) replace(deployed cloud.DeployedFunction, replaced replacement) {
	f.mu.Lock()
	old, oldCode := f.process, f.code
	f.deployed, f.policy, f.session = deployed, replaced.policy, replaced.session
	if replaced.started {
		f.process, f.refusal, f.code = replaced.process, replaced.refusal, replaced.code
	}
	code := f.code
	f.mu.Unlock()

	limit := concurrency(deployed)
	if deployed.Reserved != nil {
		limit = *deployed.Reserved
	}
	f.calls.set(limit)
	if replaced.started && old != nil {
		f.runner.spawn(func() {
			f.runner.retire(old) // what has begun ends with the code that it began with
			if oldCode != code {
				_ = os.RemoveAll(oldCode)
			}
		})
	}
}

// concurrency is how many environments a function may have; there is room for one
// even where none may be used.
func concurrency(d cloud.DeployedFunction) int {
	if d.Reserved == nil {
		return unreserved
	}
	return max(*d.Reserved, 1)
}

func parsePolicy(text json.RawMessage) (*policy.Document, error) {
	if len(text) == 0 || string(text) == "null" {
		return nil, nil
	}
	var quoted string
	if json.Unmarshal(text, &quoted) == nil {
		text = json.RawMessage(quoted)
	}
	document, err := policy.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("reading the function's policy: %w", err)
	}
	return document, nil
}

// functionSession is the session that Lambda has in the function's role; it is
// called as the function.
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
func (r *Runner) functionSession(d cloud.DeployedFunction) *session {
	return &session{runner: r, service: "lambda.amazonaws.com", role: d.Role, name: nameOf(d.ARN)}
}

func nameOf(arn string) string { return strings.TrimPrefix(parseARN(arn).rest, "function:") }

// environmentSession is what an environment gets of a session.
func (r *Runner) environmentSession(ctx context.Context, s *session) (lambda.Session, error) {
	key, err := s.current(ctx)
	if errors.Is(err, cloud.ErrNotTrusted) {
		return lambda.Session{}, &lambda.Error{
			Status: http.StatusForbidden, Code: "AccessDeniedException",
			Message: "The role defined for the function cannot be assumed by Lambda: " + s.role,
		}
	}
	if err != nil {
		return lambda.Session{}, fmt.Errorf("starting the session of the function's role: %w", err)
	}
	return lambda.Session{
		Env: map[string]string{
			"AWS_ACCESS_KEY_ID": key.ID, "AWS_SECRET_ACCESS_KEY": key.Secret, "AWS_SESSION_TOKEN": key.SessionToken,
			"AWS_ENDPOINT_URL": r.Endpoint,
		},
		Until: key.Expires.Add(-renewBefore),
	}, nil
}

// openLog opens the file that gets what all of the function's environments print.
func (f *function) openLog() (io.Writer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.log != nil {
		return f.log, nil
	}
	at := parseARN(f.arn)
	name := fmt.Sprintf("lambda-%s-%s-%s.log", at.account, at.region, nameOf(f.arn))
	file, err := os.OpenFile(filepath.Join(f.runner.Logs, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", f.arn, err)
	}
	f.log = file
	return file, nil
}

// retire lets what has begun end, unless the runner stops.
func (r *Runner) retire(p process) {
	cancel := context.AfterFunc(r.running, p.Stop)
	defer cancel()
	p.Retire()
}

// retire lets what has begun end, and then leaves nothing.
func (f *function) retire() {
	if process, _ := f.current(); process != nil {
		f.runner.retire(process)
	}
	f.stop()
}

// stop ends what is running and leaves nothing.
func (f *function) stop() {
	if process, _ := f.current(); process != nil {
		process.Stop()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.code != "" {
		_ = os.RemoveAll(f.code)
	}
	if f.log != nil {
		_ = f.log.Close()
		f.log = nil
	}
}
