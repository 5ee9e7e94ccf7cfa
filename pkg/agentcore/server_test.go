package agentcore

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

const (
	account   = "111122223333"
	gatewayID = "cross-account-test-abcdefghij"
	tagged    = `{"tags":{"gateway-grants:managed":"true","team":"platform"}}`
)

func theGateway(t *testing.T) grant.Gateway {
	t.Helper()
	gateway, err := grant.ParseGateway("arn:aws:bedrock-agentcore:us-east-1:" + account + ":gateway/" + gatewayID)
	if err != nil {
		t.Fatal(err)
	}
	return gateway
}

// service answers for AgentCore, each call as the test says, and keeps what was
// asked of it.
type service struct {
	*httptest.Server
	answers map[string]answer

	mu    sync.Mutex
	asked []string
	sent  []string // the bodies
}

// answer serves a call; the key under which a service has it is its method and
// path, an ARN in the path spelt out.
type answer func(w http.ResponseWriter, r *http.Request)

func serve(t *testing.T, answers map[string]answer) *service {
	t.Helper()
	s := &service{answers: answers}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, err := url.PathUnescape(r.URL.EscapedPath())
	if err != nil {
		path = r.URL.Path
	}
	call := r.Method + " " + path
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.asked = append(s.asked, call)
	s.sent = append(s.sent, string(body))
	s.mu.Unlock()
	give, ok := s.answers[call]
	if !ok {
		refuse(http.StatusNotFound, "ResourceNotFoundException", "nothing at "+call)(w, r)
		return
	}
	give(w, r)
}

func (s *service) calls(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, call := range s.asked {
		if call == name {
			n++
		}
	}
	return n
}

func say(status int, body string) answer {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func refuse(status int, code, message string) answer {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Amzn-Errortype", code)
		text, _ := json.Marshal(map[string]string{"message": message})
		say(status, string(text))(w, r)
	}
}

// hangUp ends the connection after the request was read and before any answer.
func hangUp(w http.ResponseWriter, _ *http.Request) {
	connection, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = connection.Close()
	}
}

// breakOff ends the connection in the middle of a successful answer.
func breakOff(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, `{"policy":"{`)
	panic(http.ErrAbortHandler)
}

// stall answers only when the caller is gone.
func stall(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func configFor(endpoint string) aws.Config {
	return aws.Config{
		Region:       "us-east-1",
		BaseEndpoint: aws.String(endpoint),
		Credentials:  credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "secret", ""),
		// Three tries, as by default, without the pauses.
		Retryer: func() aws.Retryer { return promptly{aws.NopRetryer{}} },
	}
}

// promptly tries again at once what the SDK would try again after a pause.
type promptly struct{ aws.NopRetryer }

func (promptly) IsErrorRetryable(error) bool                  { return true }
func (promptly) MaxAttempts() int                             { return 3 }
func (promptly) RetryDelay(int, error) (time.Duration, error) { return 0, nil }
func (promptly) GetAttemptToken(context.Context) (func(error) error, error) {
	return func(error) error { return nil }, nil
}

// frozen is a clock that moves only by sleeping.
type frozen struct {
	mu    sync.Mutex
	now   time.Time
	slept time.Duration
}

func newFrozen() *frozen { return &frozen{now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)} }

func (f *frozen) clock() Clock {
	return Clock{
		Now: func() time.Time {
			f.mu.Lock()
			defer f.mu.Unlock()
			return f.now
		},
		Sleep: func(ctx context.Context, d time.Duration) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.now = f.now.Add(d)
			f.slept += d
			return ctx.Err()
		},
	}
}

func gatewaysAt(s *service, regions ...string) (*Gateways, *frozen) {
	clock := newFrozen()
	g := New(configFor(s.URL), Deployment{Regions: regions})
	g.clock = clock.clock()
	return g, clock
}

// oneAtATime keeps an answer that writes to the test's variables from running
// twice at once.
func oneAtATime(give answer) answer {
	var mu sync.Mutex
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		give(w, r)
	}
}
