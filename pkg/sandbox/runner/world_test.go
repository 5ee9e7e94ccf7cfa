package runner

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
)

const (
	account  = "111122223333"
	oneARN   = "arn:aws:lambda:us-east-1:111122223333:function:one"
	oneRole  = "arn:aws:iam::111122223333:role/one"
	deadARN  = "arn:aws:sqs:us-east-1:111122223333:dead"
	oneRule  = "arn:aws:events:us-east-1:111122223333:rule/one"
	schedARN = "arn:aws:scheduler:us-east-1:111122223333:schedule/group/one"
)

// bootstrap is the compiled function of package lambda's tests.
var bootstrap []byte

func TestMain(m *testing.M) {
	os.Exit(func() int {
		directory, err := os.MkdirTemp("", "bootstrap-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(directory)
		path := filepath.Join(directory, "bootstrap")
		build := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", path, "../lambda/testdata/function")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if output, err := build.CombinedOutput(); err != nil {
			panic(string(output))
		}
		if bootstrap, err = os.ReadFile(path); err != nil {
			panic(err)
		}
		return m.Run()
	}())
}

// source is what is deployed, in memory.
type source struct {
	mu       sync.Mutex
	deployed cloud.Deployed
	zips     map[string][]byte // by function
	failure  error
	readings int
}

func (s *source) Deployed(context.Context) (cloud.Deployed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readings++
	return s.deployed, s.failure
}

func (s *source) Code(_ context.Context, function string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if code, ok := s.zips[function]; ok {
		return code, nil
	}
	return nil, errors.New("there is no code")
}

func (s *source) change(how func(*cloud.Deployed)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	how(&s.deployed)
}

// deploy adds a function, or replaces it.
func (s *source) deploy(d cloud.DeployedFunction, code []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := sha256.Sum256(code)
	d.Code = base64.StdEncoding.EncodeToString(sum[:])
	s.zips[d.ARN] = code
	kept := []cloud.DeployedFunction{d}
	for _, other := range s.deployed.Functions {
		if other.ARN != d.ARN {
			kept = append(kept, other)
		}
	}
	s.deployed.Functions = kept
}

// sessions trusts every service with every role but those in its list.
type sessions struct {
	mu        sync.Mutex
	untrusted map[string]bool
	issued    int
	contexts  []map[string][]string
	now       func() time.Time
}

func (s *sessions) ServiceSession(_ context.Context, _ string, with map[string][]string, role, name string, lifetime time.Duration) (iam.AccessKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.untrusted[role] {
		return iam.AccessKey{}, cloud.ErrNotTrusted
	}
	s.issued++
	s.contexts = append(s.contexts, with)
	return iam.AccessKey{ID: role + "/" + name, Secret: "secret", SessionToken: "token", Expires: s.now().Add(lifetime)}, nil
}

// said is what services have said of what they act for.
func (s *sessions) said() []map[string][]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.contexts)
}

// sent is a message that was sent to a queue.
type sent struct {
	queue, body string
	attributes  map[string]string
}

// world is a runner with everything around it in memory.
type world struct {
	*Runner
	source   *source
	sessions *sessions
	log      *lockedBuffer

	mu       sync.Mutex
	messages []sent
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(text)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		source:   &source{zips: map[string][]byte{}},
		sessions: &sessions{untrusted: map[string]bool{}, now: time.Now},
		log:      &lockedBuffer{},
	}
	w.Runner = New(Options{
		Source: w.source, Sessions: w.sessions, Endpoint: "http://127.0.0.1:1", Python: "python3",
		Code: filepath.Join(t.TempDir(), "code"), Logs: t.TempDir(), Log: slog.New(slog.NewTextHandler(w.log, nil)), Now: time.Now,
	})
	w.send = func(_ context.Context, _ credentials, queue, body string, attributes map[string]string) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.messages = append(w.messages, sent{queue, body, attributes})
		return nil
	}
	t.Cleanup(w.Stop)
	return w
}

func (w *world) sentMessages() []sent {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]sent(nil), w.messages...)
}

// one is a function that is deployed as is usual.
func one() cloud.DeployedFunction {
	return cloud.DeployedFunction{
		ARN: oneARN, Role: oneRole, Runtime: "provided.al2023", Handler: "bootstrap", Timeout: 30, Memory: 128,
		Environment: map[string]string{"NAME": "value"}, LogGroup: "/aws/lambda/one", LogFormat: "Text",
	}
}

type entry struct {
	name string
	mode fs.FileMode
	text []byte
}

func archive(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var buffer bytes.Buffer
	writer := zip.NewWriter(&buffer)
	for _, e := range entries {
		header := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		header.SetMode(e.mode)
		file, err := writer.CreateHeader(header)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.Write(e.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

// theFunction is the zip of the compiled function.
func theFunction(t *testing.T) []byte {
	t.Helper()
	return archive(t, entry{"bootstrap", 0o755, bootstrap})
}

// scripted is a process that gives the answers in its script.
type scripted struct {
	mu      sync.Mutex
	calls   int
	answers func(call int) (lambda.Result, error)
	stopped bool
}

func (s *scripted) Invoke(context.Context, []byte, []byte) (lambda.Result, error) {
	s.mu.Lock()
	s.calls++
	call, answers := s.calls, s.answers
	s.mu.Unlock()
	return answers(call)
}

func (s *scripted) Crash() int { return 0 }
func (s *scripted) Retire()    { s.Stop() }

func (s *scripted) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
}

func (s *scripted) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// with makes the function known with a process of the test's own.
func (w *world) with(d cloud.DeployedFunction, p process) *function {
	f := newFunction(w.Runner, d.ARN)
	f.replace(d, replacement{session: w.functionSession(d), started: true, process: p})
	w.add(f)
	return f
}
