package handler_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/gateway-grants/gateway-grants/pkg/agentcore"
	"github.com/gateway-grants/gateway-grants/pkg/dirsync"
	"github.com/gateway-grants/gateway-grants/pkg/event"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/handler"
	"github.com/gateway-grants/gateway-grants/pkg/noticetest"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/control"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/sigv4"
	"github.com/gateway-grants/gateway-grants/pkg/store/memory"
)

// estate is the whole product on the stand-in: real handlers, reconciler and SDK,
// the tables' twins, a bus that is a queue. Events and stream records reach the
// handlers unless deaf.
type estate struct {
	t       testing.TB
	deaf    bool
	clock   clock
	service *model.Service
	server  *httptest.Server
	config  aws.Config

	grants       *memory.Grants
	accounts     *memory.Accounts
	states       *memory.States
	organization *memory.Organization
	metrics      metrics
	notices      noticetest.Recorder

	mu    sync.Mutex
	queue []delivery // what the bus has not delivered yet

	policyCalls, throttled atomic.Int64
	refused                atomic.Pointer[string] // paths that begin so, or are so where it ends in $, answer 403
}

type delivery struct {
	handler func(context.Context, json.RawMessage) error
	payload json.RawMessage
}

type clock interface {
	Now() time.Time
	Sleep(ctx context.Context, d time.Duration) error
}

// stepped is a clock that a test moves.
type stepped struct {
	mu  sync.Mutex
	now time.Time
}

func (s *stepped) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *stepped) Sleep(_ context.Context, d time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
	return nil
}

var owner = model.Caller{Account: management, ARN: "arn:aws:sts::111122223333:assumed-role/Admin/alice", UserAgent: "aws-cli/2.31.0"}

func newEstate(t testing.TB, c clock, rates map[model.RateGroup]int) *estate {
	t.Helper()
	e := &estate{t: t, clock: c}
	directory := iam.NewDirectory(time.Now)
	for _, account := range []string{management, member, "777788889999", "222233334444"} {
		check(t, directory.AddAccount(account))
	}
	key, err := directory.CreateRootAccessKey(management)
	check(t, err)
	e.service = model.New(model.Options{
		Now: c.Now, Principals: directory, Rand: rand.New(rand.NewPCG(1, 2)), Rates: rates, Changed: e.touched,
	})
	api := control.New(e.service, &sigv4.Verifier{Keys: directory, Now: time.Now}, iam.Decider{Policies: directory}, time.Now)
	e.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refused := e.refused.Load(); refused != nil && strings.HasPrefix(r.URL.Path+"$", *refused) {
			w.Header().Set("X-Amzn-Errortype", "AccessDeniedException")
			http.Error(w, `{"message":"not now"}`, http.StatusForbidden)
			return
		}
		if strings.HasPrefix(r.URL.Path, "/resourcepolicy/") {
			e.policyCalls.Add(1)
		}
		api.ServeHTTP(&watched{ResponseWriter: w, throttled: &e.throttled}, r)
	}))
	t.Cleanup(e.server.Close)
	e.config = aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(e.server.URL), AppID: handler.AppID,
		Credentials: credentials.NewStaticCredentialsProvider(key.ID, key.Secret, ""),
	}
	config := memory.Config{Now: c.Now}
	e.grants, e.accounts, e.states = memory.NewGrants(config), memory.NewAccounts(config), memory.NewStates(config)
	e.organization = memory.NewOrganization("o-exampleorgid", management, c.Now)
	check(t, e.grants.PutSentinel(context.Background()))
	check(t, e.accounts.PutListSentinels(context.Background()))
	e.grants.Changes(e.streamed)
	e.accounts.Changes(e.streamed)
	e.organization.Listen(func(raw json.RawMessage) { e.send(e.organizationEvents().Handle, raw) })
	return e
}

// watched counts the answers that ask for fewer calls.
type watched struct {
	http.ResponseWriter

	throttled *atomic.Int64
}

func (w *watched) WriteHeader(status int) {
	if status == http.StatusTooManyRequests {
		w.throttled.Add(1)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (e *estate) log() *slog.Logger { return slog.New(slog.DiscardHandler) }

func (e *estate) gateways(rate float64) *agentcore.Gateways {
	return agentcore.New(e.config, agentcore.Deployment{PolicyRate: rate}).
		On(agentcore.Clock{Now: e.clock.Now, Sleep: e.clock.Sleep})
}

func (e *estate) reconciler(gateways *agentcore.Gateways) *reconcile.Reconciler {
	return reconcile.New(reconcile.Dependencies{
		Gateways: gateways, Grants: e.grants, Directory: e.accounts, States: e.states, Notices: &e.notices, Now: e.clock.Now, Log: e.log(),
	}, plan.DefaultLimits())
}

func (e *estate) watching(r handler.Reconciler) handler.Watched {
	return handler.Watched{Reconciler: r, Attention: e.states, Log: e.log()}
}

const plenty = 1000 // policy calls a second, where time is of no interest

func (e *estate) gatewayEvents(gateways *agentcore.Gateways) *handler.GatewayEvents {
	return &handler.GatewayEvents{Reconciler: e.watching(e.reconciler(gateways)), Log: e.log(), Metrics: &e.metrics}
}

func (e *estate) tableChanges() *handler.TableChanges {
	return &handler.TableChanges{
		Reconciler: e.watching(e.reconciler(e.gateways(plenty))), Grants: e.grants, Requests: e, History: e.states, Notices: &e.notices,
		GrantsTable: "gateway-grants", AccountsTable: "gateway-grants-accounts", Now: e.clock.Now, Log: e.log(), Metrics: &e.metrics,
	}
}

func (e *estate) organizationEvents() *handler.Organization {
	return &handler.Organization{
		Directory: dirsync.New(e.organization, e.accounts, e.grants, e.clock.Now), Notices: &noticetest.Recorder{}, Now: e.clock.Now,
		Log: e.log(), Metrics: &e.metrics,
	}
}

func (e *estate) sweep() *handler.Sweep {
	return &handler.Sweep{
		States: e.states, Gateways: e.gateways(plenty), Requests: e, Minutes: 60, Now: e.clock.Now, Log: e.log(), Metrics: &e.metrics,
	}
}

// Request queues requests. Even a deaf estate keeps them, because sweeps work by them.
func (e *estate) Request(_ context.Context, requests []event.Request) error {
	for _, request := range requests {
		to := e.gatewayEvents(e.gateways(plenty)).Handle
		if request.Every {
			to = e.sweep().Handle
		}
		detail, err := json.Marshal(request)
		if err != nil {
			return err
		}
		e.put(to, envelope(event.Source, event.ReconcileRequested, detail))
	}
	return nil
}

func envelope(source, detailType string, detail json.RawMessage) json.RawMessage {
	return json.RawMessage(`{"id":"1","account":"` + management + `","region":"us-east-1","source":"` + source + `","detail-type":"` + detailType + `","detail":` + string(detail) + `}`)
}

func (e *estate) touched(change model.Change) {
	detail, err := cloud.TrailDetail(change)
	check(e.t, err)
	e.send(func(ctx context.Context, payload json.RawMessage) error {
		return e.gatewayEvents(e.gateways(plenty)).Handle(ctx, payload)
	}, envelope("aws.bedrock-agentcore", "AWS API Call via CloudTrail", detail))
}

func (e *estate) streamed(batch events.DynamoDBEvent) {
	raw, err := json.Marshal(batch)
	check(e.t, err)
	e.send(func(ctx context.Context, payload json.RawMessage) error {
		answer, err := e.tableChanges().Handle(ctx, payload)
		if len(answer.BatchItemFailures) > 0 {
			e.t.Errorf("table-changes reports %v", answer.BatchItemFailures)
		}
		return err
	}, raw)
}

// send is an event or stream record, which a deaf estate loses.
func (e *estate) send(to func(context.Context, json.RawMessage) error, payload json.RawMessage) {
	if !e.deaf {
		e.put(to, payload)
	}
}

func (e *estate) put(to func(context.Context, json.RawMessage) error, payload json.RawMessage) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.queue = append(e.queue, delivery{to, payload})
}

func (e *estate) take() (delivery, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.queue) == 0 {
		return delivery{}, false
	}
	next := e.queue[0]
	e.queue = e.queue[1:]
	return next, true
}

// settle delivers whatever is on its way, and what that sets off.
func (e *estate) settle() {
	e.t.Helper()
	for next, ok := e.take(); ok; next, ok = e.take() {
		check(e.t, next.handler(context.Background(), next.payload))
	}
}

// round runs each sweep once: the organization, an hour of gateways, what is due.
func (e *estate) round() {
	e.t.Helper()
	ctx := context.Background()
	check(e.t, e.organizationEvents().Handle(ctx, json.RawMessage(`{"sweep":"organization"}`)))
	for range 60 {
		check(e.t, e.sweep().Handle(ctx, json.RawMessage(`{"sweep":"gateways"}`)))
		check(e.t, e.sweep().Handle(ctx, json.RawMessage(`{"sweep":"due"}`)))
		e.settle()
		check(e.t, e.clock.Sleep(ctx, time.Minute))
	}
}

// gateway makes one, managed or not.
func (e *estate) gateway(name string, managed bool) grant.Gateway {
	e.t.Helper()
	tags := map[string]string{}
	if managed {
		tags[plan.ManagedTag] = plan.ManagedValue
	}
	made, err := e.service.CreateGateway(owner, model.CreateGatewayInput{
		GatewaySettings: model.GatewaySettings{Name: name, RoleARN: "arn:aws:iam::111122223333:role/R", ProtocolType: "MCP", AuthorizerType: model.AWSIAM},
		Tags:            tags,
	})
	check(e.t, err)
	gateway, err := grant.ParseGateway(made.ARN)
	check(e.t, err)
	return gateway
}

func (e *estate) grant(gateway, id, principal string, more ...string) {
	e.t.Helper()
	attributes := grant.Attributes{"gateway": gateway, "grant": id, "principal": principal}
	for i := 0; i < len(more); i += 2 {
		attributes[more[i]] = more[i+1]
	}
	check(e.t, e.grants.Put(context.Background(), attributes, true))
}

// admitted are the accounts and roles that the gateway's policy allows, sorted.
func (e *estate) admitted(gateway grant.Gateway) []string {
	e.t.Helper()
	document, err := e.service.EffectivePolicy(gateway.ARN())
	check(e.t, err)
	all := []string{}
	if document != nil {
		for _, statement := range document.Statements {
			if statement.Effect == policy.Allow {
				all = append(all, statement.Principal.AWS...)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
