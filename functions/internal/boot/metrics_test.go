package boot

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/dirsync"
	"github.com/gateway-grants/gateway-grants/pkg/event"
	"github.com/gateway-grants/gateway-grants/pkg/eventtest"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/handler"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

const gatewayARN = "arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/cross-account-test-abcde12345"

// outcome is a reconcile that always ends so.
type outcome struct {
	result reconcile.Result
	err    error
}

func (o outcome) Reconcile(context.Context, grant.Gateway, reconcile.Cause) (reconcile.Result, error) {
	return o.result, o.err
}

type everyAccount struct{}

func (everyAccount) Organization(context.Context) (dirsync.Organization, error) {
	return dirsync.Organization{}, nil
}
func (everyAccount) Account(context.Context, string) (dirsync.Summary, error) {
	return dirsync.Summary{}, nil
}
func (everyAccount) All(context.Context) (dirsync.Summary, error) {
	return dirsync.Summary{Accounts: 3}, nil
}
func (everyAccount) Due(context.Context) (dirsync.Summary, error) {
	return dirsync.Summary{Holding: 3}, nil
}
func (everyAccount) Request(context.Context) error        { return nil }
func (everyAccount) Listed(context.Context) (bool, error) { return true, nil }

type oneGateway struct{}

func (oneGateway) WalkOwners(_ context.Context, owners []string, _ func(grant.Gateway) bool, found func(grant.Gateway, bool)) map[string]error {
	gateway, err := grant.ParseGateway(gatewayARN)
	found(gateway, true)
	return map[string]error{owners[0]: errors.Join(err, errors.New("the gateways cannot be listed"))}
}
func (oneGateway) Owners(context.Context) ([]string, error) { return []string{""}, nil }
func (oneGateway) RecordedOwners(context.Context) (map[string]ledger.Owner, error) {
	return map[string]ledger.Owner{}, nil
}
func (oneGateway) SetOwner(context.Context, string, ledger.Owner) error  { return nil }
func (oneGateway) Due(context.Context, time.Time) ([]string, error)      { return nil, nil }
func (oneGateway) Asked(context.Context, grant.Gateway, time.Time) error { return nil }
func (oneGateway) Load(context.Context, grant.Gateway) (ledger.State, error) {
	return ledger.State{}, nil
}
func (oneGateway) Removal(context.Context) (grant.MassRemoval, error) {
	return grant.MassRemoval{}, nil
}
func (oneGateway) Attention(context.Context) (map[string]plan.Attention, error) { return nil, nil }
func (oneGateway) Request(context.Context, []event.Request) error               { return nil }

// everything has the handlers do whatever they measure, and returns what they
// wrote.
func everything(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	asked := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC) // as the payload says
	now := func() time.Time { return asked }
	metrics, log := NewMetrics(&out, "test", now), slog.New(slog.DiscardHandler)
	events := func(o outcome, payload []byte) {
		handler := handler.GatewayEvents{Reconciler: o, Log: log, Metrics: metrics}
		if err := handler.Handle(t.Context(), payload); (err != nil) != (o.err != nil) {
			t.Error(err)
		}
	}
	request := eventtest.Payload(t, "reconcile-requested")
	events(outcome{result: reconcile.Result{
		Passes: 2, Writes: 1, Applied: asked.Add(1500 * time.Millisecond), Repaired: true,
		Plan: plan.Plan{Size: ledger.Size{Bytes: 20000, Statements: 90}, Status: map[grant.Key]grant.Status{
			{ID: "a"}: {Reason: grant.CodeQuarantined}, {ID: "b"}: {Reason: grant.CodeRecreated},
			{ID: "c"}: {Reason: grant.CodePolicyFull}, {ID: "d"}: {},
			{ID: "e"}: {Reason: grant.CodeProofFailed}, {ID: "f"}: {Reason: grant.CodePolicyRefused},
			{ID: "g"}: {Phase: grant.PhaseInvalid, Reason: grant.CodeUnknownAttribute},
		}},
	}}, request)
	events(outcome{result: reconcile.Result{Passes: 1, Failure: &grant.Error{Code: "Throttled"}}}, request)
	events(outcome{result: reconcile.Result{
		Passes: 1, Failure: &grant.Error{Code: grant.CodeNotManaged}, Plan: plan.Plan{Hash: "5c1d0e2f3a4b5c6d"},
	}}, request)
	events(outcome{result: reconcile.Result{
		Passes: 1, Failure: &grant.Error{Code: grant.CodeObserved},
		Plan: plan.Plan{Hash: "5c1d0e2f3a4b5c6d", NotApplied: &plan.Pending{Added: []string{"arn:aws:iam::444455556666:root"}}},
	}}, request)
	events(outcome{err: errors.New("no state table")}, request)
	events(outcome{}, []byte(`{}`))
	events(outcome{}, eventtest.Payload(t, "cloudtrail-put-resource-policy-failed"))

	organization := handler.Organization{Directory: everyAccount{}, Log: log, Metrics: metrics}
	sweep := handler.Sweep{States: oneGateway{}, Gateways: oneGateway{}, Requests: oneGateway{}, Now: now, Log: log, Metrics: metrics}
	if err := errors.Join(
		organization.Handle(t.Context(), eventtest.Payload(t, "schedule-organization")),
		organization.Handle(t.Context(), eventtest.Payload(t, "schedule-rechecks")),
		sweep.Handle(t.Context(), eventtest.Payload(t, "reconcile-requested-for-every-gateway")),
		sweep.Handle(t.Context(), eventtest.Payload(t, "schedule-due")),
	); err != nil {
		t.Error(err)
	}
	if err := sweep.Handle(t.Context(), eventtest.Payload(t, "schedule-gateways")); err == nil {
		t.Error("another owner's gateways were walked through")
	}
	return out.Bytes()
}

// line is a line in the embedded metric format, read as CloudWatch does.
type line struct {
	metadata metadata
	members  map[string]any
}

func readLines(t *testing.T, text []byte) []line {
	t.Helper()
	var all []line
	for raw := range strings.Lines(string(text)) {
		var l line
		var meta struct {
			AWS metadata `json:"_aws"`
		}
		if err := errors.Join(json.Unmarshal([]byte(raw), &meta), json.Unmarshal([]byte(raw), &l.members)); err != nil {
			t.Fatal(err)
		}
		l.metadata = meta.AWS
		all = append(all, l)
	}
	return all
}

func TestDocumentedMetricsAreEmitted(t *testing.T) {
	documented := map[string]string{}
	text, err := os.ReadFile("../../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (\\w+) \\| (\\w+) \\|").FindAllStringSubmatch(string(text), -1) {
		documented[row[1]] = row[2] + " of " + row[3]
	}
	emitted := map[string]string{}
	for _, l := range readLines(t, everything(t)) {
		of := " of invocation"
		if l.members["gateway"] != nil {
			of = " of gateway"
		}
		for name, value := range l.members {
			if _, is := value.(float64); is {
				emitted[name] = "value" + of
			}
		}
		for _, directive := range l.metadata.CloudWatchMetrics {
			if diff := cmp.Diff([][]string{{"FunctionName"}}, directive.Dimensions); diff != "" || directive.Namespace != "GatewayGrants" {
				t.Errorf("in %s: dimensions -want +got\n%s", directive.Namespace, diff)
			}
			for _, metric := range directive.Metrics {
				emitted[metric.Name] = "metric" + of
				if _, ok := l.members[metric.Name].(float64); !ok || metric.Unit != "Count" {
					t.Errorf("%s has the value %v, in %s", metric.Name, l.members[metric.Name], metric.Unit)
				}
			}
		}
	}
	if diff := cmp.Diff(documented, emitted); diff != "" {
		t.Errorf("-documented +emitted\n%s", diff)
	}
}

func TestAReconcileIsMeasuredByItsResult(t *testing.T) {
	first := readLines(t, everything(t))[0].members
	delete(first, "_aws")
	want := map[string]any{
		"FunctionName": "test", "gateway": gatewayARN,
		"GatewaysReconciled": 1.0, "ReconcilePasses": 2.0, "PoliciesWritten": 1.0, "DriftRepaired": 1.0,
		"GrantsQuarantined": 4.0, "GrantsWithoutRoom": 1.0, "GrantsInvalid": 1.0, "HeadroomBytes": 480.0, "HeadroomStatements": 10.0,
		"TimeToApplied": 1500.0,
	}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	second := readLines(t, everything(t))[1].members
	if _, has := second["HeadroomBytes"]; has || second["ReconcilesFailing"] != 1.0 {
		t.Errorf("of a failed reconcile: %v", slices.Sorted(maps.Keys(second)))
	}
}
