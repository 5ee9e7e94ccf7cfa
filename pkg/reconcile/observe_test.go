package reconcile_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// observe sets the deployment's mode.
func (c *cloud) observe(on bool) {
	limits := plan.DefaultLimits()
	limits.Observe = on
	c.reconciler = reconcile.New(c.reconciler.Dependencies, limits)
}

func TestObserveModeReportsAndWritesNothing(t *testing.T) {
	c := newCloud(t)
	c.grant("stays", "444455556666")
	c.grant("goes", "777788889999")
	c.reconcile()
	before, writes := c.text(), c.gateways.writes

	c.observe(true)
	c.revoke("goes")
	c.grant("comes", "888899990000")
	result := c.reconcile()
	if c.gateways.writes != writes || c.text() != before {
		t.Fatalf("a policy was written:\n%s", c.text())
	}
	want := plan.Pending{Hash: result.Plan.Hash, Added: []string{"arn:aws:iam::888899990000:root"}, Removed: []string{"arn:aws:iam::777788889999:root"}}
	if got := result.Plan.NotApplied; got == nil || got.Hash != want.Hash || !slices.Equal(got.Added, want.Added) || !slices.Equal(got.Removed, want.Removed) {
		t.Errorf("not applied: %+v, want %+v", got, want)
	}
	state := c.state()
	if got := state.Grants[c.key("comes")]; got.Phase != grant.PhaseLeftOut || got.Reason != grant.CodeObserved || got.Message != "observe: not applied" {
		t.Errorf("the new grant is %+v", got)
	}
	if got := state.Grants[c.key("stays")]; got.Phase != grant.PhaseAdmitted || got.Reason != "" {
		t.Errorf("the standing grant is %+v", got)
	}
	if state.Gateway.LastError != grant.CodeObserved || !strings.Contains(state.Gateway.LastMessage, "1 to add, 1 to remove") {
		t.Errorf("recorded: %s, %s", state.Gateway.LastError, state.Gateway.LastMessage)
	}

	published := len(c.notices.published)
	for range 3 { // at rest it says nothing again
		c.now = c.now.Add(time.Hour)
		c.reconcile()
	}
	if len(c.notices.published) != published || c.gateways.writes != writes {
		t.Errorf("at rest %d notices were published and %d policies written", len(c.notices.published)-published, c.gateways.writes-writes)
	}

	c.observe(false)
	c.reconcile()
	if text := c.text(); !strings.Contains(text, "888899990000") || strings.Contains(text, "777788889999") || !strings.Contains(text, "444455556666") {
		t.Errorf("enforced again, the policy is %s", text)
	}
	if state := c.state(); state.Gateway.LastError != "" || state.Grants[c.key("comes")].Phase != grant.PhaseAdmitted {
		t.Errorf("enforced again, recorded is %+v", state)
	}
}

func TestObserveModeIsQuietAtRest(t *testing.T) {
	c := newCloud(t)
	c.grant("account-b", "444455556666")
	c.reconcile()
	c.observe(true)
	if result := c.reconcile(); result.Failure != nil || result.Plan.NotApplied != nil {
		t.Errorf("a policy that is right is reported as %v", result.Failure)
	}
}

func TestObserveModeRepairsNoDrift(t *testing.T) {
	c := newCloud(t)
	c.grant("account-b", "444455556666")
	c.reconcile()
	c.observe(true)
	c.putByHand(foreignReader)
	writes := c.gateways.writes
	for range 4 {
		c.now = c.now.Add(10 * time.Minute)
		if result := c.reconcile(); result.Failure == nil || result.Failure.Code != grant.CodeObserved || !result.Plan.Drift {
			t.Fatalf("drift in observe mode: %v", result.Failure)
		}
	}
	if c.gateways.writes != writes {
		t.Errorf("%d policies were written", c.gateways.writes-writes)
	}
	if got := c.state().Grants[c.key("account-b")]; got.Reason != grant.CodeObserved || len(got.Admitted) != 0 || !slices.Contains(got.Withheld, "arn:aws:iam::444455556666:root") {
		t.Errorf("the grant that was taken out by hand is %+v", got)
	}
}

// An edit that cannot be understood while the deployment observes keeps what the row's
// last valid revision gave once policies are written again.
func TestObserveModeKeepsLastValidRevision(t *testing.T) {
	c := newCloud(t)
	c.grant("account-b", "444455556666")
	c.reconcile()
	c.observe(true)
	c.grant("account-b", "444455556666", "conditions", map[string]any{"sourceIp": []any{"203.0.113.0/24"}})
	c.reconcile()
	c.grant("account-b", "444455556666", "condition", "misspelt")
	c.reconcile()
	c.observe(false)
	c.reconcile()
	if text := c.text(); !strings.Contains(text, "203.0.113.0/24") {
		t.Errorf("the last valid revision was for one range, and the policy is %s", text)
	}
}

// A unique id that turns up in the policy is not the trace of a role that was never let in.
func TestObserveModeHoldsNoPlannedRole(t *testing.T) {
	c := newCloud(t)
	c.grant("stands", role(1))
	c.reconcileUntilSettled()
	c.observe(true)
	c.grant("planned", role(2))
	c.reconcile()
	c.iam.recreated[role(1)] = true
	c.reconcile()
	c.observe(false)
	c.reconcileUntilSettled()
	if got := c.principals(); !slices.Equal(got, []string{role(2)}) {
		t.Errorf("let in are %v; %+v", got, c.state().Grants[c.key("planned")])
	}
}

func TestObserveModeForgetsNoDeletedRole(t *testing.T) {
	c := newCloud(t)
	c.grant("agent", role(1))
	c.reconcile()
	c.observe(true)
	c.revoke("agent")
	c.reconcile() // the role stands, and is to be removed
	c.now = c.now.Add(time.Hour)
	c.iam.recreated[role(1)] = true
	c.reconcile()
	c.grant("agent", role(1))
	c.observe(false)
	c.reconcile()
	if got := c.principals(); len(got) > 0 {
		t.Errorf("let in: %v", got)
	}
	if got := c.state().Grants[c.key("agent")]; got.Reason != grant.CodeRecreated {
		t.Errorf("the grant is %+v", got)
	}
}
