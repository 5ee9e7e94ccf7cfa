package handler_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/dirsync"
	"github.com/gateway-grants/gateway-grants/pkg/event"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/handler"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/noticetest"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/store/memory"
)

const (
	storyARN   = "arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/cross-account-test-abcde12345"
	management = "111122223333"
	member     = "444455556666"
	unit       = "ou-ab12-11111111"
)

var at = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

// world is what the handlers act on: the tables' twins, and an AgentCore and a
// bus that remember what became of them.
type world struct {
	grants       *memory.Grants
	states       states
	rows         *memory.States // the changes of rows
	gateways     gateways
	reconciler   reconciler
	requests     requests
	organization *memory.Organization
	accounts     *memory.Accounts
	notices      noticetest.Recorder
	metrics      metrics
	elapsed      time.Duration // since at
	log          bytes.Buffer
}

func (w *world) time() time.Time { return at.Add(w.elapsed) }

func newWorld(t *testing.T) *world {
	t.Helper()
	clock := func() time.Time { return at }
	w := &world{
		grants:       memory.NewGrants(memory.Config{Now: clock}),
		rows:         memory.NewStates(memory.Config{Now: clock}),
		accounts:     memory.NewAccounts(memory.Config{Now: clock}),
		organization: memory.NewOrganization("o-exampleorgid", management, clock),
		gateways:     gateways{managed: []grant.Gateway{gateway(t, 1), gateway(t, 2)}},
	}
	check(t, w.grants.PutSentinel(t.Context()))
	check(t, w.accounts.PutListSentinels(t.Context()))
	return w
}

func (w *world) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(&w.log, nil))
}

func (w *world) grant(t *testing.T, gateway, id, principal string) {
	t.Helper()
	check(t, w.grants.Put(t.Context(), grant.Attributes{"gateway": gateway, "grant": id, "principal": principal}, true))
}

func (w *world) tableChanges() *handler.TableChanges {
	return &handler.TableChanges{
		Reconciler: &w.reconciler, Grants: w.grants, Requests: &w.requests, History: w.rows, Notices: &w.notices,
		GrantsTable: "gateway-grants", AccountsTable: "gateway-grants-accounts",
		Now: func() time.Time { return at }, Log: w.logger(), Metrics: &w.metrics,
	}
}

func (w *world) gatewayEvents() *handler.GatewayEvents {
	return &handler.GatewayEvents{Reconciler: &w.reconciler, Listed: w.accounts, Probes: w.rows, Now: w.time, Log: w.logger(), Metrics: &w.metrics}
}

func (w *world) organizationEvents() *handler.Organization {
	return &handler.Organization{
		Directory: dirsync.New(w.organization, w.accounts, w.grants, w.time),
		Notices:   &w.notices, Probes: w.rows, Now: w.time, Log: w.logger(), Metrics: &w.metrics,
	}
}

func (w *world) sweep() *handler.Sweep {
	return &handler.Sweep{
		States: &w.states, Gateways: &w.gateways, Requests: &w.requests,
		Now: func() time.Time { return at }, Log: w.logger(), Metrics: &w.metrics,
	}
}

// changed is the directory, by account.
func (w *world) changed(t *testing.T) map[string]directory.Account {
	t.Helper()
	ids, err := w.accounts.All(t.Context())
	check(t, err)
	found := make(map[string]directory.Account)
	for _, id := range ids {
		account, _, err := w.accounts.Account(t.Context(), id)
		check(t, err)
		found[id] = account
	}
	return found
}

// reconciler remembers for each gateway what asked for it.
type reconciler struct {
	mu       sync.Mutex
	causes   map[string][]reconcile.Cause
	fails    map[string]error // outcomes that cannot be recorded
	failing  *grant.Error     // a failure that is recorded
	before   func(ctx context.Context, gateway grant.Gateway)
	together int // the most that ran at the same time
	running  int
}

func (r *reconciler) Reconcile(ctx context.Context, gateway grant.Gateway, cause reconcile.Cause) (reconcile.Result, error) {
	r.enter(1)
	defer r.enter(-1)
	if r.before != nil {
		r.before(ctx, gateway)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := errors.Join(r.fails[gateway.ARN()], ctx.Err()); err != nil {
		return reconcile.Result{}, err
	}
	if r.causes == nil {
		r.causes = make(map[string][]reconcile.Cause)
	}
	r.causes[gateway.ARN()] = append(r.causes[gateway.ARN()], cause)
	return reconcile.Result{Passes: 2, Writes: 1, Failure: r.failing}, nil
}

func (r *reconciler) enter(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running += n
	r.together = max(r.together, r.running)
}

func (r *reconciler) reconciled() []string { return slices.Sorted(maps.Keys(r.causes)) }

// gateways are walked through in order, owner by owner.
type gateways struct {
	managed  []grant.Gateway
	untagged []grant.Gateway
	owners   []string         // none for the one of every gateway
	walked   []string         // owners, each time
	fails    map[string]error // by owner, after its gateways
	err      error            // of every owner
	unread   error            // of the list of owners
}

func (g *gateways) Owners(context.Context) ([]string, error) {
	if len(g.owners) == 0 {
		return []string{management}, g.unread
	}
	return g.owners, g.unread
}

func (g *gateways) WalkOwners(_ context.Context, owners []string, wanted func(grant.Gateway) bool, found func(grant.Gateway, bool)) map[string]error {
	outcomes := make(map[string]error)
	for _, owner := range owners {
		g.walked = append(g.walked, owner)
		for managed, all := range map[bool][]grant.Gateway{true: g.managed, false: g.untagged} {
			for _, gateway := range all {
				if gateway.Account() == owner && wanted(gateway) {
					found(gateway, managed)
				}
			}
		}
		outcomes[owner] = errors.Join(g.fails[owner], g.err)
	}
	return outcomes
}

// states are what is due, and by gateway the hash of what was applied.
type states struct {
	arns     []string
	err      error
	at       time.Time
	asked    []string
	unmarked error // why nothing can be marked as asked for
	removal  grant.MassRemoval
	applied  map[string]string
	pending  map[string]string
	owners   map[string]ledger.Owner
}

func (s *states) RecordedOwners(context.Context) (map[string]ledger.Owner, error) {
	return maps.Clone(s.owners), s.err
}

func (s *states) SetOwner(_ context.Context, account string, owner ledger.Owner) error {
	if s.owners == nil {
		s.owners = make(map[string]ledger.Owner)
	}
	s.owners[account] = owner
	return nil
}

func (s *states) Due(_ context.Context, before time.Time) ([]string, error) {
	s.at = before
	return s.arns, s.err
}

func (s *states) Asked(_ context.Context, gateway grant.Gateway, at time.Time) error {
	if s.unmarked != nil {
		return s.unmarked
	}
	s.asked = append(s.asked, gateway.ARN()+" "+at.Format(time.RFC3339))
	return nil
}

func (s *states) Removal(context.Context) (grant.MassRemoval, error) { return s.removal, s.err }

func (s *states) Attention(context.Context) (map[string]plan.Attention, error) { return nil, s.err }

func (s *states) Load(_ context.Context, gateway grant.Gateway) (ledger.State, error) {
	return ledger.State{Gateway: ledger.Ledger{
		AppliedHash: s.applied[gateway.ARN()], PendingHash: s.pending[gateway.ARN()],
	}}, s.err
}

// requests is a bus that loses the requests in its list.
type requests struct {
	published []event.Request
	loses     map[string]bool
	err       error
}

func (r *requests) Request(ctx context.Context, asked []event.Request) error {
	if err := errors.Join(r.err, ctx.Err()); err != nil {
		return err
	}
	lost := &handler.UnsentError{Err: errors.New("ThrottlingException")}
	for _, request := range asked {
		if r.loses[request.Scope()] {
			lost.Requests = append(lost.Requests, request)
		} else {
			r.published = append(r.published, request)
		}
	}
	if len(lost.Requests) > 0 {
		return lost
	}
	return nil
}

func (r *requests) requested() []string {
	var arns []string
	for _, request := range r.published {
		scope := request.Scope()
		if len(request.Owners) > 0 {
			scope += " of " + strings.Join(request.Owners, " ")
		}
		arns = append(arns, scope)
	}
	slices.Sort(arns)
	return arns
}

// metrics adds up what invocations did, and keeps apart what is of a gateway.
type metrics struct {
	counts map[string]int
	of     map[string]map[string]int
}

func (m *metrics) Emit(_ context.Context, gateway string, counts map[string]int) {
	if m.counts == nil {
		m.counts, m.of = make(map[string]int), make(map[string]map[string]int)
	}
	if gateway != "" {
		m.of[gateway] = counts
		return
	}
	for name, n := range counts {
		m.counts[name] += n
	}
}

// invoke runs a function's body as Lambda does: bytes in, bytes out.
func invoke(ctx context.Context, body any, payload []byte) ([]byte, error) {
	return lambda.NewHandler(body).Invoke(ctx, payload)
}

// deliver hands a batch to table-changes and returns what it reports as failed.
func deliver(t *testing.T, ctx context.Context, changes *handler.TableChanges, payload []byte) []string { //nolint:revive // a test's t comes first
	t.Helper()
	answer, err := invoke(ctx, changes.Handle, payload)
	check(t, err)
	var response events.DynamoDBEventResponse
	check(t, json.Unmarshal(answer, &response))
	var failed []string
	for _, failure := range response.BatchItemFailures {
		failed = append(failed, failure.ItemIdentifier)
	}
	return failed
}

// recordOf is a record of the grants table's stream.
func recordOf(sequence int, gateway, id string) string {
	return fmt.Sprintf(`{"eventName":"INSERT","eventSourceARN":"arn:aws:dynamodb:us-east-1:111122223333:table/gateway-grants/stream/x",
		"dynamodb":{"SequenceNumber":"%d","Keys":{"gateway":{"S":%q},"grant":{"S":%q}}}}`, sequence, gateway, id)
}

// plainRow is what a row says besides its key.
const plainRow = `"principal":{"S":"444455556666"}`

// imagesOf is a record of a changed row with its content before and after; an
// image of nothing is missing.
func imagesOf(sequence int, gateway, before, after string) string {
	image := func(name, attributes string) string {
		if attributes == "" {
			return ""
		}
		return fmt.Sprintf(`,%q:{"gateway":{"S":%q},"grant":{"S":"a"},%s}`, name, gateway, attributes)
	}
	return fmt.Sprintf(`{"eventName":"MODIFY","eventSourceARN":"arn:aws:dynamodb:us-east-1:111122223333:table/gateway-grants/stream/x",
		"dynamodb":{"SequenceNumber":"%d","Keys":{"gateway":{"S":%q},"grant":{"S":"a"}}%s}}`, sequence, gateway, image("OldImage", before)+image("NewImage", after))
}

// accountRecord is a record of the accounts table's stream.
func accountRecord(sequence int, id, before, after string) string {
	images := ""
	if before != "" {
		images += `,"OldImage":` + before
	}
	if after != "" {
		images += `,"NewImage":` + after
	}
	return fmt.Sprintf(`{"eventName":"MODIFY","eventSourceARN":"arn:aws:dynamodb:us-east-1:111122223333:table/gateway-grants-accounts/stream/x",
		"dynamodb":{"SequenceNumber":"%d","Keys":{"pk":{"S":"ACCOUNT#%s"},"sk":{"S":"ACCOUNT"}}%s}}`, sequence, id, images)
}

// listRecord is a record of an account that was added to a list.
func listRecord(sequence int, list, id string) string {
	keys := fmt.Sprintf(`"pk":{"S":%q},"sk":{"S":%q}`, list, id)
	return fmt.Sprintf(`{"eventName":"INSERT","eventSourceARN":"arn:aws:dynamodb:us-east-1:111122223333:table/gateway-grants-accounts/stream/x",
		"dynamodb":{"SequenceNumber":"%d","Keys":{%s},"NewImage":{%s,"at":{"S":"2026-11-20T09:00:00.000000000Z"}}}}`, sequence, keys, keys)
}

const (
	inRoot = `{"state":{"S":"ACTIVE"},"organization":{"S":"o-exampleorgid"}}`
	inUnit = `{"state":{"S":"ACTIVE"},"organization":{"S":"o-exampleorgid"},"path":{"L":[{"S":"ou-ab12-11111111"}]}}`
)

func batchOf(records ...string) []byte {
	return []byte(`{"Records":[` + strings.Join(records, ",") + `]}`)
}

func gateway(t testing.TB, n int) grant.Gateway {
	t.Helper()
	g, err := grant.ParseGateway(arn(n))
	check(t, err)
	return g
}

func arn(n int) string {
	return fmt.Sprintf("arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/gateway-%03d", n)
}

func arns(numbers ...int) []string {
	var all []string
	for _, n := range numbers {
		all = append(all, arn(n))
	}
	return all
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
