package store_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
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
	return func(request *http.Request) (*http.Response, error) {
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
	return nil
}

func (g *oneGateway) DeletePolicy(ctx context.Context, gateway grant.Gateway) error {
	return g.PutPolicy(ctx, gateway, nil)
}

type noNotices struct{}

func (noNotices) Publish(context.Context, []plan.Notice) error { return nil }

// A change costs what it has to, and no pass reads anything twice.
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
	at := now
	reconciler := reconcile.New(reconcile.Dependencies{
		Gateways: &oneGateway{count: &count}, Grants: store.NewGrants(client, names.Grants), Directory: store.NewAccounts(client, names.Accounts),
		States: store.NewStates(client, names.States), Notices: noNotices{}, Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return at },
	}, plan.DefaultLimits())
	put := func(id, principal string) {
		row := grant.Attributes{"gateway": alpha(t).ARN(), "grant": id, "principal": principal}
		if err := grants.Put(t.Context(), row, true); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		reason string
		before func()
		want   callCount
	}{
		{"each of two passes reads two partitions of rows, the state, the mark of a listing and an account; a write is begun, journaled and recorded",
			func() { put("one", "444455556666") }, callCount{Reads: 10, Writes: 3, AgentCore: 8}},
		{"the look after the write records that nothing is due",
			func() { at = at.Add(3 * time.Minute) }, callCount{Reads: 5, Writes: 1, AgentCore: 3}},
		{"nothing changed",
			func() {}, callCount{Reads: 5, AgentCore: 3}},
		{"one more grant, of a selector: its accounts are read instead of the account",
			func() { put("two", "o-exampleorgid") }, callCount{Reads: 10, Writes: 3, AgentCore: 8}},
	} {
		step.before()
		count = callCount{}
		result, err := reconciler.Reconcile(t.Context(), alpha(t), reconcile.Cause{Text: "test"})
		if err != nil || result.Failure != nil {
			t.Fatalf("%s: %v, %v", step.reason, result.Failure, err)
		}
		if diff := cmp.Diff(step.want, count); diff != "" {
			t.Errorf("%s: calls (-want +got):\n%s", step.reason, diff)
		}
	}
}
