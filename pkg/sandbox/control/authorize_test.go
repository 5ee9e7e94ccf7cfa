package control_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol"
)

const reader = `{"Version":"2012-10-17","Statement":[
	{"Effect":"Allow","Action":["bedrock-agentcore:Get*","bedrock-agentcore:List*"],"Resource":"*"},
	{"Effect":"Allow","Action":"bedrock-agentcore:TagResource","Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/team":"a"}}},
	{"Effect":"Allow","Action":"bedrock-agentcore:PutResourcePolicy","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"a"}}},
	{"Effect":"Deny","Action":"bedrock-agentcore:GetResourcePolicy","Resource":"*"}]}`

func TestACallNeedsTheCallersIdentityPolicy(t *testing.T) {
	s := start(t)
	owner, ctx := s.owner(), t.Context()
	g := s.gateway(owner, "tools")
	client := s.client(s.user("reader", reader))

	if _, err := client.GetGateway(ctx, &bedrockagentcorecontrol.GetGatewayInput{GatewayIdentifier: g.GatewayId}); err != nil {
		t.Errorf("an allowed read: %v", err)
	}
	_, err := client.DeleteGateway(ctx, &bedrockagentcorecontrol.DeleteGatewayInput{GatewayIdentifier: g.GatewayId})
	want := "AccessDeniedException: User: arn:aws:iam::111122223333:user/reader is not authorized to perform: bedrock-agentcore:DeleteGateway on resource: " +
		*g.GatewayArn + " because no identity-based policy allows the bedrock-agentcore:DeleteGateway action"
	if said(err) != want {
		t.Errorf("got %q, want %q", said(err), want)
	}
	_, err = client.CreateGateway(ctx, gatewayNamed("mine"))
	if want := "bedrock-agentcore:CreateGateway on resource: * because"; !strings.Contains(said(err), want) {
		t.Errorf("got %q, want %q", said(err), want)
	}
	_, err = client.GetResourcePolicy(ctx, &bedrockagentcorecontrol.GetResourcePolicyInput{ResourceArn: g.GatewayArn})
	if want := *g.GatewayArn + " with an explicit deny in an identity-based policy"; !strings.HasSuffix(said(err), want) {
		t.Errorf("got %q, want %q", said(err), want)
	}
}

func TestTagsOfRequestAndGatewayReachTheDecision(t *testing.T) {
	s := start(t)
	ctx := t.Context()
	g := s.gateway(s.owner(), "tools")
	client := s.client(s.user("reader", reader))
	tag := func(team string) error {
		_, err := client.TagResource(ctx, &bedrockagentcorecontrol.TagResourceInput{ResourceArn: g.GatewayArn, Tags: map[string]string{"team": team}})
		return err
	}
	if _, err := put(t, client, *g.GatewayArn, grantTo(*g.GatewayArn)); !strings.HasPrefix(said(err), "AccessDeniedException") {
		t.Errorf("putting on an untagged gateway: %v", err)
	}
	if err := tag("b"); !strings.HasPrefix(said(err), "AccessDeniedException") {
		t.Errorf("tagging with another team: %v", err)
	}
	if err := tag("a"); err != nil {
		t.Errorf("tagging with the team: %v", err)
	}
	if _, err := put(t, client, *g.GatewayArn, grantTo(*g.GatewayArn)); err != nil {
		t.Errorf("putting on a tagged gateway: %v", err)
	}
}
