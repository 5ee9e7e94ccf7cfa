package model_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

func TestATargetMovesThroughItsStatusesByTheClock(t *testing.T) {
	w := newWorld(t, settling(time.Second))
	g := w.gateway(iamGateway("tools"))
	w.clock.pass(time.Second)
	made, err := w.CreateGatewayTarget(ownerA, g.ID, echoTarget("echo"))
	if err != nil {
		t.Fatal(err)
	}
	if made.Status != model.Creating || made.GatewayARN != g.ARN || !regexp.MustCompile(`^[0-9a-zA-Z]{10}$`).MatchString(made.ID) {
		t.Errorf("CreateGatewayTarget = %+v", made)
	}
	if serving := w.ReadyTargets(g.ID); len(serving) != 0 {
		t.Errorf("a target being created serves: %+v", serving)
	}
	w.clock.pass(time.Second)
	got, err := w.GetGatewayTarget(ownerA, g.ID, made.ID)
	if err != nil || got.Status != model.Ready {
		t.Fatalf("GetGatewayTarget = %+v, %v", got, err)
	}
	if diff := cmp.Diff(echoTarget("echo").TargetSettings, got.TargetSettings); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}

	changed := echoTarget("echo2").TargetSettings
	if updated, err := w.UpdateGatewayTarget(ownerA, g.ID, made.ID, changed); err != nil || updated.Status != model.Updating || updated.Name != "echo2" {
		t.Fatalf("UpdateGatewayTarget = %+v, %v", updated, err)
	}
	if serving := w.ReadyTargets(g.ID); len(serving) != 1 {
		t.Errorf("a target being updated does not serve: %+v", serving)
	}
	if _, err := w.DeleteGatewayTarget(ownerA, g.ID, made.ID); code(err) != model.Validation {
		t.Errorf("deleting a target that is UPDATING: %v", err)
	}
	w.clock.pass(time.Second)

	if gone, err := w.DeleteGatewayTarget(ownerA, g.ID, made.ID); err != nil || gone.Status != model.Deleting {
		t.Fatalf("DeleteGatewayTarget = %+v, %v", gone, err)
	}
	w.clock.pass(time.Second)
	if _, err := w.GetGatewayTarget(ownerA, g.ID, made.ID); code(err) != model.ResourceNotFound {
		t.Errorf("a deleted target: %v", err)
	}
}

func TestCreateGatewayTargetValidatesRequest(t *testing.T) {
	lambda := func(in *model.CreateTargetInput) *model.LambdaTarget { return in.TargetConfiguration.MCP.Lambda }
	for name, test := range map[string]struct {
		reason string
		change func(*model.CreateTargetInput)
		want   string
	}{
		"NoName":     {"name is required", func(in *model.CreateTargetInput) { in.Name = "" }, "'name'"},
		"BadName":    {"three underscores separate target and tool", func(in *model.CreateTargetInput) { in.Name = "a___b" }, "'name'"},
		"NoConfig":   {"targetConfiguration is required", func(in *model.CreateTargetInput) { in.TargetConfiguration = nil }, "'targetConfiguration'"},
		"EmptyUnion": {"a union has one member", func(in *model.CreateTargetInput) { in.TargetConfiguration = &model.TargetConfiguration{} }, "'targetConfiguration'"},
		"TwoMembers": {"a union has one member", func(in *model.CreateTargetInput) {
			in.TargetConfiguration.MCP.MCPServer = json.RawMessage(`{"endpoint":"https://x"}`)
		}, "'targetConfiguration.mcp'"},
		"BadARN":     {"lambdaArn has a pattern", func(in *model.CreateTargetInput) { lambda(in).LambdaARN = "echo" }, "lambdaArn"},
		"LongARN":    {"lambdaArn has at most 170 characters", func(in *model.CreateTargetInput) { lambda(in).LambdaARN += strings.Repeat("o", 150) }, "lambdaArn"},
		"NoSchema":   {"a tool schema is inline or in S3", func(in *model.CreateTargetInput) { lambda(in).ToolSchema = model.ToolSchema{} }, "toolSchema"},
		"NoToolName": {"a tool has a name", func(in *model.CreateTargetInput) { lambda(in).ToolSchema.InlinePayload[0].Name = "" }, "inlinePayload.1.name"},
		"LongTool": {"a tool's name has at most 256 characters", func(in *model.CreateTargetInput) {
			lambda(in).ToolSchema.InlinePayload[0].Name = strings.Repeat("x", 257)
		}, "inlinePayload.1.name"},
		"NoInput": {"a tool has an input schema", func(in *model.CreateTargetInput) { lambda(in).ToolSchema.InlinePayload[0].InputSchema = nil }, "inputSchema"},
		"BadType": {"a schema's type is an enum", func(in *model.CreateTargetInput) { lambda(in).ToolSchema.InlinePayload[0].InputSchema.Type = "date" }, "inputSchema.type"},
		"BadProperty": {"nested schemas are checked", func(in *model.CreateTargetInput) {
			lambda(in).ToolSchema.InlinePayload[0].InputSchema.Properties["message"] = model.Schema{Type: "text"}
		}, "inputSchema.properties.message.type"},
		"ManyTools": {"a target has at most 1000 tools", func(in *model.CreateTargetInput) {
			for i := range 1000 {
				tool := lambda(in).ToolSchema.InlinePayload[0]
				tool.Name = fmt.Sprint("t", i)
				lambda(in).ToolSchema.InlinePayload = append(lambda(in).ToolSchema.InlinePayload, tool)
			}
		}, "equal to 1000"},
		"LargeSchema": {"an inline schema has at most a megabyte", func(in *model.CreateTargetInput) {
			lambda(in).ToolSchema.InlinePayload[0].Description = strings.Repeat("x", 1<<20)
		}, "inlinePayload"},
		"NoCredentials": {"a Lambda target needs the gateway's role", func(in *model.CreateTargetInput) { in.CredentialProviders = nil }, "Credential provider configurations is not defined"},
		"APIKey":        {"a Lambda target needs the gateway's role", func(in *model.CreateTargetInput) { in.CredentialProviders[0].Type = "API_KEY" }, "only supports GATEWAY_IAM_ROLE"},
		"BadProvider":   {"credentialProviderType is an enum", func(in *model.CreateTargetInput) { in.CredentialProviders[0].Type = "MAGIC" }, "credentialProviderType"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			g := w.gateway(iamGateway("tools"))
			in := echoTarget("echo")
			test.change(&in)
			_, err := w.CreateGatewayTarget(ownerA, g.ID, in)
			if code(err) != model.Validation || !strings.Contains(said(err), test.want) {
				t.Errorf("%s: got %.300q, want a ValidationException with %q", test.reason, said(err), test.want)
			}
		})
	}
}

func TestTargetsOfOtherKindsAreKeptAsGiven(t *testing.T) {
	w := newWorld(t)
	g := w.gateway(iamGateway("tools"))
	in := echoTarget("server")
	in.CredentialProviders = nil
	in.TargetConfiguration = &model.TargetConfiguration{MCP: &model.MCPTarget{MCPServer: json.RawMessage(`{"endpoint":"https://x"}`)}}
	made, err := w.CreateGatewayTarget(ownerA, g.ID, in)
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.GetGatewayTarget(ownerA, g.ID, made.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(in.TargetSettings, got.TargetSettings); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestATargetsNameIsUniqueWithinItsGateway(t *testing.T) {
	w := newWorld(t)
	g, other := w.gateway(iamGateway("tools")), w.gateway(iamGateway("others"))
	first, err := w.CreateGatewayTarget(ownerA, g.ID, echoTarget("echo"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.CreateGatewayTarget(ownerA, g.ID, echoTarget("echo")); code(err) != model.Conflict {
		t.Errorf("the same name again: %v", err)
	}
	if _, err := w.CreateGatewayTarget(ownerA, other.ID, echoTarget("echo")); err != nil {
		t.Errorf("the same name in another gateway: %v", err)
	}
	if _, err := w.UpdateGatewayTarget(ownerA, g.ID, first.ID, echoTarget("echo").TargetSettings); err != nil {
		t.Errorf("its own name: %v", err)
	}
	if _, err := w.CreateGatewayTarget(ownerA, g.ID, echoTarget("echo2")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.UpdateGatewayTarget(ownerA, g.ID, first.ID, echoTarget("echo2").TargetSettings); code(err) != model.Conflict {
		t.Errorf("another's name: %v", err)
	}
}

func TestTheSameClientTokenCreatesOneTarget(t *testing.T) {
	w := newWorld(t)
	g := w.gateway(iamGateway("tools"))
	in := echoTarget("echo")
	in.ClientToken = strings.Repeat("t", 33)
	first, err := w.CreateGatewayTarget(ownerA, g.ID, in)
	if err != nil {
		t.Fatal(err)
	}
	second, err := w.CreateGatewayTarget(ownerA, g.ID, in)
	if err != nil || second.ID != first.ID {
		t.Errorf("created %s and %s, %v", first.ID, second.ID, err)
	}
}

func TestAGatewayHasAHundredTargetsInPages(t *testing.T) {
	w := newWorld(t)
	g := w.gateway(iamGateway("tools"))
	for i := range 100 {
		if _, err := w.CreateGatewayTarget(ownerA, g.ID, echoTarget(fmt.Sprint("echo", i))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.CreateGatewayTarget(ownerA, g.ID, echoTarget("more")); code(err) != model.ServiceQuotaExceeded {
		t.Errorf("the 101st: %v", err)
	}
	size := 60
	first, next, err := w.ListGatewayTargets(ownerA, g.ID, model.Page{MaxResults: &size})
	if err != nil {
		t.Fatal(err)
	}
	second, end, err := w.ListGatewayTargets(ownerA, g.ID, model.Page{MaxResults: &size, Token: next})
	if err != nil || len(first) != 60 || len(second) != 40 || end != "" {
		t.Errorf("pages of %d and %d, then %q, %v", len(first), len(second), end, err)
	}
}

func TestTargetsBelongToTheGatewaysOwner(t *testing.T) {
	w := newWorld(t)
	g := w.gateway(iamGateway("tools"))
	made, err := w.CreateGatewayTarget(ownerA, g.ID, echoTarget("echo"))
	if err != nil {
		t.Fatal(err)
	}
	_, create := w.CreateGatewayTarget(ownerB, g.ID, echoTarget("mine"))
	_, get := w.GetGatewayTarget(ownerB, g.ID, made.ID)
	_, _, list := w.ListGatewayTargets(ownerB, g.ID, model.Page{})
	_, update := w.UpdateGatewayTarget(ownerB, g.ID, made.ID, echoTarget("echo").TargetSettings)
	_, remove := w.DeleteGatewayTarget(ownerB, g.ID, made.ID)
	for operation, err := range map[string]error{"create": create, "get": get, "list": list, "update": update, "delete": remove} {
		if code(err) != model.ResourceNotFound {
			t.Errorf("%s: %v", operation, err)
		}
	}
}
