package cloud

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	startWithin = 2 * time.Minute // of several at once on a busy machine; one that ends is noticed at once
	stopWithin  = 5 * time.Second
	pollEvery   = 20 * time.Millisecond
)

// lifeline runs "$@" and ends it when standard input closes. The kernel closes
// our end of that pipe however we die, so no server outlives the sandbox.
const lifeline = `
exec 3<&0
"$@" </dev/null 3<&- &
child=$!
{ cat <&3 >/dev/null; kill "$child" 2>/dev/null; } &
exec 3<&-
wait "$child"`

// process is a server that we started, and stop.
type process struct {
	name    string
	log     string
	cmd     *exec.Cmd
	alive   *os.File // our end of the lifeline
	exited  chan struct{}
	failure error // set before exited closes
}

// spawn starts command with env as its whole environment, its output going to
// the file log.
func spawn(name, log string, env []string, command ...string) (*process, error) {
	if err := os.MkdirAll(filepath.Dir(log), 0o700); err != nil {
		return nil, fmt.Errorf("making the directory of the %s log: %w", name, err)
	}
	output, err := os.OpenFile(log, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the %s log: %w", name, err)
	}
	defer output.Close()
	held, alive, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	defer held.Close()

	cmd := exec.Command("sh", append([]string{"-c", lifeline, "sh"}, command...)...) //nolint:noctx // it lives until Stop, not as long as the context of its start
	cmd.Env = env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = held, output, output
	// A group of its own: Ctrl-C in a terminal reaches us, and we stop it in our order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting %s: %w", name, err), alive.Close())
	}
	p := &process{name: name, log: log, cmd: cmd, alive: alive, exited: make(chan struct{})}
	go func() {
		p.failure = cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

// until polls ready until it says yes. It fails when the process exits, ctx ends
// or startWithin has passed, and then leaves no process behind.
func (p *process) until(ctx context.Context, ready func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for !ready() {
		select {
		case <-tick.C:
		case <-p.exited:
			return errors.Join(p.Err(), p.Stop())
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("waiting for %s to answer: %w; its output is in %s", p.name, ctx.Err(), p.log), p.Stop())
		}
	}
	return nil
}

// Done is closed when the server has exited, by whatever cause.
func (p *process) Done() <-chan struct{} { return p.exited }

// Err says how the server ended: nil while it runs. A server that was not asked
// to stop has failed, whatever its exit status.
func (p *process) Err() error {
	select {
	case <-p.exited:
	default:
		return nil
	}
	return fmt.Errorf("%s ended (%s): %s; its output is in %s", p.name, p.cmd.ProcessState, p.lastLine(), p.log)
}

// Stop ends the server and returns when it is gone, within 5 seconds or with an
// error. A server that is gone already is no error.
func (p *process) Stop() error {
	_ = p.alive.Close() // a second Stop finds it closed
	select {
	case <-p.exited:
	case <-time.After(stopWithin):
		if err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stopping %s: %w", p.name, err)
		}
		<-p.exited
	}
	return nil
}

func (p *process) output() []byte {
	text, _ := os.ReadFile(p.log) // a log that cannot be read says nothing
	return text
}

func (p *process) lastLine() string {
	text := bytes.TrimSpace(p.output())
	line := text[bytes.LastIndexByte(text, '\n')+1:]
	if len(line) == 0 {
		return "it printed nothing"
	}
	return string(line)
}

// plainEnvironment is what a server gets of ours: nothing that would make an
// AWS library inside it read the user's credentials or settings.
func plainEnvironment(more ...string) []string {
	env := []string{"AWS_EC2_METADATA_DISABLED=true"}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "LANG"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return append(env, more...)
}
