package lambda

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// errNotTaken says that the process ended before it asked for the call.
var errNotTaken = errors.New("the process ended before it took the invocation")

// environment is one process with a runtime API of its own.
type environment struct {
	bootstrap Bootstrap
	command   *exec.Cmd
	server    *http.Server
	session   Session
	stream    string         // the name of its log stream
	record    io.WriteCloser // the log stream; nil if none is kept
	log       *logFile
	work      chan *invocation
	exited    chan struct{} // closed when the process is gone and reaped
	exitError error         // valid once exited is closed

	mu        sync.Mutex
	current   *invocation // the call that the process works on
	initError []byte      // what it reported before its first call
}

func startEnvironment(bootstrap Bootstrap, session Session) (*environment, error) {
	if err := checkArchitecture(bootstrap.Path, bootstrap.Architecture); err != nil {
		return nil, err
	}
	e := &environment{
		bootstrap: bootstrap, session: session, stream: newStreamName(time.Now()),
		work: make(chan *invocation), exited: make(chan struct{}),
	}
	var err error
	if e.log, err = newLogFile(writerFunc(e.print)); err != nil {
		return nil, fmt.Errorf("making the log of %s: %w", bootstrap.name(), err)
	}
	background := context.Background() // it outlives the call that it is started for
	listener, err := (&net.ListenConfig{}).Listen(background, "tcp", "127.0.0.1:0")
	if err != nil {
		_ = e.log.Close()
		return nil, fmt.Errorf("listening for the runtime of %s: %w", bootstrap.name(), err)
	}
	e.server = &http.Server{Handler: e.runtimeAPI(), ReadHeaderTimeout: initTimeout}
	go func() { _ = e.server.Serve(listener) }() // ends when the server is closed

	e.command = exec.CommandContext(background, bootstrap.Path, bootstrap.Args...)
	e.command.Dir = bootstrap.Root
	e.command.Env = e.variables(listener.Addr().String())
	e.command.Stdout, e.command.Stderr = e.log.File, e.log.File
	e.command.SysProcAttr = ownGroup()
	if err := e.command.Start(); err != nil {
		_ = e.server.Close()
		_ = e.log.Close()
		return nil, fmt.Errorf("starting %s: %w", bootstrap.name(), explain(err, bootstrap.Path))
	}
	if bootstrap.Stream != nil {
		e.record = bootstrap.Stream(e.stream)
	}
	go func() {
		e.exitError = e.command.Wait()
		e.signalGroup() // what it leaves behind
		close(e.exited)
	}()
	return e, nil
}

// outdated says that its session nears its end.
func (e *environment) outdated() bool {
	return !e.session.Until.IsZero() && !time.Now().Before(e.session.Until)
}

// variables are those that Lambda defines for every function, and the
// function's own.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
func (e *environment) variables(runtimeAPI string) []string {
	b := e.bootstrap
	lambdas := []string{
		"AWS_LAMBDA_RUNTIME_API=" + runtimeAPI,
		"AWS_LAMBDA_FUNCTION_NAME=" + b.name(),
		"AWS_LAMBDA_FUNCTION_VERSION=" + latest,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=" + strconv.Itoa(b.Memory),
		"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME=" + b.LogGroup,
		"AWS_LAMBDA_LOG_STREAM_NAME=" + e.stream,
		"AWS_LAMBDA_LOG_FORMAT=" + b.LogFormat,
		"AWS_EXECUTION_ENV=AWS_Lambda_" + b.Runtime,
		"AWS_REGION=" + b.region(),
		"AWS_DEFAULT_REGION=" + b.region(),
		"LAMBDA_TASK_ROOT=" + b.Root,
		"_HANDLER=" + b.Handler,
		"PATH=" + os.Getenv("PATH"),
		"TZ=:UTC",
	}
	own := make([]string, 0, len(b.Env)+len(e.session.Env))
	for _, variables := range []map[string]string{b.Env, e.session.Env} {
		for name, value := range variables {
			own = append(own, name+"="+value)
		}
	}
	return slices.Concat(lambdas, own)
}

// run hands the call to the process and waits for its answer, its end or its
// deadline.
func (e *environment) run(inv *invocation, stopped <-chan struct{}) (Result, error) {
	// A start that takes longer than Lambda gives it is made again as a part of the
	// call, with the time that the call has; here it goes on.
	// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib
	starting := time.NewTimer(initTimeout + e.bootstrap.Timeout)
	defer starting.Stop()
	select {
	case e.work <- inv:
		<-inv.taken
	case <-e.exited:
		return Result{}, errNotTaken
	case <-starting.C:
		e.kill()
		return Result{}, errNotTaken
	case <-stopped:
		return Result{}, ErrStopped
	}
	began := time.Now()
	e.tellStart(inv, began)
	result, err := e.await(inv, stopped)
	result.Log = e.log.flush()
	e.tellEnd(inv, result, began, time.Now())
	return result, err
}

func (e *environment) await(inv *invocation, stopped <-chan struct{}) (Result, error) {
	deadline := time.NewTimer(time.Until(inv.deadline))
	defer deadline.Stop()
	select {
	case result := <-inv.answer:
		return result, nil
	case <-deadline.C:
		e.kill()
		return inv.timedOut(e.bootstrap.Timeout), nil
	case <-stopped:
		return Result{}, ErrStopped
	case <-e.exited:
	}
	select {
	case result := <-inv.answer: // it answered, and then it ended
		return result, nil
	default:
		return e.crash(inv), nil
	}
}

// crash is the answer of a process that ended without giving one.
func (e *environment) crash(inv *invocation) Result {
	if e.exitError == nil {
		return inv.failed("Runtime.ExitError", "Runtime exited without providing a reason")
	}
	return inv.failed("Runtime.ExitError", "Runtime exited with error: %v", e.exitError)
}

// initFailure is the answer of a process that ended before its first call.
func (e *environment) initFailure(inv *invocation) Result {
	e.mu.Lock()
	failure := e.initError
	e.mu.Unlock()
	result := e.crash(inv)
	if failure != nil {
		result.Payload = failure
	}
	result.Log = e.log.flush()
	return result
}

func (e *environment) dead() bool {
	select {
	case <-e.exited:
		return true
	default:
		return false
	}
}

// kill ends the process and everything that it started, and returns when it is
// reaped. It may be called again.
func (e *environment) kill() {
	if !e.dead() {
		e.signalGroup()
	}
	<-e.exited
	_ = e.server.Close()
	e.log.flush()
	_ = e.log.Close()
}

// close ends the environment for good, its log stream too.
func (e *environment) close() {
	e.kill()
	if e.record != nil {
		_ = e.record.Close()
		e.record = nil
	}
}

func (e *environment) signalGroup() {
	_ = syscall.Kill(-e.command.Process.Pid, syscall.SIGKILL) // no child may be left
}
