package model_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

func TestEveryCallThatChangesSomethingIsReported(t *testing.T) {
	w := newWorld(t)
	in := iamGateway("tools")
	in.Description, in.Tags = "secret plans", map[string]string{"a": "b"}
	g := w.gateway(in)
	policy := allow(g.ARN, `{"AWS":"444455556666"}`)
	target, _ := w.CreateGatewayTarget(ownerA, g.ID, echoTarget("echo"))
	_, _ = w.UpdateGatewayTarget(ownerA, g.ID, target.ID, echoTarget("echo").TargetSettings)
	_, _ = w.DeleteGatewayTarget(ownerA, g.ID, target.ID)
	_, _ = w.UpdateGateway(ownerA, g.ID, in.GatewaySettings)
	w.put(g.ARN, policy)
	_ = w.DeleteResourcePolicy(ownerA, g.ARN)
	_ = w.TagResource(ownerA, g.ARN, map[string]string{"c": "d"})
	_ = w.UntagResource(ownerA, g.ARN, []string{"c"})
	_, _ = w.GetGateway(ownerA, g.ID) // a read is not reported
	_, _ = w.DeleteGateway(ownerA, g.ID)

	events := make([]string, 0, len(w.seen))
	for _, c := range w.seen {
		events = append(events, c.Event)
		if c.ErrorCode != "" || c.Gateway != g.ARN || c.Caller != ownerA || c.Region != "us-east-1" || !c.Time.Equal(w.clock.Now()) {
			t.Errorf("%+v", c)
		}
	}
	want := []string{
		"CreateGateway", "CreateGatewayTarget", "UpdateGatewayTarget", "DeleteGatewayTarget", "UpdateGateway",
		"PutResourcePolicy", "DeleteResourcePolicy", "TagResource", "UntagResource", "DeleteGateway",
	}
	if diff := cmp.Diff(want, events); diff != "" {
		t.Fatalf("-want +got\n%s", diff)
	}
	created := w.seen[0]
	wantRequest := map[string]any{
		"name": "***", "description": "***", "authorizerType": "AWS_IAM", "protocolType": "MCP",
		"roleArn": "arn:aws:iam::111122223333:role/Gateway",
	}
	if diff := cmp.Diff(wantRequest, created.Request); diff != "" {
		t.Errorf("CreateGateway's request: -want +got\n%s", diff)
	}
	wantResponse := map[string]any{"gatewayArn": g.ARN, "gatewayId": g.ID, "gatewayUrl": g.URL, "status": model.Creating}
	if diff := cmp.Diff(wantResponse, created.Response); diff != "" {
		t.Errorf("CreateGateway's response: -want +got\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"resourceArn": g.ARN, "policy": policy}, w.seen[5].Request); diff != "" {
		t.Errorf("PutResourcePolicy's request: -want +got\n%s", diff)
	}
}

func TestARefusedCallIsReportedWithItsError(t *testing.T) {
	w := newWorld(t)
	g := w.gateway(iamGateway("tools"))
	_, _ = w.PutResourcePolicy(ownerA, g.ARN, "{")
	c := w.seen[1]
	if c.ErrorCode != "ValidationException" || c.ErrorMessage != "This policy contains invalid Json" || c.Response != nil {
		t.Errorf("%+v", c)
	}
}

func TestAChangeIsReportedOutsideTheLock(t *testing.T) {
	var service *model.Service
	calls := 0
	service = model.New(model.Options{Principals: everybody(), Changed: func(c model.Change) {
		calls++
		if _, _, err := service.ListGateways(c.Caller, model.Page{}); err != nil {
			t.Error(err)
		}
	}})
	if _, err := service.CreateGateway(ownerA, iamGateway("tools")); err != nil || calls != 1 {
		t.Errorf("%d calls, %v", calls, err)
	}
}
