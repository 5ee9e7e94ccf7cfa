package reconcile_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

// Until a refused list is told from a refused principal, an AWS that takes no list
// leaves the newer principals out. That is reported, and takes nothing away.
func TestWhereListsOfPrincipalsAreRefusedWhatIsLeftOutIsReported(t *testing.T) {
	c := newCloud(t, model.PrincipalListsRefused)
	c.grant("standing", "444455556666")
	c.reconcileUntilSettled()
	c.grant("another", "555566667777")
	c.grant("third", "777788889999")
	c.settleFor(3)
	in := c.principals()
	if !slices.Contains(in, rootB) {
		t.Errorf("who stands is out: %v", in)
	}
	for id, root := range map[string]string{"another": "arn:aws:iam::555566667777:root", "third": rootC} {
		status := c.state().Grants[c.key(id)]
		if admitted := slices.Contains(in, root); admitted != (len(status.Admitted) == 1) || admitted == (status.Reason != "") {
			t.Errorf("%s: let in %t, recorded %+v", id, admitted, status)
		}
	}
	c.revoke("standing")
	c.settleFor(1)
	if in := c.principals(); slices.Contains(in, rootB) {
		t.Errorf("a revocation waits: %v", in)
	}
}

func TestForeignStatementsThatAWSIsSeenToTakeBlockNothing(t *testing.T) {
	for name, foreign := range map[string]string{
		"the action of a Runtime, for everyone": `{"Effect":"Allow","Principal":"*","Action":"bedrock-agentcore:InvokeAgentRuntime","Resource":"GATEWAY"}`,
		"every action, denied from outside": `{"Sid":"Outside","Effect":"Deny","Principal":"*","Action":"bedrock-agentcore:*","Resource":"GATEWAY",` +
			`"Condition":{"StringNotEquals":{"aws:SourceVpce":"vpce-0123456789abcdef0"}}}`,
		"InvokeGateway, for everyone": `{"Sid":"Open","Effect":"Allow","Principal":"*","Action":"bedrock-agentcore:InvokeGateway","Resource":"GATEWAY"}`,
	} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t, model.ServiceActionsAccepted, model.WildcardAllowAccepted)
			c.putByHand(foreign)
			c.now = c.now.Add(time.Minute)
			c.grant("account-b", "444455556666")
			result := c.reconcile()
			if result.Failure != nil || c.state().Gateway.LastError != "" {
				t.Errorf("failure %v, recorded %+v", result.Failure, c.state().Gateway)
			}
			want := strings.ReplaceAll(foreign, "GATEWAY", c.gateway.ARN())
			if text := c.text(); !strings.Contains(text, want) {
				t.Errorf("the foreign statement is not kept as it was: %s", text)
			}
			if in := c.principals(); !slices.Contains(in, rootB) {
				t.Errorf("%v are let in", in)
			}
			c.revoke("account-b")
			c.reconcileUntilSettled()
			if diff := cmp.Diff(`{"Version":"2012-10-17","Statement":[`+want+`]}`, c.text()); diff != "" {
				t.Errorf("revoked: -want +got\n%s", diff)
			}
		})
	}
}

// text is the policy as AWS shows it.
func (c *cloud) text() string {
	c.t.Helper()
	text, err := c.gateways.service.GetResourcePolicy(owner, c.gateway.ARN())
	if err != nil {
		c.t.Fatal(err)
	}
	return text
}
