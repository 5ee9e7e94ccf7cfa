package runner

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
)

// call invokes a function and decodes its answer.
func (w *world) call(t *testing.T, arn, payload string) map[string]any {
	t.Helper()
	f, err := w.Function(t.Context(), arn)
	if err != nil {
		t.Fatal(err)
	}
	result, err := f.Invoke(t.Context(), []byte(payload), nil)
	if err != nil || result.FunctionError != "" {
		t.Fatalf("%s: %v, %s", payload, err, result.Payload)
	}
	var answer map[string]any
	if err := json.Unmarshal(result.Payload, &answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

func (w *world) pid(t *testing.T) int {
	t.Helper()
	pid, _ := w.call(t, oneARN, `{}`)["pid"].(float64)
	return int(pid)
}

// refusalOf is how the call of a function is refused.
func (w *world) refusalOf(t *testing.T, arn string) error {
	t.Helper()
	f, err := w.Function(t.Context(), arn)
	if err != nil {
		return err
	}
	result, err := f.Invoke(t.Context(), []byte(`{}`), nil)
	if err == nil {
		t.Fatalf("it answers %s", result.Payload)
	}
	return err
}

func environment(t *testing.T, answer map[string]any) []string {
	t.Helper()
	list, _ := answer["environment"].([]any)
	var variables []string
	for _, v := range list {
		text, _ := v.(string)
		variables = append(variables, text)
	}
	return variables
}

func TestADeployedFunctionRunsInItsRole(t *testing.T) {
	w := newWorld(t)
	w.source.deploy(one(), theFunction(t))
	got := environment(t, w.call(t, oneARN+":$LATEST", `{"do":"environment"}`))
	for _, want := range []string{
		"NAME=value", "AWS_ACCESS_KEY_ID=" + oneRole + "/one", "AWS_SECRET_ACCESS_KEY=secret", "AWS_SESSION_TOKEN=token",
		"AWS_ENDPOINT_URL=http://127.0.0.1:1", "AWS_LAMBDA_FUNCTION_NAME=one", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128",
		"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/one", "AWS_LAMBDA_FUNCTION_VERSION=$LATEST", "_HANDLER=bootstrap", "AWS_REGION=us-east-1",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("environment lacks %s:\n%s", want, strings.Join(got, "\n"))
		}
	}
}

func TestCredentialsAreRenewedBeforeTheyEnd(t *testing.T) {
	w := newWorld(t)
	now := time.Now()
	w.Now = func() time.Time { return now }
	w.sessions.now = w.Now
	s := w.functionSession(one())
	for range 2 {
		if _, err := s.current(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if w.sessions.issued != 1 {
		t.Errorf("%d sessions, want one that is used twice", w.sessions.issued)
	}
	now = now.Add(sessionLifetime - renewBefore)
	got, err := w.environmentSession(t.Context(), s)
	if err != nil || w.sessions.issued != 2 {
		t.Errorf("%d sessions, %v; want a second one", w.sessions.issued, err)
	}
	if want := now.Add(sessionLifetime - renewBefore); !got.Until.Equal(want) {
		t.Errorf("an environment may go on until %s, want %s", got.Until, want)
	}
}

func TestFunctionThatCannotRunHasReason(t *testing.T) {
	none := 0
	cases := map[string]struct {
		reason string
		change func(*world, *cloud.DeployedFunction)
		code   []byte
		want   string
	}{
		"another runtime": {
			"only some are run", func(_ *world, d *cloud.DeployedFunction) { d.Runtime = "nodejs22.x" }, nil,
			`InvalidRuntimeException: The sandbox runs functions of the runtimes provided.* and python3.*; ` + oneARN + ` has runtime "nodejs22.x".`,
		},
		"no archive": {
			"its package is none", func(*world, *cloud.DeployedFunction) {}, []byte("text"),
			"InvalidZipFileException: Lambda could not unzip the deployment package of " + oneARN,
		},
		"no trust": {
			"its role is not Lambda's to assume", func(w *world, _ *cloud.DeployedFunction) { w.sessions.untrusted[oneRole] = true }, nil,
			"AccessDeniedException: The role defined for the function cannot be assumed by Lambda: " + oneRole,
		},
		"switched off": {
			"no concurrency is reserved for it", func(_ *world, d *cloud.DeployedFunction) { d.Reserved = &none }, nil,
			"Rate Exceeded.",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			d := one()
			c.change(w, &d)
			code := c.code
			if code == nil {
				code = theFunction(t)
			}
			w.source.deploy(d, code)
			if got := w.refusalOf(t, oneARN); !strings.HasPrefix(got.Error(), c.want) {
				t.Errorf("%s: got %q, want %q", c.reason, got, c.want)
			}
		})
	}
}

func TestWhatRunsFollowsWhatIsDeployed(t *testing.T) {
	w := newWorld(t)
	if err := w.refusalOf(t, oneARN); !errors.Is(err, lambda.ErrNotFound) {
		t.Errorf("before it is deployed: %v, want ErrNotFound", err)
	}
	w.source.deploy(one(), theFunction(t))
	first := w.pid(t)

	permitted := one()
	permitted.Policy = json.RawMessage(`{"Version":"2012-10-17","Statement":[]}`)
	w.source.deploy(permitted, theFunction(t))
	w.Redeployed()
	if again := w.pid(t); again != first {
		t.Error("a new policy restarts the function")
	}

	changed := permitted
	changed.Environment = map[string]string{"NAME": "other"}
	w.source.deploy(changed, theFunction(t))
	w.Redeployed()
	if got := environment(t, w.call(t, oneARN, `{"do":"environment"}`)); !slices.Contains(got, "NAME=other") {
		t.Errorf("after a change of its environment: %v", got)
	}
	eventually(t, "the first process ends", func() bool { return syscall.Kill(first, 0) != nil })

	w.source.deploy(changed, archive(t, entry{"bootstrap", 0o755, bootstrap}, entry{"new", 0o644, nil}))
	w.Redeployed()
	second := w.pid(t)
	eventually(t, "only the new code is left", func() bool { return len(directory(t, w.Code)) == 1 })

	w.source.change(func(d *cloud.Deployed) { d.Functions = nil })
	w.Redeployed()
	if err := w.refusalOf(t, oneARN); !errors.Is(err, lambda.ErrNotFound) {
		t.Errorf("after it was deleted: %v, want ErrNotFound", err)
	}
	eventually(t, "nothing is left", func() bool { return syscall.Kill(second, 0) != nil && len(directory(t, w.Code)) == 0 })
}

func directory(t *testing.T, path string) []os.DirEntry {
	t.Helper()
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

func TestAFailedReadingChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.source.deploy(one(), theFunction(t))
	pid := w.pid(t)
	w.source.mu.Lock()
	w.source.deployed, w.source.failure = cloud.Deployed{}, errors.New("no connection")
	w.source.mu.Unlock()
	if err := w.reconcile(t.Context()); err == nil {
		t.Error("a failed reading is no error")
	}
	if again := w.pid(t); again != pid {
		t.Error("the function was restarted")
	}
}

func TestCodeThatCannotBeReadIsTriedAgain(t *testing.T) {
	w := newWorld(t)
	w.source.deploy(one(), theFunction(t))
	code := w.source.zips[oneARN]
	delete(w.source.zips, oneARN)
	if err := w.refusalOf(t, oneARN); !errors.Is(err, lambda.ErrNotFound) {
		t.Errorf("without its code: %v", err)
	}
	w.source.zips[oneARN] = []byte("of the next version")
	if err := w.refusalOf(t, oneARN); !errors.Is(err, lambda.ErrNotFound) || !strings.Contains(w.log.String(), "has changed while it was read") {
		t.Errorf("with another version's code: %v", err)
	}
	w.source.zips[oneARN] = code
	w.pid(t)
}

func TestACrashIsAFailedCall(t *testing.T) {
	w := newWorld(t)
	w.source.deploy(one(), theFunction(t))
	f, err := w.Function(t.Context(), oneARN)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan lambda.Result, 1)
	go func() {
		result, err := f.Invoke(t.Context(), []byte(`{"do":"sleep"}`), nil)
		if err != nil {
			t.Error(err)
		}
		ended <- result
	}()
	eventually(t, "an environment to crash", func() bool { return w.Crash(oneARN) == 1 })
	if result := <-ended; result.FunctionError != "Unhandled" || !strings.Contains(string(result.Payload), "Runtime.ExitError") {
		t.Errorf("the call ends with %q %s", result.FunctionError, result.Payload)
	}
	if n := w.Crash("arn:aws:lambda:us-east-1:111122223333:function:nobody"); n != 0 {
		t.Errorf("%d environments of no function crashed", n)
	}
}

func TestStopLeavesNothing(t *testing.T) {
	w := newWorld(t)
	w.source.deploy(one(), theFunction(t))
	pid := w.pid(t)
	f, err := w.Function(t.Context(), oneARN)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := f.Invoke(t.Context(), []byte(`{"do":"sleep"}`), nil)
		ended <- err
	}()
	w.Stop()
	if err := <-ended; !errors.Is(err, lambda.ErrStopped) {
		t.Errorf("the call under way: %v, want ErrStopped", err)
	}
	if syscall.Kill(pid, 0) == nil {
		t.Error("its process has outlived it")
	}
	if left := directory(t, w.Code); len(left) != 0 {
		t.Errorf("%d directories of code are left", len(left))
	}
	if _, err := w.Function(t.Context(), oneARN); !errors.Is(err, lambda.ErrNotFound) {
		t.Errorf("after it: %v, want ErrNotFound", err)
	}
}

// post hands an event over as moto does.
func (w *world) post(t *testing.T, match cloud.RuleMatch) {
	t.Helper()
	body, err := json.Marshal(match)
	if err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	w.Events().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(string(body))))
	if answer.Code != http.StatusAccepted {
		t.Errorf("answer %d: %s", answer.Code, answer.Body)
	}
}

func TestARuleNeedsTheFunctionsPermission(t *testing.T) {
	permission := func(source string) json.RawMessage {
		return json.RawMessage(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},` +
			`"Action":"lambda:InvokeFunction","Resource":"` + oneARN + `","Condition":{"ArnLike":{"AWS:SourceArn":"` + source + `"}}}]}`)
	}
	cases := map[string]struct {
		reason string
		policy json.RawMessage
		calls  int
	}{
		"permitted":         {"the policy names the rule", permission(oneRule), 1},
		"another rule":      {"the policy names another", permission(oneRule + "-other"), 0},
		"no policy":         {"a service has no other permission", nil, 0},
		"permitted to some": {"a pattern may name it", permission("arn:aws:events:*:111122223333:rule/*"), 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			var recorded []bool
			w.Record = func(_ policy.Call, d policy.Decision) { recorded = append(recorded, d.Allowed) }
			d := one()
			d.Policy = c.policy
			w.source.deploy(d, theFunction(t))
			w.post(t, cloud.RuleMatch{Rule: oneRule, Target: oneARN, Event: json.RawMessage(`{"do":"print","message":"picked"}`)})
			dropped := func() bool { return strings.Contains(w.log.String(), "event dropped") }
			printed := func() bool { return strings.Contains(w.functionLog(t), "picked") }
			eventually(t, "the event ends", func() bool { return dropped() || printed() })
			if printed() != (c.calls == 1) || dropped() == printed() {
				t.Errorf("%s: the function got it: %t, and it was dropped: %t", c.reason, printed(), dropped())
			}
			if len(recorded) != 1 || recorded[0] != (c.calls == 1) {
				t.Errorf("%s: recorded decisions %v", c.reason, recorded)
			}
		})
	}
}

// functionLog is what the function has printed.
func (w *world) functionLog(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(w.Logs + "/lambda-111122223333-us-east-1-one.log")
	if err != nil {
		return ""
	}
	return string(text)
}

func TestAnEventThatCannotBeReadIsRefused(t *testing.T) {
	w := newWorld(t)
	answer := httptest.NewRecorder()
	w.Events().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader("{")))
	if answer.Code != http.StatusBadRequest {
		t.Errorf("answer %d, want 400", answer.Code)
	}
}
