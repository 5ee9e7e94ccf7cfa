package lambda

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
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
	log       *logFile
	work      chan *invocation
	exited    chan struct{} // closed when the process is gone and reaped
	exitError error         // valid once exited is closed

	mu        sync.Mutex
	current   *invocation // the call that the process works on
	initError []byte      // what it said went wrong before its first call
}

func startEnvironment(bootstrap Bootstrap) (*environment, error) {
	log, err := newLogFile(bootstrap.Log)
	if err != nil {
		return nil, fmt.Errorf("making the log of %s: %w", bootstrap.name(), err)
	}
	background := context.Background() // it outlives the call that it is started for
	listener, err := (&net.ListenConfig{}).Listen(background, "tcp", "127.0.0.1:0")
	if err != nil {
		_ = log.Close()
		return nil, fmt.Errorf("listening for the runtime of %s: %w", bootstrap.name(), err)
	}
	e := &environment{bootstrap: bootstrap, log: log, work: make(chan *invocation), exited: make(chan struct{})}
	e.server = &http.Server{Handler: e.runtimeAPI(), ReadHeaderTimeout: initTimeout}
	go func() { _ = e.server.Serve(listener) }() // ends when the server is closed

	e.command = exec.CommandContext(background, bootstrap.Path)
	e.command.Dir = filepath.Dir(bootstrap.Path)
	e.command.Env = e.variables(listener.Addr().String())
	e.command.Stdout, e.command.Stderr = log.File, log.File
	e.command.SysProcAttr = ownGroup()
	if err := e.command.Start(); err != nil {
		_ = e.server.Close()
		_ = log.Close()
		return nil, fmt.Errorf("starting %s: %w", bootstrap.name(), err)
	}
	go func() {
		e.exitError = e.command.Wait()
		e.signalGroup() // what it leaves behind
		close(e.exited)
	}()
	return e, nil
}

// variables are those that Lambda defines for every function, and the
// function's own.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
func (e *environment) variables(runtimeAPI string) []string {
	name := e.bootstrap.name()
	lambdas := []string{
		"AWS_LAMBDA_RUNTIME_API=" + runtimeAPI,
		"AWS_LAMBDA_FUNCTION_NAME=" + name,
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=" + strconv.Itoa(defaultMemory),
		"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/" + name,
		"AWS_LAMBDA_LOG_STREAM_NAME=[$LATEST]" + newRequestID(),
		"AWS_EXECUTION_ENV=AWS_Lambda_provided.al2023",
		"AWS_REGION=" + e.bootstrap.region(),
		"AWS_DEFAULT_REGION=" + e.bootstrap.region(),
		"LAMBDA_TASK_ROOT=" + e.command.Dir,
		"_HANDLER=bootstrap",
		"PATH=" + os.Getenv("PATH"),
		"TZ=:UTC",
	}
	own := make([]string, 0, len(e.bootstrap.Env))
	for key, value := range e.bootstrap.Env {
		own = append(own, key+"="+value)
	}
	return slices.Concat(lambdas, own)
}

// run hands the call to the process and waits for its answer, its end or its
// deadline.
func (e *environment) run(inv *invocation, stopped <-chan struct{}) (Result, error) {
	starting := time.NewTimer(initTimeout)
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
	_, _ = fmt.Fprintf(e.bootstrap.Log, "START RequestId: %s Version: $LATEST\n", inv.id)
	result, err := e.await(inv, stopped)
	result.Log = e.log.flush()
	_, _ = fmt.Fprintf(e.bootstrap.Log, "END RequestId: %s\n", inv.id)
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
	said := e.initError
	e.mu.Unlock()
	result := e.crash(inv)
	if said != nil {
		result.Payload = said
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

func (e *environment) signalGroup() {
	_ = syscall.Kill(-e.command.Process.Pid, syscall.SIGKILL) // nobody may be left
}
