package boot_test

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/eventtest"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
)

// deployable builds a main as `make build` does.
func deployable(t testing.TB, architecture, main string) string {
	t.Helper()
	cloudtest.NeedsProcesses(t)
	path := filepath.Join(t.TempDir(), "bootstrap")
	command := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-tags", "lambda.norpc", "-o", path, main)
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+architecture)
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", main, err, output)
	}
	return path
}

func start(t *testing.T, name, path string, env map[string]string, log *logged) *lambda.Process {
	t.Helper()
	process := lambda.NewProcess(lambda.Bootstrap{
		Settings: lambda.Settings{
			ARN: "arn:aws:lambda:us-east-1:111122223333:function:" + name, Timeout: 20 * time.Second, Log: log,
		},
		Path: path, Env: env,
	})
	t.Cleanup(process.Stop)
	return process
}

// logged is what a function printed.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// credentials let the SDK start; nothing is called with them.
var credentials = map[string]string{"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}

// answer is what a function is called with, and has to say.
type answer struct {
	reason, payload, context string
	want, fails              string
}

// answers is one of each function.
func answers(t *testing.T) map[string]answer {
	t.Helper()
	return map[string]answer{
		"echo":           {"the message comes back", string(eventtest.Payload(t, "echo-arguments")), string(eventtest.Payload(t, "echo-client-context")), `{"message":"Hello from account B"}`, ""},
		"table-changes":  {"a batch of nothing fails nothing", `{"Records":[]}`, "", `{"batchItemFailures":[]}`, ""},
		"gateway-events": {"a call that failed touched nothing", string(eventtest.Payload(t, "cloudtrail-put-resource-policy-failed")), "", `null`, ""},
		"organization":   {"a creation under way is about no account", string(eventtest.Payload(t, "organizations-create-account")), "", `null`, ""},
		"sweep":          {"an unknown sweep is a mistake in the schedule", `{"sweep":"chimneys"}`, "", "", `there is no sweep \"chimneys\" here`},
	}
}

// isGiven calls the function in the executable at path.
func (c answer) isGiven(t *testing.T, name, path string) {
	t.Helper()
	var log logged
	process := start(t, name, path, credentials, &log)
	var context []byte
	if c.context != "" {
		context = []byte(c.context)
	}
	result, err := process.Invoke(t.Context(), []byte(c.payload), context)
	if err != nil {
		t.Fatal(err)
	}
	process.Stop()
	if got := string(result.Payload); (result.FunctionError != "") != (c.fails != "") || c.fails == "" && got != c.want || !strings.Contains(got, c.fails) {
		t.Errorf("%s: got %s %s, want %s%s\n%s", c.reason, result.FunctionError, got, c.want, c.fails, log.String())
	}
}

func TestEveryFunctionRunsAsLambdaRunsIt(t *testing.T) {
	for name, answer := range answers(t) {
		t.Run(name, func(t *testing.T) {
			answer.isGiven(t, name, deployable(t, runtime.GOARCH, "../../"+name))
		})
	}
}

func TestMisconfiguredFunctionDoesNotStart(t *testing.T) {
	var log logged
	env := map[string]string{"SIZE_ACCOUNTING": "guessed", "TRUSTED_ACCOUNTS": "11112222333"}
	maps.Copy(env, credentials)
	process := start(t, "table-changes", deployable(t, runtime.GOARCH, "../../table-changes"), env, &log)
	result, err := process.Invoke(t.Context(), []byte(`{}`), nil)
	process.Stop()
	if err != nil || result.FunctionError == "" {
		t.Fatalf("got %s, %v", result.Payload, err)
	}
	for line := range strings.Lines(log.String()) {
		var logged struct{ Msg, Error string }
		if json.Unmarshal([]byte(line), &logged) == nil && logged.Msg == "function cannot start" {
			if !strings.Contains(logged.Error, "SIZE_ACCOUNTING") || !strings.Contains(logged.Error, "TRUSTED_ACCOUNTS") {
				t.Errorf("it says %q", logged.Error)
			}
			return
		}
	}
	t.Errorf("nothing says why:\n%s", log.String())
}
