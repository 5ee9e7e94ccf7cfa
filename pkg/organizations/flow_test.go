package organizations_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/dirsync"
	"github.com/gateway-grants/gateway-grants/pkg/event"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/handler"
	"github.com/gateway-grants/gateway-grants/pkg/organizations"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
	"github.com/gateway-grants/gateway-grants/pkg/store/memory"
)

// flow is an organization on moto, the directory, and what reads its stream.
type flow struct {
	t        *testing.T
	client   *sdk.Client
	handler  *handler.Organization
	grants   *memory.Grants
	now      time.Time
	mu       sync.Mutex      // gateways are reconciled side by side
	concerns map[string]bool // gateways that were to be reconciled since the last look
}

func newFlow(t *testing.T) *flow {
	t.Helper()
	f := &flow{t: t, now: time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC), concerns: make(map[string]bool)}
	f.client = sdk.New(sdk.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(cloudtest.Moto(t).Endpoint()),
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
	})
	accounts, grants := memory.NewAccounts(memory.Config{}), memory.NewGrants(memory.Config{})
	check(t, grants.PutSentinel(t.Context()))
	log, clock := slog.New(slog.DiscardHandler), func() time.Time { return f.now }
	f.handler = &handler.Organization{
		Directory: dirsync.New(organizations.New(f.client, organizations.SystemClock()), accounts, grants, clock),
		Notices:   f, Now: clock, Log: log, Metrics: f,
	}
	changes := &handler.TableChanges{
		Reconciler: f, Grants: grants, Requests: f, GrantsTable: "gateway-grants", AccountsTable: "gateway-grants-accounts",
		Now: clock, Log: log, Metrics: f,
	}
	accounts.Changes(func(event events.DynamoDBEvent) {
		payload, err := json.Marshal(event)
		check(t, err)
		response, err := changes.Handle(context.Background(), payload)
		if err != nil || len(response.BatchItemFailures) > 0 {
			t.Errorf("the stream's reader failed: %v, %v", response, err)
		}
	})
	f.grants = grants
	return f
}

// grant lets a principal into a gateway named after it.
func (f *flow) grant(gateway, principal string) {
	f.t.Helper()
	row := grant.Attributes{"gateway": arnOf(gateway), "grant": "it", "principal": principal}
	check(f.t, f.grants.Put(f.t.Context(), row, true))
}

func arnOf(name string) string {
	return "arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/" + name + "-0123456789"
}

func (f *flow) Reconcile(_ context.Context, gateway grant.Gateway, _ reconcile.Cause) (reconcile.Result, error) {
	f.concern(gateway)
	return reconcile.Result{}, nil
}

func (f *flow) Request(_ context.Context, asked []event.Request) error {
	for _, request := range asked {
		f.concern(request.Gateway)
	}
	return nil
}

func (f *flow) concern(gateway grant.Gateway) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.concerns[gateway.ARN()] = true
}

func (*flow) Publish(context.Context, []plan.Notice) error { return nil }
func (*flow) Emit(context.Context, string, map[string]int) {}

// event is a payload of events/ about another account, which is what moto, that
// sends none, leaves out.
func (f *flow) event(name, account string) {
	f.t.Helper()
	raw, err := os.ReadFile("../../events/" + name + ".json")
	check(f.t, err)
	described, err := f.client.DescribeOrganization(f.t.Context(), &sdk.DescribeOrganizationInput{})
	check(f.t, err)
	text := strings.NewReplacer("111122223333", *described.Organization.MasterAccountId, "444455556666", account).Replace(string(raw))
	check(f.t, f.handler.Handle(f.t.Context(), json.RawMessage(text)))
}

// minute lets one pass, and has what is due then done.
func (f *flow) minute() {
	f.t.Helper()
	f.now = f.now.Add(time.Minute)
	check(f.t, f.handler.Handle(f.t.Context(), json.RawMessage(`{"sweep":"rechecks"}`)))
}

// concerned are the gateways asked for since the last look, by name.
func (f *flow) concerned() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var names []string
	for arn := range f.concerns {
		name := arn[strings.LastIndex(arn, "/")+1:]
		names = append(names, strings.TrimSuffix(name, "-0123456789"))
	}
	clear(f.concerns)
	slices.Sort(names)
	return names
}

// An account's life reaches the gateways that it gains or loses, and no others.
func TestAccountChangesReachGateways(t *testing.T) {
	f := newFlow(t)
	ctx := t.Context()
	_, err := f.client.CreateOrganization(ctx, &sdk.CreateOrganizationInput{FeatureSet: types.OrganizationFeatureSetAll})
	check(t, err)
	roots, err := f.client.ListRoots(ctx, &sdk.ListRootsInput{})
	check(t, err)
	root := roots.Roots[0].Id
	outer := createUnit(t, f.client, root)
	inner, other := createUnit(t, f.client, outer), createUnit(t, f.client, root)
	f.grant("outer", *outer)
	f.grant("inner", *inner)
	f.grant("direct", *outer+"/direct")
	f.grant("other", *other)
	f.grant("tagged", "tag:env=prod")
	check(t, f.handler.Handle(ctx, json.RawMessage(`{"sweep":"organization"}`)))
	step := func(what string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, f.concerned()); diff != "" {
			t.Errorf("%s: gateways -want +got\n%s", what, diff)
		}
	}
	step("before anything")

	created, err := f.client.CreateAccount(ctx, &sdk.CreateAccountInput{AccountName: aws.String("B"), Email: aws.String("b@example.com")})
	check(t, err)
	id := created.CreateAccountStatus.AccountId
	f.event("organizations-create-account-result", *id)
	step("created, in the root")

	_, err = f.client.MoveAccount(ctx, &sdk.MoveAccountInput{AccountId: id, SourceParentId: root, DestinationParentId: inner})
	check(t, err)
	f.event("organizations-move-account", *id)
	step("moved into a unit of a unit", "inner", "outer")

	_, err = f.client.TagResource(ctx, &sdk.TagResourceInput{ResourceId: id, Tags: []types.Tag{{Key: aws.String("env"), Value: aws.String("prod")}}})
	check(t, err)
	f.event("tag-change-on-account", *id)
	step("tagged", "tagged")

	_, err = f.client.MoveAccount(ctx, &sdk.MoveAccountInput{AccountId: id, SourceParentId: inner, DestinationParentId: other})
	check(t, err)
	f.event("organizations-move-account", *id)
	step("moved elsewhere, and not yet sure to have left", "inner", "other", "outer", "tagged")
	f.minute()
	step("sure to have left", "inner", "other", "outer", "tagged")

	_, err = f.client.CloseAccount(ctx, &sdk.CloseAccountInput{AccountId: id})
	check(t, err)
	f.event("organizations-close-account", *id)
	f.minute()
	step("closed", "other", "tagged")
	f.minute()
	step("nothing new")
}
