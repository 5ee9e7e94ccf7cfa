package reconcile_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

const (
	rootB         = "arn:aws:iam::444455556666:root"
	rootC         = "arn:aws:iam::777788889999:root"
	foreignReader = `{"Sid":"Partner","Effect":"Allow","Principal":{"AWS":"` + rootC + `"},"Action":"bedrock-agentcore:InvokeGateway","Resource":"GATEWAY"}`
)

func TestGrantOpensAndExpiryCloses(t *testing.T) {
	c := newCloud(t)
	c.grant("account-b", "444455556666")
	result := c.reconcile()
	if diff := cmp.Diff([]string{rootB}, c.principals()); diff != "" {
		t.Errorf("after the grant: -want +got\n%s", diff)
	}
	if result.Writes != 1 || result.Passes != 2 || result.Failure != nil {
		t.Errorf("%d writes in %d passes, %v", result.Writes, result.Passes, result.Failure)
	}
	if got := c.state().Grants[c.key("account-b")].Phase; got != grant.PhaseAdmitted {
		t.Errorf("the grant is %s", got)
	}

	c.revoke("account-b")
	c.reconcile()
	if got := c.principals(); len(got) > 0 {
		t.Errorf("after the revocation: %v", got)
	}
	if state := c.state(); len(state.Grants) > 0 {
		t.Errorf("what is left of the grant: %+v", state.Grants)
	}
	if diff := cmp.Diff([]plan.NoticeType{plan.PolicyApplied, plan.PolicyApplied}, c.notices.types()); diff != "" {
		t.Errorf("notices: -want +got\n%s", diff)
	}
}

func TestInASteadyStateNothingIsWritten(t *testing.T) {
	c := newCloud(t)
	c.grant("account-b", "444455556666")
	c.grant("mistaken", "everyone")
	c.reconcile()
	c.now = c.now.Add(3 * time.Minute)
	c.reconcile() // the look after the write
	state, writes, published := c.state(), c.gateways.writes, len(c.notices.published)
	if !state.Gateway.Due.IsZero() {
		t.Errorf("due again at %s", state.Gateway.Due)
	}
	for range 3 {
		c.now = c.now.Add(time.Hour)
		if result := c.reconcile(); result.Writes != 0 || result.Passes != 1 {
			t.Errorf("%d writes in %d passes", result.Writes, result.Passes)
		}
	}
	if diff := cmp.Diff(state, c.state()); diff != "" || c.gateways.writes != writes || len(c.notices.published) != published {
		t.Errorf("%d puts, %d notices more, state -want +got\n%s", c.gateways.writes-writes, len(c.notices.published)-published, diff)
	}
}

func TestDeletedPolicyIsRepaired(t *testing.T) {
	c := newCloud(t)
	c.grant("account-b", "444455556666")
	c.reconcile()
	if err := c.gateways.service.DeleteResourcePolicy(owner, c.gateway.ARN()); err != nil {
		t.Fatal(err)
	}
	c.reconcile()
	if diff := cmp.Diff([]string{rootB}, c.principals()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if types := c.notices.types(); !slices.Contains(types, plan.DriftRepaired) {
		t.Errorf("notices %v", types)
	}
}

func TestConcurrentForeignStatementIsKept(t *testing.T) {
	c := newCloud(t)
	c.grant("account-b", "444455556666")
	meddle := true
	c.reconciler = reconcile.New(withPolicyHook(c, func() {
		if meddle {
			meddle = false
			c.putByHand(foreignReader)
		}
	}), plan.DefaultLimits())
	c.reconcile()
	if diff := cmp.Diff([]string{rootB, rootC}, c.principals()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	c.revoke("account-b")
	c.reconcile()
	if diff := cmp.Diff([]string{rootC}, c.principals()); diff != "" {
		t.Errorf("after the revocation: -want +got\n%s", diff)
	}
}

// withPolicyHook runs the hook before each read of the policy but the first of a
// pass: where a foreign writer is the hardest to see.
func withPolicyHook(c *cloud, hook func()) reconcile.Dependencies {
	d := c.reconciler.Dependencies
	d.Gateways = &rereadHook{gateways: c.gateways, hook: hook}
	return d
}

type rereadHook struct {
	*gateways
	hook  func()
	reads int
}

func (h *rereadHook) Describe(ctx context.Context, gateway grant.Gateway) (plan.Observed, error) {
	h.reads = 0
	return h.gateways.Describe(ctx, gateway)
}

func (h *rereadHook) Policy(ctx context.Context, gateway grant.Gateway) (*policy.Document, error) {
	if h.reads++; h.reads > 1 {
		h.hook()
	}
	return h.gateways.Policy(ctx, gateway)
}

func TestWriteInDoubtIsVerified(t *testing.T) {
	for name, test := range map[string]struct {
		reason string
		hook   func(*gateways)
	}{
		"it took effect": {"the answer was lost after the write", func(g *gateways) { g.afterPut = once(reconcile.CodeUnknownOutcome) }},
		"it did not":     {"the request was lost before the write", func(g *gateways) { g.beforePut = once(reconcile.CodeUnknownOutcome) }},
	} {
		c := newCloud(t)
		c.grant("account-b", "444455556666")
		test.hook(c.gateways)
		result := c.reconcile()
		if diff := cmp.Diff([]string{rootB}, c.principals()); diff != "" || result.Failure != nil {
			t.Errorf("%s (%s): %v, -want +got\n%s", name, test.reason, result.Failure, diff)
		}
	}
}

// once fails the first call with the code.
func once(code grant.Code) func() error {
	done := false
	return func() error {
		if done {
			return nil
		}
		done = true
		return &grant.Error{Code: code, Op: "test"}
	}
}

func TestFailureIsRecordedAndRetried(t *testing.T) {
	c := newCloud(t)
	c.grant("account-b", "444455556666")
	c.gateways.beforePut = func() error { return &grant.Error{Code: reconcile.CodeThrottled, Op: "test"} }
	var waits []time.Duration
	for range 8 {
		result := c.reconcile()
		state := c.state().Gateway
		if result.Failure == nil || result.Failure.Code != reconcile.CodeThrottled || state.LastError != reconcile.CodeThrottled {
			t.Fatalf("failure %v, recorded %+v", result.Failure, state)
		}
		waits = append(waits, state.Due.Sub(c.now))
		c.now = state.Due
	}
	var want []time.Duration
	for _, minutes := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		want = append(want, minutes*time.Minute)
	}
	if diff := cmp.Diff(want, waits); diff != "" {
		t.Errorf("waits: -want +got\n%s", diff)
	}
	due, err := c.states.Due(t.Context(), c.now)
	if err != nil || !slices.Equal(due, []string{c.gateway.ARN()}) {
		t.Errorf("due: %v, %v", due, err)
	}

	c.gateways.beforePut = nil
	c.reconcile()
	if state := c.state().Gateway; state.LastError != "" || state.Failures != 0 {
		t.Errorf("after it went well: %+v", state)
	}
}

func TestUnrecordedOutcomeIsRetried(t *testing.T) {
	c := newCloud(t)
	c.grant("account-b", "444455556666")
	d := c.reconciler.Dependencies
	d.States = brokenStates{c.states}
	_, err := reconcile.New(d, plan.DefaultLimits()).Reconcile(t.Context(), c.gateway, reconcile.Cause{})
	if err == nil || c.gateways.writes != 0 {
		t.Errorf("%d writes, %v", c.gateways.writes, err)
	}
}

type brokenStates struct{ reconcile.States }

func (brokenStates) Update(context.Context, grant.Gateway, ledger.State, ledger.Transition) (ledger.State, error) {
	return ledger.State{}, errors.New("no table today")
}

func TestMissingSentinelRemovesNothing(t *testing.T) {
	c := newCloud(t)
	c.grant("account-b", "444455556666")
	c.reconcile()
	if _, err := c.grants.Delete(t.Context(), grant.Key{Gateway: grant.EveryGateway, ID: grant.SentinelID}); err != nil {
		t.Fatal(err)
	}
	c.revoke("account-b")
	result := c.reconcile()
	if diff := cmp.Diff([]string{rootB}, c.principals()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if result.Failure == nil || c.state().Gateway.LastError == "" {
		t.Errorf("failure %v, recorded %+v", result.Failure, c.state().Gateway)
	}
}

func TestDirectoryDownDoesNotHoldRevocations(t *testing.T) {
	c := newCloud(t)
	account := directory.Account{ID: "444455556666", State: directory.StateActive, Organization: "o-exampleorgid", Path: []string{"ou-abcd-11112222"}, ReadAt: c.now}
	other := directory.Account{ID: "777788889999", State: directory.StateActive, Organization: "o-exampleorgid", ReadAt: c.now}
	for _, a := range []directory.Account{account, other} {
		if _, err := c.accounts.Write(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.accounts.MarkSynced(t.Context(), c.now); err != nil {
		t.Fatal(err)
	}
	c.grant("unit", "ou-abcd-11112222")
	c.grant("explicit", "777788889999")
	c.reconcile()
	if diff := cmp.Diff([]string{rootB, rootC}, c.principals()); diff != "" {
		t.Fatalf("before: -want +got\n%s", diff)
	}

	d := c.reconciler.Dependencies
	d.Directory = brokenDirectory{}
	c.reconciler = reconcile.New(d, plan.DefaultLimits())
	c.revoke("explicit")
	c.reconcile()
	if diff := cmp.Diff([]string{rootB}, c.principals()); diff != "" {
		t.Errorf("after: -want +got\n%s", diff)
	}
	if state := c.state().Gateway; state.LastError != grant.CodeDirectoryFailed || state.Due.IsZero() {
		t.Errorf("recorded %+v", state)
	}
}

type brokenDirectory struct{}

func (brokenDirectory) Lookup(context.Context, []grant.Principal, []string) (directory.Snapshot, error) {
	return directory.Snapshot{}, errors.New("no table today")
}

func TestNotConvergedIsRetriedLater(t *testing.T) {
	c := newCloud(t)
	c.grant("account-b", "444455556666")
	c.gateways.afterPut = func() error { c.putByHand(foreignReader); return nil }
	result := c.reconcile()
	if result.Failure == nil || result.Failure.Code != reconcile.CodeNotConverged || c.state().Gateway.Due.IsZero() {
		t.Errorf("failure %v, recorded %+v", result.Failure, c.state().Gateway)
	}
}

func TestInvalidRowBlocksNoOther(t *testing.T) {
	c := newCloud(t)
	c.grant("a-session", "arn:aws:sts::444455556666:assumed-role/Agent/s")
	c.grant("b", "444455556666")
	c.grant("c-misspelt", "777788889999", "condition", map[string]any{})
	c.reconcile()
	if diff := cmp.Diff([]string{rootB}, c.principals()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	got := c.state().Grants[c.key("a-session")]
	if got.Phase != grant.PhaseInvalid || got.Reason != grant.CodeSessionPrincipal || !strings.Contains(got.Message, "role/Agent") {
		t.Errorf("%+v", got)
	}
}

func TestDeletedGatewayIsReported(t *testing.T) {
	c := newCloud(t)
	c.grant("account-b", "444455556666")
	if _, err := c.gateways.service.DeleteGateway(owner, c.gateway.ID()); err != nil {
		t.Fatal(err)
	}
	result := c.reconcile()
	if result.Failure == nil || result.Failure.Code != grant.CodeGatewayGone {
		t.Errorf("failure %v", result.Failure)
	}
	if got := c.state().Grants[c.key("account-b")]; got.Reason != grant.CodeGatewayGone {
		t.Errorf("the grant is %+v", got)
	}
}

func TestUntaggedGatewayIsNotWritten(t *testing.T) {
	c := newCloud(t)
	if err := c.gateways.service.UntagResource(owner, c.gateway.ARN(), []string{plan.ManagedTag}); err != nil {
		t.Fatal(err)
	}
	c.grant("account-b", "444455556666")
	if result := c.reconcile(); result.Failure == nil || result.Failure.Code != grant.CodeNotManaged || c.gateways.writes != 0 {
		t.Errorf("%d writes, %v", c.gateways.writes, result.Failure)
	}
}

func TestJournalHasEveryWrite(t *testing.T) {
	c := newCloud(t)
	c.grant("account-b", "444455556666")
	c.reconcile()
	entries, err := c.states.History(t.Context(), c.gateway, 10)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	e := entries[0]
	if e.Cause != "test" || e.Observed != "" || !strings.Contains(e.Written, rootB) || e.Outcome != "written" || !e.At.Equal(c.now) {
		t.Errorf("%+v", e)
	}
}

func TestReconcileUnderQuirks(t *testing.T) {
	eachQuirk(t, func(c *cloud) {
		c.putByHand(foreignReader)
		c.now = c.now.Add(time.Minute) // a statement that AWS does not show yet cannot be kept
		c.grant("account-b", "444455556666")
		c.grant("role", "arn:aws:iam::888899990000:role/Agent")
		c.grant("by-name", "888899990000", "role", "Later", "follow", "name")
		c.reconcileUntilSettled()
		want := []string{rootB, rootC, "arn:aws:iam::888899990000:role/Agent", "arn:aws:iam::888899990000:root"}
		if diff := cmp.Diff(want, c.principals()); diff != "" {
			c.t.Errorf("granted: -want +got\n%s", diff)
		}
		writes := c.gateways.writes
		c.now = c.now.Add(time.Hour)
		c.reconcile()
		if c.gateways.writes != writes {
			c.t.Error("what was settled is written again")
		}
		for _, id := range []string{"account-b", "role", "by-name"} {
			c.revoke(id)
		}
		c.reconcileUntilSettled()
		if diff := cmp.Diff([]string{rootC}, c.principals()); diff != "" {
			c.t.Errorf("revoked: -want +got\n%s", diff)
		}
	})
}

func TestRoundTripRefusedByAWSIsReported(t *testing.T) {
	c := newCloud(t, model.ScalarsAsLists, model.OneResourceListRefused)
	c.putByHand(foreignReader)
	c.grant("account-b", "444455556666")
	result := c.reconcile()
	if result.Failure == nil || result.Failure.Code != reconcile.CodeBlockedByForeign || !strings.Contains(result.Failure.Hint, "statement Partner") {
		t.Errorf("failure %v", result.Failure)
	}
	if got := c.state(); got.Gateway.LastError != reconcile.CodeBlockedByForeign || got.Grants[c.key("account-b")].Reason != reconcile.CodeBlockedByForeign {
		t.Errorf("recorded %+v", got)
	}
	if diff := cmp.Diff([]string{rootC}, c.principals()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestResultAppliedAndRepaired(t *testing.T) {
	c := newCloud(t)
	c.grant("account-b", "444455556666")
	c.gateways.afterPut = func() error { c.now = c.now.Add(time.Second); return nil }
	if result := c.reconcile(); !result.Applied.Equal(c.now) || result.Repaired {
		t.Errorf("applied at %s, now %s, repaired %t", result.Applied, c.now, result.Repaired)
	}
	if result := c.reconcile(); !result.Applied.IsZero() {
		t.Errorf("nothing was written, and applied at %s", result.Applied)
	}
	c.putByHand(foreignReader)
	if result := c.reconcile(); !result.Applied.Equal(c.now) || !result.Repaired {
		t.Errorf("drift: applied at %s, now %s, repaired %t", result.Applied, c.now, result.Repaired)
	}
}
