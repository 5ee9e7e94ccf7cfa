package lambda_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
)

const functionARN = "arn:aws:lambda:us-east-1:111122223333:function:example"

// bootstrap is the compiled testdata/function.
var bootstrap string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "bootstrap-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		bootstrap = filepath.Join(dir, "bootstrap")
		build := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", bootstrap, "./testdata/function")
		if output, err := build.CombinedOutput(); err != nil {
			panic(string(output))
		}
		return m.Run()
	}())
}

// newProcess makes a function of the compiled executable, stopped with the test.
func newProcess(t *testing.T, change func(*lambda.Bootstrap)) *lambda.Process {
	t.Helper()
	b := lambda.Bootstrap{Settings: lambda.Settings{ARN: functionARN, Timeout: 30 * time.Second}, Path: bootstrap}
	if change != nil {
		change(&b)
	}
	p := lambda.NewProcess(b)
	t.Cleanup(p.Stop)
	return p
}

func invoke(t *testing.T, f lambda.Function, payload string) lambda.Result {
	t.Helper()
	result, err := f.Invoke(t.Context(), []byte(payload), nil)
	if err != nil {
		t.Fatalf("Invoke(%s): %v", payload, err)
	}
	return result
}

// answer is a function's answer, decoded.
func answer(t *testing.T, result lambda.Result) map[string]any {
	t.Helper()
	if result.FunctionError != "" {
		t.Fatalf("function error: %s", result.Payload)
	}
	var got map[string]any
	if err := json.Unmarshal(result.Payload, &got); err != nil {
		t.Fatalf("payload %q: %v", result.Payload, err)
	}
	return got
}

// errorOf is what a failed function said.
func errorOf(t *testing.T, result lambda.Result) (errorType, message string) {
	t.Helper()
	var got struct{ ErrorType, ErrorMessage string }
	if err := json.Unmarshal(result.Payload, &got); err != nil {
		t.Fatalf("payload %q: %v", result.Payload, err)
	}
	if result.FunctionError != "Unhandled" {
		t.Errorf("function error %q, want Unhandled (payload %s)", result.FunctionError, result.Payload)
	}
	return got.ErrorType, got.ErrorMessage
}

func TestAProcessServesCallsWithTheirContext(t *testing.T) {
	p := newProcess(t, nil)
	result, err := p.Invoke(t.Context(), []byte(`{"do":"context"}`), []byte(`{"custom":{"tool":"a___b","nested":{"x":1}}}`))
	if err != nil {
		t.Fatal(err)
	}
	got := answer(t, result)
	if left := got["left"].(float64); left <= 25 || left > 30 {
		t.Errorf("time left = %v s, want just under the timeout of 30", left)
	}
	delete(got, "left")
	want := map[string]any{
		"requestId": result.RequestID, "arn": functionARN, "name": "example", "calls": 1.0,
		"custom": map[string]any{"tool": "a___b", "nested": `{"x":1}`},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("context (-want +got):\n%s", diff)
	}
	if second := answer(t, invoke(t, p, `{"message":"again"}`)); second["calls"] != 2.0 || second["echo"] != "again" {
		t.Errorf("second call = %v, want it served by the same process", second)
	}
}

func TestAProcessSeesOnlyWhatLambdaWouldSet(t *testing.T) {
	t.Setenv("SECRET_OF_THE_HOST", "1")
	p := newProcess(t, func(b *lambda.Bootstrap) { b.Env = map[string]string{"TABLE": "grants"} })
	var got struct{ Environment []string }
	if err := json.Unmarshal(invoke(t, p, `{"do":"environment"}`).Payload, &got); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"TABLE=grants", "AWS_REGION=us-east-1", "AWS_LAMBDA_FUNCTION_NAME=example", "LAMBDA_TASK_ROOT=" + filepath.Dir(bootstrap)} {
		if !slices.Contains(got.Environment, want) {
			t.Errorf("environment lacks %s:\n%s", want, strings.Join(got.Environment, "\n"))
		}
	}
	if slices.ContainsFunc(got.Environment, func(v string) bool { return strings.HasPrefix(v, "SECRET_OF_THE_HOST=") }) {
		t.Error("environment has a variable of the host")
	}
}

func TestAFunctionThatFailsHasAnswered(t *testing.T) {
	cases := map[string]struct {
		reason, payload, errorType, message string
	}{
		"Error":    {"a returned error", `{"do":"error","message":"no such thing"}`, "errorString", "no such thing"},
		"Panic":    {"a panic is reported before the process ends", `{"do":"panic","message":"oh"}`, "string", "oh"},
		"Exit":     {"a process that ends without a word", `{"do":"exit","size":7}`, "Runtime.ExitError", "Runtime exited with error: exit status 7"},
		"CleanEnd": {"ending well is no answer either", `{"do":"exit"}`, "Runtime.ExitError", "Runtime exited without providing a reason"},
		"TooLarge": {"6,291,556 bytes are the limit", `{"do":"large","size":6291556}`, "Function.ResponseSizeTooLarge", "(6291556 bytes)"},
		"BadEvent": {"the function decodes its event itself", `[1]`, "UnmarshalTypeError", "cannot unmarshal"},
	}
	p := newProcess(t, nil)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			errorType, message := errorOf(t, invoke(t, p, tc.payload))
			if errorType != tc.errorType || !strings.Contains(message, tc.message) {
				t.Errorf("%s: %s: %q; want %s: …%s…", tc.reason, errorType, message, tc.errorType, tc.message)
			}
			if got := answer(t, invoke(t, p, `{"message":"still there"}`)); got["echo"] != "still there" {
				t.Errorf("next call = %v", got)
			}
		})
	}
}

func TestTheLargestResponsePasses(t *testing.T) {
	p := newProcess(t, nil)
	const size = lambda.MaxResponse - len(`{"large":""}`)
	result := invoke(t, p, fmt.Sprintf(`{"do":"large","size":%d}`, size))
	if result.FunctionError != "" || len(result.Payload) != lambda.MaxResponse {
		t.Errorf("%d bytes, %q; want %d", len(result.Payload), result.FunctionError, lambda.MaxResponse)
	}
}

func TestAProcessThatTakesTooLongIsReplaced(t *testing.T) {
	p := newProcess(t, func(b *lambda.Bootstrap) { b.Timeout = 500 * time.Millisecond })
	first := answer(t, invoke(t, p, `{}`))["pid"].(float64)
	errorType, message := errorOf(t, invoke(t, p, `{"do":"sleep"}`))
	if errorType != "Sandbox.Timedout" || !strings.HasSuffix(message, "Task timed out after 0.50 seconds") {
		t.Errorf("%s: %s", errorType, message)
	}
	if alive(int(first)) {
		t.Errorf("process %v outlived its timeout", first)
	}
	second := answer(t, invoke(t, p, `{}`))
	if second["pid"] == first || second["calls"] != 1.0 {
		t.Errorf("after the timeout: %v, want a new process", second)
	}
}

func TestProcessThatDiedIdleIsReplaced(t *testing.T) {
	p := newProcess(t, nil)
	pid := int(answer(t, invoke(t, p, `{}`))["pid"].(float64))
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for alive(pid) {
		time.Sleep(time.Millisecond)
	}
	if got := answer(t, invoke(t, p, `{"message":"hello"}`)); got["echo"] != "hello" || got["calls"] != 1.0 {
		t.Errorf("next call = %v, want it served by a new process", got)
	}
}

func TestAProcessThatCannotStartIsAFunctionError(t *testing.T) {
	cases := map[string]struct {
		reason             string
		change             func(*lambda.Bootstrap)
		errorType, message string
	}{
		"ExitsAtOnce": {
			"it ends before it asks for a call",
			func(b *lambda.Bootstrap) { b.Env = map[string]string{"INIT": "exit"} },
			"Runtime.ExitError", "exit status 3",
		},
		"NoExecutable": {
			"nothing was built",
			func(b *lambda.Bootstrap) { b.Path = filepath.Join(t.TempDir(), "bootstrap") },
			"Runtime.InvalidEntrypoint", "no such file",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := newProcess(t, tc.change)
			for range 2 {
				errorType, message := errorOf(t, invoke(t, p, `{}`))
				if errorType != tc.errorType || !strings.Contains(message, tc.message) {
					t.Errorf("%s: %s: %q; want %s: …%s…", tc.reason, errorType, message, tc.errorType, tc.message)
				}
			}
		})
	}
}

func TestCallsQueueForAnEnvironment(t *testing.T) {
	cases := map[string]struct {
		concurrency, wantProcesses int
	}{
		"One": {1, 1},
		"Two": {2, 2},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := newProcess(t, func(b *lambda.Bootstrap) { b.Concurrency = tc.concurrency })
			var mu sync.Mutex
			pids := map[float64]bool{}
			var calls sync.WaitGroup
			for range 8 {
				calls.Go(func() {
					pid := answer(t, invoke(t, p, `{}`))["pid"].(float64)
					mu.Lock()
					defer mu.Unlock()
					pids[pid] = true
				})
			}
			calls.Wait()
			if len(pids) > tc.wantProcesses {
				t.Errorf("%d processes, want at most %d", len(pids), tc.wantProcesses)
			}
		})
	}
}

func TestAbandonedCallGoesOn(t *testing.T) {
	var log safeBuffer
	p := newProcess(t, func(b *lambda.Bootstrap) { b.Log = &log })
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for !strings.Contains(log.String(), "START") && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	file := filepath.Join(t.TempDir(), "go-on")
	payload, _ := json.Marshal(map[string]string{"do": "wait", "message": file})
	if _, err := p.Invoke(ctx, payload, nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("Invoke = %v, want context.Canceled", err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := answer(t, invoke(t, p, `{}`)); got["calls"] != 2.0 {
		t.Errorf("next call = %v, want it served by the same process after the first call", got)
	}
}

func TestLogHasFunctionOutput(t *testing.T) {
	var log safeBuffer
	p := newProcess(t, func(b *lambda.Bootstrap) { b.Log = &log })
	result := invoke(t, p, `{"do":"print","message":"hello log"}`)
	if string(result.Log) != "hello log\n" {
		t.Errorf("tail = %q", result.Log)
	}
	want := "START RequestId: " + result.RequestID + " Version: $LATEST\nhello log\nEND RequestId: " + result.RequestID + "\n"
	if diff := cmp.Diff(want, log.String()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	if long := invoke(t, p, `{"do":"print","message":"`+strings.Repeat("x", 5000)+`"}`); len(long.Log) != 4096 {
		t.Errorf("tail of a long log has %d bytes, want 4096", len(long.Log))
	}
}

func TestStopEndsEveryProcessAndEveryCall(t *testing.T) {
	p := newProcess(t, func(b *lambda.Bootstrap) { b.Concurrency = 2 })
	pid := int(answer(t, invoke(t, p, `{}`))["pid"].(float64))
	ended := make(chan error, 1)
	started := make(chan struct{})
	go func() {
		close(started)
		_, err := p.Invoke(t.Context(), []byte(`{"do":"sleep"}`), nil)
		ended <- err
	}()
	<-started
	p.Stop()
	if err := <-ended; !errors.Is(err, lambda.ErrStopped) {
		t.Errorf("the call under way = %v, want ErrStopped", err)
	}
	if alive(pid) {
		t.Errorf("process %d outlived Stop", pid)
	}
	if _, err := p.Invoke(t.Context(), nil, nil); !errors.Is(err, lambda.ErrStopped) {
		t.Errorf("Invoke after Stop = %v, want ErrStopped", err)
	}
	p.Stop() // may be called again
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// safeBuffer is a log that is read while it is written.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
