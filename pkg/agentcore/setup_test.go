package agentcore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	control "github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol/types"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

const (
	role   = "arn:aws:iam::111122223333:role/GatewayRole"
	lambda = "arn:aws:lambda:us-east-1:111122223333:function:echo"
)

var (
	owner = model.Caller{Account: account}
	spec  = GatewaySpec{Name: "cross-account-test", RoleARN: role}
)

func targetSpec() TargetSpec {
	return TargetSpec{Name: "echo-tools", LambdaARN: lambda, Tools: []types.ToolDefinition{{
		Name: aws.String("echo_message"), Description: aws.String("Echo back a message for testing"),
		InputSchema: &types.SchemaDefinition{Type: types.SchemaTypeObject},
	}}}
}

func (s *standIn) made(t *testing.T) (SetUp, string) {
	t.Helper()
	gateway, err := s.setup.Gateway(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	target, created, err := s.setup.Target(t.Context(), gateway.ID, targetSpec())
	if err != nil || !created {
		t.Fatal(created, err)
	}
	return gateway, target
}

func TestSetupWaitsAndMayBeRepeated(t *testing.T) {
	s := newStandIn(t, 5*time.Second)
	gateway, target := s.made(t)
	if !gateway.Created || gateway.Tagged || gateway.RoleARN != role || gateway.URL != "https://example.com/"+gateway.ID+"/mcp" {
		t.Errorf("made %+v", gateway)
	}
	// Each takes five seconds and is looked at every other one.
	want := []string{
		"gateway " + gateway.ID + " CREATING", "gateway " + gateway.ID + " CREATING", "gateway " + gateway.ID + " CREATING", "gateway " + gateway.ID + " READY",
		"target echo-tools CREATING", "target echo-tools CREATING", "target echo-tools CREATING", "target echo-tools READY",
	}
	if diff := cmp.Diff(want, s.waited); diff != "" {
		t.Errorf("waited for: -want +got\n%s", diff)
	}

	s.waited = nil
	again, err := s.setup.Gateway(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	same, created, err := s.setup.Target(t.Context(), gateway.ID, targetSpec())
	if err != nil || created || same != target || again.Created || again.ID != gateway.ID || len(s.waited) > 0 {
		t.Errorf("the second time %+v, target %s created %t, waited %v: %v", again, same, created, s.waited, err)
	}
}

func TestNamedReadsEveryPage(t *testing.T) {
	s := newStandIn(t, 0)
	for i := range 3 {
		if _, err := s.CreateGateway(owner, model.CreateGatewayInput{GatewaySettings: model.GatewaySettings{
			Name: fmt.Sprintf("gateway-%d", i), RoleARN: role, AuthorizerType: model.AWSIAM, ProtocolType: "MCP",
		}}); err != nil {
			t.Fatal(err)
		}
	}
	s.setup.Control = onePerPage{s.setup.Control}
	got, err := s.setup.Gateway(t.Context(), GatewaySpec{Name: "gateway-2", RoleARN: role})
	if err != nil || got.Created || !got.Tagged || !strings.HasPrefix(got.ID, "gateway-2-") {
		t.Errorf("%+v, %v", got, err)
	}
	tags, err := s.ListTagsForResource(owner, got.ARN)
	if err != nil || tags[plan.ManagedTag] != plan.ManagedValue {
		t.Errorf("tags %v, %v", tags, err)
	}
}

// onePerPage lists gateways one by one.
type onePerPage struct{ SetupControl }

func (o onePerPage) ListGateways(ctx context.Context, in *control.ListGatewaysInput, options ...func(*control.Options)) (*control.ListGatewaysOutput, error) {
	one := *in
	one.MaxResults = aws.Int32(1)
	return o.SetupControl.ListGateways(ctx, &one, options...)
}

func TestSetupRefusesOtherOfSameName(t *testing.T) {
	s := newStandIn(t, 0)
	gateway, _ := s.made(t)
	other := targetSpec()
	other.LambdaARN = lambda + "2"
	if _, _, err := s.setup.Target(t.Context(), gateway.ID, other); grant.CodeOf(err) != CodeOtherTarget {
		t.Errorf("another function: %v", err)
	}
	if _, err := s.CreateGateway(owner, model.CreateGatewayInput{GatewaySettings: model.GatewaySettings{
		Name: "open", RoleARN: role, AuthorizerType: model.NoAuthorizer, ProtocolType: "MCP",
	}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.setup.Gateway(t.Context(), GatewaySpec{Name: "open", RoleARN: role}); grant.CodeOf(err) != grant.CodeWrongAuthorizer {
		t.Errorf("another authorizer: %v", err)
	}
}

func TestDeleteWaitsAndMayBeRepeated(t *testing.T) {
	s := newStandIn(t, 5*time.Second)
	made, target := s.made(t)
	gateway, err := grant.ParseGateway(made.ARN)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.PutResourcePolicy(owner, made.ARN, aDocumentOn(t, gateway)); err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		what   string
		remove func() (bool, error)
	}{
		{"policy", func() (bool, error) { return s.setup.DeletePolicy(t.Context(), gateway) }},
		{"target", func() (bool, error) { return s.setup.DeleteTarget(t.Context(), made.ID, target) }},
		{"gateway", func() (bool, error) { return s.setup.DeleteGateway(t.Context(), made.ID) }},
	}
	for _, there := range []bool{true, false} {
		for _, step := range steps {
			if existed, err := step.remove(); err != nil || existed != there {
				t.Errorf("%s: existed %t, want %t: %v", step.what, existed, there, err)
			}
		}
	}
	if _, exists := s.Lookup(made.ID); exists {
		t.Error("the gateway is still there")
	}
	if targets, err := s.setup.Targets(t.Context(), made.ID); err != nil || len(targets) > 0 {
		t.Errorf("targets of what is gone: %v, %v", targets, err)
	}
}

func aDocumentOn(t *testing.T, gateway grant.Gateway) string {
	t.Helper()
	return strings.ReplaceAll(strings.ReplaceAll(aDocument(t).String(), theGateway(t).ARN(), gateway.ARN()), "444455556666", account)
}

func TestWaitingEndsWithAReason(t *testing.T) {
	get := "GET /gateways/" + gatewayID + "/"
	status := func(status, reasons string) answer {
		return say(200, strings.Replace(gatewayAnswer(gatewayID, "AWS_IAM", status), `"status"`, `"statusReasons":[`+reasons+`],"status"`, 1))
	}
	tests := []struct {
		reason string
		answer answer
		says   string
	}{
		{"it failed", status("FAILED", `"The role cannot be assumed"`), "wait for gateway " + gatewayID + ": it is FAILED (The role cannot be assumed); delete it and create it again"},
		{"it is in a status that is new to us", status("PAUSED", ""), "it is PAUSED; delete it and create it again"},
		{"it is deleted meanwhile", status("DELETING", ""), "it is being deleted; try again when it is gone"},
		{"it never ends", status("CREATING", ""), "wait for gateway " + gatewayID + ", now CREATING: it takes too long; try again later, nothing needs to be undone"},
		{"it cannot be looked at", refuse(403, "AccessDeniedException", "not you"), "look at gateway " + gatewayID + ": "},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			service := serve(t, map[string]answer{
				"GET /gateways/": say(200, `{"items":[{"gatewayId":"`+gatewayID+`","name":"cross-account-test"}]}`),
				get:              test.answer,
			})
			clock := newFrozen()
			setup := Setup{Control: control.NewFromConfig(configFor(service.URL)), Clock: clock.clock()}
			_, err := setup.Gateway(t.Context(), spec)
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %q", err, test.says)
			}
			if clock.slept > waitMost+lookEvery {
				t.Errorf("waited %s", clock.slept)
			}
		})
	}
}

func TestWaitingEndsWithItsContext(t *testing.T) {
	s := newStandIn(t, time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	s.setup.Waiting = func(string, string) { cancel() }
	if _, err := s.setup.Gateway(ctx, spec); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}
