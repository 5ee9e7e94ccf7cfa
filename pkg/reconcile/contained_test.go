package reconcile_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

const containment = `{"Sid":"SecurityIncidentIsolate","Effect":"Deny","Principal":"*","Action":["bedrock-agentcore:InvokeGateway"],"Resource":"GATEWAY"}`

// TestIncidentDenyStaysBesideGrants follows an incident response that denies
// everyone by replacing the policy, and its all-clear that deletes it.
func TestIncidentDenyStaysBesideGrants(t *testing.T) {
	c := newCloud(t)
	c.grant("account-b", "444455556666")
	c.reconcileUntilSettled()

	c.putByHand(containment)
	c.reconcile()
	document, err := c.gateways.Policy(t.Context(), c.gateway)
	if err != nil || len(document.Statements) != 2 || document.Statements[0].Sid != "SecurityIncidentIsolate" {
		t.Fatalf("after the containment: %v, %v", document, err)
	}
	if got := c.state().Grants[c.key("account-b")]; got.Phase != grant.PhaseAdmitted || got.Reason != grant.CodeForeignDeny || !strings.Contains(got.Message, "SecurityIncidentIsolate") {
		t.Errorf("the grant is %+v", got)
	}
	repaired := c.detail(plan.DriftRepaired)
	if len(repaired) != 1 || !strings.Contains(repaired[0].Message, `statement 1 (Sid "SecurityIncidentIsolate") goes on denying`) {
		t.Errorf("Drift Repaired: %+v", repaired)
	}

	if err := c.gateways.service.DeleteResourcePolicy(owner, c.gateway.ARN()); err != nil {
		t.Fatal(err)
	}
	c.now = c.now.Add(2 * time.Hour)
	c.reconcile()
	if got := c.state().Grants[c.key("account-b")]; got.Reason != "" || !slices.Equal(c.principals(), []string{rootB}) {
		t.Errorf("after the all-clear: %v, %+v", c.principals(), got)
	}
	if repaired = c.detail(plan.DriftRepaired); len(repaired) != 2 || !strings.Contains(repaired[1].Message, "only this installation's statements were put back") {
		t.Errorf("Drift Repaired: %+v", repaired)
	}
}

// detail is the detail of each notice of a type that reports a written policy.
func (c *cloud) detail(kind plan.NoticeType) []plan.AppliedDetail {
	var details []plan.AppliedDetail
	for _, notice := range c.notices.published {
		if notice.Type == kind {
			details = append(details, notice.Detail.(plan.AppliedDetail))
		}
	}
	return details
}

// TestGatewayOpenedByOthersIsReportedOnce is about what AWS is seen to take on a
// Runtime, an Allow for everyone without a condition.
func TestGatewayOpenedByOthersIsReportedOnce(t *testing.T) {
	c := newCloud(t, model.WildcardAllowAccepted)
	c.grant("account-b", "444455556666")
	c.putByHand(`{"Sid":"Public","Effect":"Allow","Principal":"*","Action":"bedrock-agentcore:InvokeGateway","Resource":"GATEWAY"}`)
	c.reconcileUntilSettled()
	c.reconcile()
	if state := c.state(); state.Gateway.Open != `statement 1 (Sid "Public")` || state.Gateway.LastError != "" || state.Grants[c.key("account-b")].Phase != grant.PhaseAdmitted {
		t.Errorf("%+v", state)
	}
	published := 0
	for _, kind := range c.notices.types() {
		if kind == plan.GatewayOpen {
			published++
		}
	}
	if published != 1 {
		t.Errorf("%d notices of it, want 1", published)
	}
	if err := c.gateways.service.DeleteResourcePolicy(owner, c.gateway.ARN()); err != nil {
		t.Fatal(err)
	}
	c.reconcileUntilSettled()
	if open := c.state().Gateway.Open; open != "" {
		t.Errorf("after the statement went: %q", open)
	}
}

// TestRevocationDespiteAmbiguousForeignStatement has a statement in which a
// name comes twice, as AWS may keep it.
func TestRevocationDespiteAmbiguousForeignStatement(t *testing.T) {
	const twice = `{"Sid":"Tls","Effect":"Deny","Principal":"*","Action":"bedrock-agentcore:InvokeGateway","Resource":"GATEWAY","Condition":{"Bool":{"aws:SecureTransport":true,"aws:SecureTransport":false}}}`
	c := newCloud(t, model.RepeatedNamesAccepted)
	c.putByHand(twice)
	c.grant("account-b", "444455556666")
	c.grant("account-c", "777788889999")
	c.reconcileUntilSettled()
	c.revoke("account-b")
	if result := c.reconcile(); result.Failure != nil || !slices.Equal(c.principals(), []string{rootC}) {
		t.Errorf("after the revocation: %v, %v", c.principals(), result.Failure)
	}
	text, err := c.gateways.service.GetResourcePolicy(owner, c.gateway.ARN())
	if err != nil || !strings.Contains(text, strings.ReplaceAll(twice, "GATEWAY", c.gateway.ARN())) {
		t.Errorf("the statement lost its bytes: %s, %v", text, err)
	}
	if got := c.state().Grants[c.key("account-c")]; got.Reason != "" {
		t.Errorf("the Deny for plain HTTP is taken for one of calls that exist: %+v", got)
	}
}
