package reconcile_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

func TestAcceptedForeignStatementsBlockNothing(t *testing.T) {
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
