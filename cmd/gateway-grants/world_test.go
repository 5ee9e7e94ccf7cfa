package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/gateway-grants/gateway-grants/pkg/agentcore"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/handler"
	"github.com/gateway-grants/gateway-grants/pkg/noticetest"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/control"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/gateway"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/sigv4"
	"github.com/gateway-grants/gateway-grants/pkg/settings"
	"github.com/gateway-grants/gateway-grants/pkg/store/memory"
)

const (
	accountA = "111122223333" // has the gateways and the tables
	accountB = "444455556666" // calls
	region   = "us-east-1"

	echoARN = "arn:aws:lambda:us-east-1:111122223333:function:echo"
	roleARN = "arn:aws:iam::111122223333:role/GatewayRole"

	allowAll    = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	trustNobody = `{"Version":"2012-10-17","Statement":[]}`
)

// world is AWS with two accounts, over real HTTP and real signatures, and the
// tables in memory. It has the profiles account-a, account-b, agent-b (another
// role of account B) and stranger (whose key nobody knows).
type world struct {
	t            testing.TB
	url          string
	model        *model.Service
	directory    *iam.Directory
	grants       *memory.Grants
	states       *memory.States
	accounts     *memory.Accounts
	bus          *noticetest.Recorder
	stacks       stackServer
	organization members

	rates   map[model.RateGroup]int // of AWS; nil for none
	still   time.Time               // when a clock stands that only waiting moves; zero for the machine's
	mu      sync.Mutex
	decided policy.Decision                     // of the last call that was decided
	ahead   time.Duration                       // of the machine's clock
	written []string                            // method and path of every change asked of the control plane
	asked   func(r *http.Request) (denied bool) // sees every request first; nil for none
}

func newWorld(t *testing.T, quirks ...model.Quirk) *world {
	t.Helper()
	return worldWithin(t, nil, quirks...)
}

// worldWithin is a world whose AWS takes only so many calls a second, by a clock that
// only waiting moves: a busy machine does not bunch the calls.
func worldWithin(t testing.TB, rates map[model.RateGroup]int, quirks ...model.Quirk) *world {
	t.Helper()
	w := &world{
		t: t, rates: rates, directory: iam.NewDirectory(time.Now), bus: &noticetest.Recorder{},
		states: memory.NewStates(memory.Config{}), accounts: memory.NewAccounts(memory.Config{}),
	}
	w.grants = memory.NewGrants(memory.Config{Now: w.now})
	if rates != nil {
		w.still = time.Now()
	}
	w.stacks.add("gateway-grants", nil)
	w.must(w.grants.PutSentinel(t.Context()))
	w.must(w.accounts.PutListSentinels(t.Context()))
	for _, account := range []string{accountA, accountB} {
		w.must(w.directory.AddAccount(account))
	}
	for _, role := range []struct{ account, name, identity string }{
		{accountA, "GatewayRole", allowAll}, {accountA, "AdminRole", allowAll},
		{accountB, "AdminRole", allowAll}, {accountB, "AgentRole", allowAll},
	} {
		made, err := w.directory.CreateRole(role.account, "/", role.name, w.parse(trustNobody))
		w.must(err)
		w.must(w.directory.PutPolicy(made.ARN, "identity", w.parse(role.identity)))
	}
	w.serve(quirks)
	w.environment()
	return w
}

// serve puts everything behind one endpoint, told apart by the service that a
// request was signed for.
func (w *world) serve(quirks model.Quirks) {
	var route http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { route.ServeHTTP(rw, r) }))
	w.t.Cleanup(server.Close)
	server.Config.SetKeepAlivesEnabled(false) // each run has connections of its own
	w.url = server.URL
	w.model = model.New(model.Options{
		Now: w.now, Region: region, Principals: w.directory, SettleAfter: 3 * time.Second, Quirks: quirks,
		Rates:      w.rates,
		GatewayURL: func(id string) string { return server.URL + gateway.Path(id) },
	})
	functions := &lambda.Registry{}
	functions.Register(echoARN, lambda.NewInProcess(lambda.Settings{ARN: echoARN}, awslambda.NewHandler(handler.Echo)))
	verifier, decider := &sigv4.Verifier{Keys: w.directory, Now: time.Now}, iam.Decider{Policies: w.directory, Record: w.record}
	calls := gateway.New(gateway.Config{
		Gateways: w.model, Verifier: verifier, Decider: decider, Principals: w.directory, Functions: functions, Region: region,
	})
	administration := control.New(w.model, verifier, decider, w.now)
	identity := control.Identity(verifier, http.NotFoundHandler())
	route = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if w.rates != nil {
			_ = w.sleep(r.Context(), 20*time.Millisecond) // what a call takes on AWS
		}
		switch {
		case w.asked != nil && w.asked(r):
			rw.Header().Set("X-Amzn-Errortype", "AccessDeniedException")
			http.Error(rw, `{"message":"planted"}`, http.StatusForbidden)
		case strings.Contains(r.Header.Get("Authorization"), "/sts/aws4_request"):
			identity.ServeHTTP(rw, r)
		case strings.Contains(r.Header.Get("Authorization"), "/cloudformation/aws4_request"):
			w.stacks.ServeHTTP(rw, r)
		case strings.HasPrefix(r.URL.Path, gateway.Root):
			calls.ServeHTTP(rw, r)
		default:
			w.note(r)
			administration.ServeHTTP(rw, r)
		}
	})
}

func (w *world) record(_ policy.Call, decision policy.Decision) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.decided = decision
}

func (w *world) note(r *http.Request) {
	if r.Method == http.MethodGet {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.written = append(w.written, r.Method+" "+strings.Split(r.URL.Path, "/")[1]+kindOf(r.URL.Path))
}

// kindOf tells a target from its gateway.
func kindOf(path string) string {
	if strings.Contains(path, "/targets/") {
		return "/targets"
	}
	return ""
}

// changes are the changes asked of the control plane since the last look.
func (w *world) changes() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	written := w.written
	w.written = nil
	return written
}

// environment is the shell that the command runs in: an empty directory and the
// profiles.
func (w *world) environment() {
	w.t.Helper()
	w.t.Chdir(w.t.TempDir())
	var profiles strings.Builder
	for profile, role := range map[string]string{
		"account-a": "arn:aws:iam::" + accountA + ":role/AdminRole",
		"account-b": "arn:aws:iam::" + accountB + ":role/AdminRole",
		"agent-b":   "arn:aws:iam::" + accountB + ":role/AgentRole",
	} {
		key, err := w.directory.StartSession(role, "session", time.Hour)
		w.must(err)
		fmt.Fprintf(&profiles, "[profile %s]\nregion = %s\naws_access_key_id = %s\naws_secret_access_key = %s\naws_session_token = %s\n",
			profile, region, key.ID, key.Secret, key.SessionToken)
	}
	profiles.WriteString("[profile stranger]\nregion = us-east-1\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = secret\n" +
		"[profile nowhere]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = secret\n" +
		"[profile nobody]\nregion = us-east-1\n")
	config := filepath.Join(w.t.TempDir(), "config")
	w.must(os.WriteFile(config, []byte(profiles.String()), 0o600))
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "AWS_") {
			w.t.Setenv(name, "")
		}
	}
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": config, "AWS_SHARED_CREDENTIALS_FILE": config + "-none", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ENDPOINT_URL": w.url, "AWS_PROFILE": "account-a", "AWS_MAX_ATTEMPTS": "3",
		"GRANTS_TABLE": "", "STATE_TABLE": "", "ACCOUNTS_TABLE": "", stackVariable: "",
	} {
		w.t.Setenv(name, value)
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) parse(text string) *policy.Document {
	w.t.Helper()
	document, err := policy.Parse([]byte(text))
	w.must(err)
	return document
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.still.IsZero() {
		return w.still.Add(w.ahead)
	}
	return time.Now().Add(w.ahead)
}

// sleep moves the clock instead of waiting.
func (w *world) sleep(ctx context.Context, d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead += d
	return ctx.Err()
}

func (w *world) clock() agentcore.Clock { return agentcore.Clock{Now: w.now, Sleep: w.sleep} }

// said is what a run ended with.
type said struct {
	code     int
	out, err string
}

// run runs the command line in the world.
func (w *world) run(args ...string) said {
	w.t.Helper()
	return w.with(func(aws.Config, settings.Tables) opened {
		return opened{grants: w.grants, states: w.states, directory: w.accounts}
	}, args...)
}

// with runs the command line in the world, but on other tables.
func (w *world) with(open openTables, args ...string) said {
	w.t.Helper()
	var out, err bytes.Buffer
	p := &program{
		in: strings.NewReader(""), out: &out, err: &err,
		clock:        w.clock(),
		open:         open,
		notices:      func(aws.Config, string) reconcile.Notices { return w.bus },
		identities:   w.identities,
		organization: func(aws.Config) members { return w.organization },
		beyond:       onAWS(),
	}
	code := p.run(w.t.Context(), args)
	return said{code, out.String(), err.String()}
}

// done runs a command line that has to succeed.
func (w *world) done(args ...string) said {
	w.t.Helper()
	s := w.run(args...)
	if s.code != exitDone {
		w.t.Fatalf("%v: exit %d\n%s%s", args, s.code, s.out, s.err)
	}
	return s
}

// created is a gateway made by the command line, in gateway_config.json.
func (w *world) created() gatewayConfig {
	w.t.Helper()
	w.done("gateway", "create", "--name", "cross-account-test", "--role-arn", roleARN, "--lambda-arn", echoARN)
	return w.config()
}

func (w *world) config() gatewayConfig {
	w.t.Helper()
	text, err := os.ReadFile("gateway_config.json")
	w.must(err)
	var config gatewayConfig
	w.must(json.Unmarshal(text, &config))
	return config
}

// rows are the rows of the table.
func (w *world) rows() []grant.Row {
	w.t.Helper()
	rows, err := w.grants.All(w.t.Context())
	w.must(err)
	return rows
}

// policyText is the gateway's resource policy as stored, "" for none.
func (w *world) policyText(arn string) string {
	w.t.Helper()
	text, err := w.model.GetResourcePolicy(model.Caller{Account: accountA}, arn)
	w.must(err)
	return text
}
