package store_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/event"
	"github.com/gateway-grants/gateway-grants/pkg/eventtest"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/handler"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

// callCount counts calls to AWS: those that read a table, those that write one, and those
// to AgentCore.
type callCount struct{ Reads, Writes, AgentCore int }

// counting is a transport that counts calls of DynamoDB.
func counting(count *callCount) transport {
	var mu sync.Mutex // a function records the change of the row beside the reconcile
	return func(request *http.Request) (*http.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		switch name := operation(request); {
		case name == "Query" || name == "Scan" || strings.Contains(name, "Get"):
			count.Reads++
		default:
			count.Writes++
		}
		return http.DefaultTransport.RoundTrip(request)
	}
}

// oneGateway is an AgentCore with a single gateway.
type oneGateway struct {
	count    *callCount
	document *policy.Document
	puts     int
}

// Describe takes two calls: the gateway, and its tags.
func (g *oneGateway) Describe(_ context.Context, gateway grant.Gateway) (plan.Observed, error) {
	g.count.AgentCore += 2
	return plan.Observed{Gateway: gateway, Exists: true, Authorizer: "AWS_IAM", Status: "READY", Managed: true}, nil
}

func (g *oneGateway) Policy(context.Context, grant.Gateway) (*policy.Document, error) {
	g.count.AgentCore++
	return g.document, nil
}

func (g *oneGateway) PutPolicy(_ context.Context, _ grant.Gateway, document *policy.Document) error {
	g.count.AgentCore++
	g.document = document
	g.puts++
	return nil
}

func (g *oneGateway) DeletePolicy(ctx context.Context, gateway grant.Gateway) error {
	return g.PutPolicy(ctx, gateway, nil)
}

// nowhere takes notices, requests and metrics.
type nowhere struct{}

func (nowhere) Publish(context.Context, []plan.Notice) error   { return nil }
func (nowhere) Request(context.Context, []event.Request) error { return nil }
func (nowhere) Emit(context.Context, string, map[string]int)   {}

// functions are table-changes and gateway-events on the tables.
func functions(client *dynamodb.Client, names store.Names, gateways reconcile.Gateways, now func() time.Time) (changes *handler.TableChanges, events *handler.GatewayEvents) {
	grants, states, log := store.NewGrants(client, names.Grants), store.NewStates(client, names.States), slog.New(slog.DiscardHandler)
	reconciler := handler.Watched{Attention: states, Log: log, Reconciler: reconcile.New(reconcile.Dependencies{
		Gateways: gateways, Grants: grants, Directory: store.NewAccounts(client, names.Accounts), States: states, Notices: nowhere{}, Log: log, Now: now,
	}, plan.DefaultLimits())}
	changes = &handler.TableChanges{
		Reconciler: reconciler, Grants: grants, Requests: nowhere{}, History: states, Notices: nowhere{},
		GrantsTable: "gateway-grants", AccountsTable: "gateway-grants-accounts", Now: now, Log: log, Metrics: nowhere{},
	}
	return changes, &handler.GatewayEvents{Reconciler: reconciler, Now: now, Log: log, Metrics: nowhere{}}
}

// A change costs the calls that docs/performance.md names, and no pass reads anything twice.
func TestCallsOfReconcileOnMoto(t *testing.T) {
	moto := &server{endpoint: cloudtest.Moto(t).Endpoint()}
	var count callCount
	client, plain, names := moto.openTwice(t, counting(&count))
	grants, accounts := store.NewGrants(plain, names.Grants), store.NewAccounts(plain, names.Accounts)
	if err := grants.PutSentinel(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"444455556666", "777788889999"} {
		write(t, accounts, directory.Account{ID: id, State: directory.StateActive, Organization: "o-exampleorgid", ReadAt: now})
	}
	if err := accounts.MarkSynced(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	at, gateway := now, &oneGateway{count: &count}
	changes, events := functions(client, names, gateway, func() time.Time { return at })
	payload := func(name string) []byte {
		return bytes.ReplaceAll(eventtest.Payload(t, name), []byte("cross-account-test-abcde12345"), []byte(alpha(t).ID()))
	}
	granted := func(id, principal string) error {
		row := grant.Attributes{"gateway": alpha(t).ARN(), "grant": id, "principal": principal}
		if err := grants.Put(t.Context(), row, true); err != nil {
			return err
		}
		answer, err := changes.Handle(t.Context(), payload("dynamodb-stream-grant-inserted"))
		if len(answer.BatchItemFailures) > 0 {
			t.Errorf("failed records: %v", answer.BatchItemFailures)
		}
		return err
	}
	happens := func(name string) error { return events.Handle(t.Context(), payload(name)) }
	for _, step := range []struct {
		reason string
		does   func() error
		puts   int // policies written so far
		want   callCount
	}{
		{"each of two passes reads two partitions of rows, the state, the mark of a listing and an account; a write is begun, journaled and recorded, and so is the row; what needs attention is compared",
			func() error { return granted("one", "444455556666") }, 1, callCount{Reads: 11, Writes: 4, AgentCore: 8}},
		{"the put itself comes back as an event of CloudTrail", func() error { return happens("cloudtrail-put-resource-policy-own") }, 1, callCount{Reads: 6, AgentCore: 3}},
		{"the look after the write records that nothing is due", func() error { at = at.Add(3 * time.Minute); return happens("reconcile-requested") }, 1, callCount{Reads: 6, Writes: 1, AgentCore: 3}},
		{"nothing changed", func() error { return happens("reconcile-requested") }, 1, callCount{Reads: 6, AgentCore: 3}},
		{"one more grant, of a selector: its accounts are read instead of the account",
			func() error { return granted("two", "o-exampleorgid") }, 2, callCount{Reads: 11, Writes: 4, AgentCore: 8}},
	} {
		count = callCount{}
		if err := step.does(); err != nil {
			t.Fatalf("%s: %v", step.reason, err)
		}
		if diff := cmp.Diff(step.want, count); diff != "" {
			t.Errorf("%s: calls (-want +got):\n%s", step.reason, diff)
		}
		if gateway.puts != step.puts {
			t.Errorf("%s: %d policies are written, want %d", step.reason, gateway.puts, step.puts)
		}
	}
}
