package lambda_test

import (
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
)

func TestProcessHasDeploymentVariables(t *testing.T) {
	p := newProcess(t, func(b *lambda.Bootstrap) {
		b.Runtime, b.Handler, b.Memory, b.LogGroup, b.LogFormat = "provided.al2", "main", 512, "/of/its/own", "JSON"
		b.Root = t.TempDir()
	})
	var got struct{ Environment []string }
	if err := json.Unmarshal(invoke(t, p, `{"do":"environment"}`).Payload, &got); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"AWS_EXECUTION_ENV=AWS_Lambda_provided.al2", "_HANDLER=main", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512",
		"AWS_LAMBDA_LOG_GROUP_NAME=/of/its/own", "AWS_LAMBDA_LOG_FORMAT=JSON", "AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
	} {
		if !slices.Contains(got.Environment, want) {
			t.Errorf("environment lacks %s:\n%s", want, strings.Join(got.Environment, "\n"))
		}
	}
}

func TestEnvironmentIsReplacedAtSessionEnd(t *testing.T) {
	var keys []string
	until := time.Now().Add(time.Hour)
	p := newProcess(t, func(b *lambda.Bootstrap) {
		b.Session = func(context.Context) (lambda.Session, error) {
			keys = append(keys, "key")
			return lambda.Session{Env: map[string]string{"KEY": strings.Join(keys, "-")}, Until: until}, nil
		}
	})
	keyOf := func() string {
		var got struct{ Environment []string }
		if err := json.Unmarshal(invoke(t, p, `{"do":"environment"}`).Payload, &got); err != nil {
			t.Fatal(err)
		}
		for _, variable := range got.Environment {
			if key, ok := strings.CutPrefix(variable, "KEY="); ok {
				return key
			}
		}
		return ""
	}
	got := []string{keyOf(), keyOf()}
	p.Crash() // the next environment gets a session that has ended before its second call
	until = time.Now()
	got = append(got, keyOf(), keyOf())
	if diff := cmp.Diff([]string{"key", "key", "key-key", "key-key-key"}, got); diff != "" {
		t.Errorf("sessions (-want +got):\n%s", diff)
	}
}

func TestACallOfAFunctionWithoutASessionIsRefused(t *testing.T) {
	refusal := &lambda.Error{Status: 403, Code: "AccessDeniedException", Message: "no such role"}
	p := newProcess(t, func(b *lambda.Bootstrap) {
		b.Session = func(context.Context) (lambda.Session, error) { return lambda.Session{}, refusal }
	})
	if _, err := p.Invoke(t.Context(), []byte(`{}`), nil); !errors.Is(err, refusal) {
		t.Errorf("got %v, want the session's refusal", err)
	}
}

// stream is a log stream in memory.
type stream struct {
	safeBuffer
	name   string
	closed bool
}

func (s *stream) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

func TestLogStreamOfEachEnvironment(t *testing.T) {
	var streams []*stream
	p := newProcess(t, func(b *lambda.Bootstrap) {
		b.LogFormat = "JSON"
		b.Stream = func(name string) io.WriteCloser {
			streams = append(streams, &stream{name: name})
			return streams[len(streams)-1]
		}
	})
	result := invoke(t, p, `{"do":"print","message":"{\"msg\":\"hello\"}"}`)
	p.Crash()
	invoke(t, p, `{"do":"print","message":"{\"msg\":\"again\"}"}`)

	if len(streams) != 2 || !streams[0].closed || streams[1].closed || streams[0].name == streams[1].name {
		t.Fatalf("want two streams, the first one closed, got %+v", streams)
	}
	if form := regexp.MustCompile(`^\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}$`); !form.MatchString(streams[0].name) {
		t.Errorf("stream is called %s", streams[0].name)
	}
	var kinds []string
	for line := range strings.Lines(streams[0].String()) {
		var entry struct {
			Msg, Type string
			Record    struct{ RequestID string }
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if entry.Type != "" && entry.Record.RequestID != result.RequestID {
			t.Errorf("%s: want request %s", line, result.RequestID)
		}
		kinds = append(kinds, entry.Msg+entry.Type)
	}
	if diff := cmp.Diff([]string{"platform.start", "hello", "platform.report"}, kinds); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

// begin starts a call that waits for a file, and returns when it runs.
func begin(t *testing.T, p *lambda.Process, log *safeBuffer, file string) (ended <-chan lambda.Result) {
	t.Helper()
	results := make(chan lambda.Result, 1)
	payload, err := json.Marshal(map[string]string{"do": "wait", "message": file})
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		result, err := p.Invoke(t.Context(), payload, nil)
		if err != nil {
			t.Errorf("the call under way: %v", err)
		}
		results <- result
	})
	t.Cleanup(running.Wait)
	for !strings.Contains(log.String(), "START") {
		time.Sleep(time.Millisecond)
	}
	return results
}

func TestCrashFailsOnlyTheCallInProgress(t *testing.T) {
	var log safeBuffer
	p := newProcess(t, func(b *lambda.Bootstrap) { b.Log = &log })
	ended := begin(t, p, &log, "/nonexistent")
	if n := p.Crash(); n != 1 {
		t.Errorf("%d environments crashed, want 1", n)
	}
	if errorType, message := errorOf(t, <-ended); errorType != "Runtime.ExitError" || !strings.Contains(message, "signal: killed") {
		t.Errorf("the call under way: %s: %s", errorType, message)
	}
	if got := answer(t, invoke(t, p, `{"message":"hello"}`)); got["echo"] != "hello" || got["calls"] != 1.0 {
		t.Errorf("the next call = %v, want it served by a new process", got)
	}
}

func TestWarmEnvironmentIsUsedFirst(t *testing.T) {
	p := newProcess(t, func(b *lambda.Bootstrap) { b.Concurrency = 5 })
	for want := 1.0; want <= 4; want++ {
		if got := answer(t, invoke(t, p, `{}`))["calls"]; got != want {
			t.Errorf("call %v is its environment's call %v", want, got)
		}
	}
}

func TestARetiredProcessEndsWhatItHasBegun(t *testing.T) {
	var log safeBuffer
	p := newProcess(t, func(b *lambda.Bootstrap) { b.Log = &log })
	file := filepath.Join(t.TempDir(), "go-on")
	ended := begin(t, p, &log, file)
	retired := make(chan struct{})
	go func() {
		p.Retire()
		close(retired)
	}()
	if _, err := p.Invoke(t.Context(), nil, nil); !errors.Is(err, lambda.ErrStopped) {
		t.Errorf("a later call = %v, want ErrStopped", err)
	}
	select {
	case <-retired:
		t.Error("it has retired in the midst of a call")
	default:
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	pid := int(answer(t, <-ended)["pid"].(float64))
	<-retired
	if alive(pid) {
		t.Errorf("process %d outlived its function", pid)
	}
}

func TestExecutableOfOtherArchitectureIsRefused(t *testing.T) {
	file, err := elf.Open(bootstrap)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	own, other, machine := "x86_64", "arm64", elf.EM_AARCH64
	if file.Machine == elf.EM_AARCH64 {
		own, other, machine = other, own, elf.EM_X86_64
	}
	text, err := os.ReadFile(bootstrap)
	if err != nil {
		t.Fatal(err)
	}
	const machineAt = 18 // in the header of an ELF file
	text[machineAt] = byte(machine)
	foreign := filepath.Join(t.TempDir(), "bootstrap")
	if err := os.WriteFile(foreign, text, 0o700); err != nil {
		t.Fatal(err)
	}

	p := newProcess(t, func(b *lambda.Bootstrap) { b.Architecture = other })
	if errorType, message := errorOf(t, invoke(t, p, `{}`)); errorType != "Runtime.InvalidEntrypoint" || !strings.Contains(message, "is built for "+own+", and the function's architecture is "+other) {
		t.Errorf("deployed for another: %s: %s", errorType, message)
	}
	p = newProcess(t, func(b *lambda.Bootstrap) { b.Path, b.Architecture = foreign, other })
	if errorType, message := errorOf(t, invoke(t, p, `{}`)); errorType != "Runtime.InvalidEntrypoint" && errorType != "Runtime.ExitError" {
		t.Errorf("of another machine: %s: %s", errorType, message)
	}
}
