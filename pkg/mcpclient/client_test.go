package mcpclient_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/gateway-grants/gateway-grants/pkg/mcpclient"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/sigv4"
)

var (
	noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	key  = iam.AccessKey{ID: "ASIAEXAMPLE", Secret: "secret", SessionToken: "token", Expires: noon.Add(time.Hour)}
)

type oneKey struct{}

func (oneKey) AccessKey(_ context.Context, id string) (iam.AccessKey, error) {
	if id != key.ID {
		return iam.AccessKey{}, iam.ErrNotFound
	}
	return key, nil
}

func options(change ...func(*mcpclient.Options)) mcpclient.Options {
	o := mcpclient.Options{
		Credentials: credentials.NewStaticCredentialsProvider(key.ID, key.Secret, key.SessionToken),
		Region:      "us-east-1",
		Now:         func() time.Time { return noon },
	}
	for _, c := range change {
		c(&o)
	}
	return o
}

// serve answers with the handler and counts the requests that reach it.
func serve(t *testing.T, handler http.HandlerFunc) (url string, requests *atomic.Int32) {
	t.Helper()
	requests = &atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		handler(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/mcp", requests
}

// mcpServer has a tool that greets.
func mcpServer(versions ...string) http.Handler {
	server := mcp.NewServer(&mcp.Implementation{Name: "test"}, &mcp.ServerOptions{SupportedProtocolVersions: versions})
	server.AddTool(&mcp.Tool{Name: "greet", InputSchema: map[string]any{"type": "object"}}, func(_ context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "hello " + string(r.Params.Arguments)}}}, nil
	})
	return mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, &mcp.StreamableHTTPOptions{Stateless: true, JSONResponse: true})
}

func TestEveryRequestIsSigned(t *testing.T) {
	verifier := &sigv4.Verifier{Keys: oneKey{}, Now: func() time.Time { return noon }}
	server := mcpServer()
	url, requests := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if _, err := verifier.Verify(r, sigv4.Expect{Service: "bedrock-agentcore", Region: "us-east-1", MaxBody: 1 << 20}); err != nil {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
		}
		server.ServeHTTP(w, r)
	})
	for _, version := range []string{"", "2025-03-26", "2025-11-25"} {
		client, err := mcpclient.Connect(t.Context(), url, options(func(o *mcpclient.Options) { o.ProtocolVersion = version }))
		if err != nil {
			t.Fatal(err)
		}
		if version != "" && client.ProtocolVersion() != version {
			t.Errorf("version %s, want %s", client.ProtocolVersion(), version)
		}
		tools, err := client.Tools(t.Context())
		if err != nil || len(tools) != 1 || tools[0].Name != "greet" {
			t.Errorf("tools = %v, %v", tools, err)
		}
		result, err := client.Call(t.Context(), "greet", map[string]any{"name": "Ada"})
		if err != nil {
			t.Fatal(err)
		}
		if text := result.Content[0].(*mcp.TextContent).Text; text != `hello {"name":"Ada"}` {
			t.Errorf("result = %s", text)
		}
		if err := client.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if requests.Load() == 0 {
		t.Error("no request was made")
	}
}

func TestRefusalHasItsBody(t *testing.T) {
	cases := map[string]struct {
		reason   string
		status   int
		body     string
		requests int32
		denied   bool
	}{
		"Unauthorized": {"asking again in another version would not help", 401, `{"error":"Missing Authentication Token"}`, 1, true},
		"Forbidden":    {"asking again in another version would not help", 403, `{"jsonrpc":"2.0","error":{"code":-32002,"message":"Insufficient permissions"},"id":1}`, 1, true},
		"Plain":        {"a body need not be JSON", 403, "blocked by the firewall\n", 1, true},
		"Empty":        {"there need not be a body", 403, "", 1, true},
		"NotFound":     {"an older server may not know server/discover", 404, "no such gateway", 2, false},
		"BadRequest":   {"an older server may not know server/discover", 400, `{"jsonrpc":"2.0","error":{"code":-32600,"message":"no"},"id":1}`, 2, false},
		"Throttled":    {"asking again at once makes it worse", 429, `slow down`, 1, false},
		"Internal":     {"the server failed", 500, "oops", 1, false},
		"Unavailable":  {"the server failed", 503, "later", 1, false},
		"Redirect":     {"a signature is for one host", 307, "elsewhere", 2, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			url, requests := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.body)
			})
			_, err := mcpclient.Connect(t.Context(), url, options())
			var refused *mcpclient.RefusedError
			if !errors.As(err, &refused) {
				t.Fatalf("%s: %v, want a RefusedError", tc.reason, err)
			}
			want := &mcpclient.RefusedError{Status: tc.status, URL: url, Body: tc.body}
			if diff := cmp.Diff(want, refused); diff != "" || refused.Denied() != tc.denied {
				t.Errorf("%s: denied %v (-want +got):\n%s", tc.reason, refused.Denied(), diff)
			}
			if got := requests.Load(); got != tc.requests {
				t.Errorf("%s: %d requests, want %d", tc.reason, got, tc.requests)
			}
			sentence := fmt.Sprintf("%d %s for url '%s'", tc.status, http.StatusText(tc.status), url)
			if !strings.Contains(err.Error(), sentence) || !strings.HasSuffix(err.Error(), strings.TrimSpace(tc.body)) {
				t.Errorf("%s: %q", tc.reason, err)
			}
		})
	}
}

func TestALongRefusalIsCut(t *testing.T) {
	url, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, strings.Repeat("x", 1<<20))
	})
	_, err := mcpclient.Connect(t.Context(), url, options())
	var refused *mcpclient.RefusedError
	if !errors.As(err, &refused) || len(refused.Body) != 64<<10 {
		t.Errorf("%.100v, want 64 KB of the body", err)
	}
}

func TestAConnectionSurvivesARefusal(t *testing.T) {
	var closed atomic.Bool
	server := mcpServer()
	url, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if closed.Load() {
			http.Error(w, "closed", http.StatusForbidden)
			return
		}
		server.ServeHTTP(w, r)
	})
	client, err := mcpclient.Connect(t.Context(), url, options())
	if err != nil {
		t.Fatal(err)
	}
	closed.Store(true)
	var refused *mcpclient.RefusedError
	if _, err := client.Tools(t.Context()); !errors.As(err, &refused) {
		t.Errorf("Tools = %v, want a RefusedError", err)
	}
	if _, err := client.Call(t.Context(), "greet", nil); !errors.As(err, &refused) {
		t.Errorf("Call = %v, want a RefusedError", err)
	}
	closed.Store(false)
	if tools, err := client.Tools(t.Context()); err != nil || len(tools) != 1 {
		t.Errorf("Tools once it is open again = %v, %v", tools, err)
	}
}

func TestAnOlderServerIsSpokenToInItsVersion(t *testing.T) {
	server := mcpServer("2025-06-18", "2025-03-26")
	url, _ := serve(t, server.ServeHTTP)
	client, err := mcpclient.Connect(t.Context(), url, options())
	if err != nil {
		t.Fatal(err)
	}
	if got := client.ProtocolVersion(); got != "2025-06-18" {
		t.Errorf("version %s, want the server's newest", got)
	}
	if tools, err := client.Tools(t.Context()); err != nil || len(tools) != 1 {
		t.Errorf("tools = %v, %v", tools, err)
	}
}

func TestSilenceIsNoRefusal(t *testing.T) {
	cases := map[string]http.HandlerFunc{
		"NoAnswer": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"HalfAnAnswer": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, "half")
			panic(http.ErrAbortHandler)
		},
	}
	for name, handler := range cases {
		t.Run(name, func(t *testing.T) {
			url, _ := serve(t, handler)
			_, err := mcpclient.Connect(t.Context(), url, options())
			var unreachable *mcpclient.UnreachableError
			if !errors.As(err, &unreachable) || unreachable.URL != url {
				t.Errorf("%v, want an UnreachableError", err)
			}
		})
	}
	t.Run("Cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := mcpclient.Connect(ctx, "http://127.0.0.1:1/mcp", options()); !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want context.Canceled", err)
		}
	})
}

func TestWithoutCredentialsNothingIsSent(t *testing.T) {
	url, requests := serve(t, func(http.ResponseWriter, *http.Request) {})
	cause := errors.New("no profile")
	_, err := mcpclient.Connect(t.Context(), url, options(func(o *mcpclient.Options) {
		o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, cause })
	}))
	if !errors.Is(err, cause) || requests.Load() != 0 {
		t.Errorf("%v after %d requests, want the provider's error after none", err, requests.Load())
	}
	if _, err := mcpclient.Connect(t.Context(), url, mcpclient.Options{Region: "us-east-1"}); err == nil {
		t.Error("no provider was accepted")
	}
}

func TestRegionComesFromHostUnlessGiven(t *testing.T) {
	var authorization atomic.Value
	seen := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		authorization.Store(r.Header.Get("Authorization"))
		return nil, errors.New("seen")
	})}
	cases := map[string]struct{ url, given, want string }{
		"Host":       {"https://gw-abc.gateway.bedrock-agentcore.eu-west-1.amazonaws.com/mcp", "", "eu-west-1"},
		"Given":      {"https://gw-abc.gateway.bedrock-agentcore.eu-west-1.amazonaws.com/mcp", "us-east-1", "us-east-1"},
		"Loopback":   {"http://127.0.0.1:4566/gateway/gw/mcp", "us-east-1", "us-east-1"},
		"NoRegion":   {"http://127.0.0.1:4566/gateway/gw/mcp", "", ""},
		"OtherHost":  {"https://gw.gateway.bedrock-agentcore.eu-west-1.amazonaws.com.example.org/mcp", "", ""},
		"NotAbsolut": {"gw-abc/mcp", "us-east-1", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			authorization.Store("")
			_, err := mcpclient.Connect(t.Context(), tc.url, options(func(o *mcpclient.Options) { o.Region, o.HTTPClient = tc.given, seen }))
			signed := authorization.Load().(string)
			if tc.want == "" {
				if signed != "" || err == nil {
					t.Errorf("%v, signed %q; want nothing sent", err, signed)
				}
				return
			}
			if scope := "/20260102/" + tc.want + "/bedrock-agentcore/aws4_request"; !strings.Contains(signed, scope) {
				t.Errorf("signed %q, want the scope %s", signed, scope)
			}
		})
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
