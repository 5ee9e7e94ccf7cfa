package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
)

// asSandbox has the test's own executable be the sandbox, so that tests can
// start, signal and kill one.
const (
	asSandbox = "GATEWAY_GRANTS_TEST_AS_SANDBOX"
	watched   = "while standard input is open"
)

func TestMain(m *testing.M) {
	switch os.Getenv(asSandbox) {
	case "":
	case watched:
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(1) // the tests ended without stopping us
		}()
		fallthrough
	default:
		main()
		return
	}
	// The stand-in is used as its own configuration says, not as this machine's.
	for _, setting := range os.Environ() {
		if name, _, _ := strings.Cut(setting, "="); strings.HasPrefix(name, "AWS_") {
			_ = os.Unsetenv(name)
		}
	}
	code := m.Run()
	if err := shared.stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// sandbox is a stand-in that runs as a process of its own.
type sandbox struct {
	command   *exec.Cmd
	directory string
	ready     string // the line that it printed
	endpoint  string
	stdout    *bufio.Reader
	stderr    *strings.Builder

	mu      sync.Mutex
	outputs map[string]string // of the deployed stack, once they are known
}

// launch starts a sandbox with a directory of its own, unless the arguments name
// one, on a free port, and waits until it says that it is ready.
func launch(python, directory string, arguments ...string) (*sandbox, error) {
	functions, err := builtFunctions()
	if err != nil {
		return nil, err
	}
	s := &sandbox{directory: directory, stderr: &strings.Builder{}}
	s.command = exec.Command(os.Args[0], append([]string{"up", "--port", "0", "--dir", directory, "--functions", functions, "--template", "../../template.yaml", "--python", python}, arguments...)...)
	s.command.Env = append(os.Environ(), asSandbox+"="+watched)
	s.command.Stderr = s.stderr
	if _, err := s.command.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := s.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.stdout = bufio.NewReader(stdout)
	if err := s.command.Start(); err != nil {
		return nil, err
	}
	s.ready, _ = s.stdout.ReadString('\n') // without a line there is an exit status
	if !strings.HasPrefix(s.ready, "ready: ") {
		return s, fmt.Errorf("sandbox up: %w: %s%s", s.command.Wait(), s.ready, s.stderr)
	}
	s.endpoint, _, _ = strings.Cut(strings.TrimPrefix(s.ready, "ready: "), ",")
	return s, nil
}

func (s *sandbox) config() string { return filepath.Join(s.directory, "aws-config") }

// end asks the sandbox to stop and waits until it has.
func (s *sandbox) end(signal os.Signal) error {
	if err := s.command.Process.Signal(signal); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- s.command.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-time.After(30 * time.Second):
		return fmt.Errorf("sandbox did not stop within 30 s of %s: %w", signal, s.command.Process.Kill())
	}
}

// builtFunctions builds the product's functions for this machine, once.
var builtFunctions = sync.OnceValues(func() (string, error) {
	repository, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		return "", err
	}
	directory, err := os.MkdirTemp("", "functions-")
	if err != nil {
		return "", err
	}
	shared.built = directory
	for _, name := range []string{"table-changes", "gateway-events", "organization", "sweep", "echo"} {
		build := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", filepath.Join(directory, name, "bootstrap"), "./functions/"+name)
		build.Dir = repository
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if output, err := build.CombinedOutput(); err != nil {
			return "", fmt.Errorf("building function %s: %w\n%s", name, err, output)
		}
	}
	return directory, nil
})

// shared is the stand-in that most tests use together.
var shared sharedSandbox

type sharedSandbox struct {
	start sync.Once
	*sandbox
	err   error
	built string
}

func (s *sharedSandbox) stop() error {
	var err error
	if s.sandbox != nil {
		err = s.end(os.Interrupt)
	}
	for _, directory := range []string{s.built, s.directoryOf()} {
		if directory != "" {
			_ = os.RemoveAll(directory)
		}
	}
	return err
}

func (s *sharedSandbox) directoryOf() string {
	if s.sandbox == nil {
		return ""
	}
	return s.directory
}

// standInFor gives the test the shared stand-in.
func standInFor(t *testing.T) *sandbox {
	t.Helper()
	python := cloudtest.Python(t)
	shared.start.Do(func() {
		directory, err := os.MkdirTemp("", "sandbox-") //nolint:usetesting // it outlives the test that comes first
		if err != nil {
			shared.err = err
			return
		}
		shared.sandbox, shared.err = launch(python, directory)
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.sandbox
}

// environment is what a client gets to use the stand-in as a profile: nothing of
// the machine's own AWS settings.
func (s *sandbox) environment(profile string) []string {
	env := []string{
		"AWS_CONFIG_FILE=" + s.config(), "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull, "AWS_PROFILE=" + profile,
		"AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=", "NO_PROXY=127.0.0.1",
	}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "LANG"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// output is an output of the deployed stack.
func (s *sandbox) output(t *testing.T, name string) string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.outputs == nil {
		s.outputs = map[string]string{}
		answer := must(t, newAWSCLI(t, s, "account-a"), "cloudformation", "DescribeStacks", map[string]any{"StackName": stackName})
		stack, _ := answer["Stacks"].([]any)[0].(map[string]any)
		for _, element := range stack["Outputs"].([]any) {
			output, _ := element.(map[string]any)
			key, _ := output["OutputKey"].(string)
			s.outputs[key], _ = output["OutputValue"].(string)
		}
	}
	if s.outputs[name] == "" {
		t.Fatalf("the stack has no output %s", name)
	}
	return s.outputs[name]
}

func functionARN(name string) string {
	return "arn:aws:lambda:" + region + ":" + accountA + ":function:" + name
}

// eventually waits for at most 30 seconds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	within(t, 30*time.Second, what, holds)
}

// within waits for so long at most; what depends on the minute's sweeps needs some.
func within(t *testing.T, most time.Duration, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("not within %s: %s", most, what)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// ownSandbox is a stand-in of the test's own, which ends with the test.
func ownSandbox(t *testing.T, arguments ...string) *sandbox {
	t.Helper()
	s, err := launch(cloudtest.Python(t), t.TempDir(), arguments...)
	if err != nil {
		t.Fatal(err)
	}
	s.endsWith(t)
	return s
}

// endsWith has the stand-in end with the test. If that has failed, its log has the last of
// what went wrong in the stand-in and its functions.
func (s *sandbox) endsWith(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			s.showTroubles(t)
		}
		if err := s.end(os.Interrupt); err != nil {
			t.Error(err)
		}
	})
}

func (s *sandbox) showTroubles(t *testing.T) {
	t.Helper()
	const last = 30
	trouble := regexp.MustCompile(`level=(WARN|ERROR)|"level":"(WARN|ERROR)"`)
	logs, err := filepath.Glob(filepath.Join(s.directory, "logs", "*.log"))
	if err != nil {
		t.Error(err)
	}
	for _, log := range logs {
		text, err := os.ReadFile(log)
		if err != nil {
			t.Error(err)
		}
		var lines []string
		for line := range strings.Lines(string(text)) {
			if trouble.MatchString(line) {
				lines = append(lines, strings.TrimSpace(line[:min(len(line), 600)]))
			}
		}
		if len(lines) > 0 {
			t.Logf("%s\n%s", filepath.Base(log), strings.Join(lines[max(0, len(lines)-last):], "\n"))
		}
	}
}
