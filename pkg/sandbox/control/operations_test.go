package control_test

import (
	"fmt"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol/types"
	"github.com/aws/smithy-go/middleware"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

func TestAGatewayLivesThroughTheSDK(t *testing.T) {
	clock := time.Date(2026, 11, 2, 9, 0, 0, 123456789, time.UTC)
	s := start(t, func(o *model.Options) {
		o.Now = func() time.Time { return clock }
		o.SettleAfter = time.Second
	})
	client, ctx := s.owner(), t.Context()

	in := gatewayNamed("Team-Tools")
	in.Description = aws.String("tools of the team")
	in.ExceptionLevel = types.ExceptionLevelDebug
	in.Tags = map[string]string{"gateway-grants:managed": "true"}
	in.ProtocolConfiguration = &types.GatewayProtocolConfigurationMemberMcp{Value: types.MCPGatewayConfiguration{
		SupportedVersions:    []string{"2025-06-18"},
		SearchType:           types.SearchTypeSemantic,
		SessionConfiguration: &types.SessionConfiguration{SessionTimeoutInSeconds: aws.Int32(900)},
	}}
	in.InterceptorConfigurations = []types.GatewayInterceptorConfiguration{{
		InterceptionPoints: []types.GatewayInterceptionPoint{types.GatewayInterceptionPointRequest},
		Interceptor: &types.InterceptorConfigurationMemberLambda{Value: types.LambdaInterceptorConfiguration{
			Arn: aws.String("arn:aws:lambda:us-east-1:111122223333:function:look"),
		}},
	}}
	made, err := client.CreateGateway(ctx, in)
	if got := status(t, made.ResultMetadata, err); got != http.StatusAccepted || made.Status != types.GatewayStatusCreating {
		t.Fatalf("CreateGateway: %d, %s", got, made.Status)
	}
	if want := time.Date(2026, 11, 2, 9, 0, 0, 123000000, time.UTC); !made.CreatedAt.Equal(want) {
		t.Errorf("createdAt = %v, want %v", made.CreatedAt, want)
	}

	clock = clock.Add(time.Second)
	got, err := client.GetGateway(ctx, &bedrockagentcorecontrol.GetGatewayInput{GatewayIdentifier: made.GatewayId})
	if code := status(t, got.ResultMetadata, err); code != http.StatusOK || got.Status != types.GatewayStatusReady {
		t.Fatalf("GetGateway: %d, %s", code, got.Status)
	}
	settings := func(g *bedrockagentcorecontrol.GetGatewayOutput) []any {
		return []any{g.Name, g.Description, g.AuthorizerType, g.RoleArn, g.ProtocolType, g.ExceptionLevel, g.ProtocolConfiguration, g.InterceptorConfigurations}
	}
	want := []any{in.Name, in.Description, in.AuthorizerType, in.RoleArn, in.ProtocolType, in.ExceptionLevel, in.ProtocolConfiguration, in.InterceptorConfigurations}
	if diff := cmp.Diff(want, settings(got), sdkTypes()...); diff != "" {
		t.Errorf("GetGateway: -want +got\n%s", diff)
	}

	updated, err := client.UpdateGateway(ctx, &bedrockagentcorecontrol.UpdateGatewayInput{
		GatewayIdentifier: made.GatewayId, Name: in.Name, RoleArn: in.RoleArn, AuthorizerType: in.AuthorizerType,
	})
	if code := status(t, updated.ResultMetadata, err); code != http.StatusAccepted || updated.Status != types.GatewayStatusUpdating || updated.Description != nil {
		t.Errorf("UpdateGateway: %d, %s, %v", code, updated.Status, updated.Description)
	}

	clock = clock.Add(time.Second)
	gone, err := client.DeleteGateway(ctx, &bedrockagentcorecontrol.DeleteGatewayInput{GatewayIdentifier: made.GatewayId})
	if code := status(t, gone.ResultMetadata, err); code != http.StatusAccepted || gone.Status != types.GatewayStatusDeleting {
		t.Errorf("DeleteGateway: %d, %s", code, gone.Status)
	}
	clock = clock.Add(time.Second)
	_, err = client.GetGateway(ctx, &bedrockagentcorecontrol.GetGatewayInput{GatewayIdentifier: made.GatewayId})
	if code := status(t, got.ResultMetadata, err); code != http.StatusNotFound {
		t.Errorf("GetGateway of what is gone: %d, %s", code, said(err))
	}
}

// sdkTypes lets cmp look at the SDK's shapes, past their markers.
func sdkTypes() []cmp.Option {
	return []cmp.Option{
		cmpopts.EquateEmpty(),
		cmp.Exporter(func(reflect.Type) bool { return true }),
	}
}

func TestATargetLivesThroughTheSDK(t *testing.T) {
	s := start(t)
	client, ctx := s.owner(), t.Context()
	g := s.gateway(client, "tools")
	in := &bedrockagentcorecontrol.CreateGatewayTargetInput{
		GatewayIdentifier: g.GatewayId, Name: aws.String("echo"), Description: aws.String("says it again"),
		TargetConfiguration: &types.TargetConfigurationMemberMcp{Value: &types.McpTargetConfigurationMemberLambda{Value: types.McpLambdaTargetConfiguration{
			LambdaArn: aws.String("arn:aws:lambda:us-east-1:111122223333:function:echo"),
			ToolSchema: &types.ToolSchemaMemberInlinePayload{Value: []types.ToolDefinition{{
				Name: aws.String("echo"), Description: aws.String("echo"),
				InputSchema: &types.SchemaDefinition{
					Type: types.SchemaTypeObject, Required: []string{"message"},
					Properties: map[string]types.SchemaDefinition{"message": {Type: types.SchemaTypeString}},
				},
			}}},
		}}},
		CredentialProviderConfigurations: []types.CredentialProviderConfiguration{{CredentialProviderType: types.CredentialProviderTypeGatewayIamRole}},
	}
	made, err := client.CreateGatewayTarget(ctx, in)
	if code := status(t, made.ResultMetadata, err); code != http.StatusAccepted || made.Status != types.TargetStatusCreating || *made.GatewayArn != *g.GatewayArn {
		t.Fatalf("CreateGatewayTarget: %d, %+v", code, made)
	}
	got, err := client.GetGatewayTarget(ctx, &bedrockagentcorecontrol.GetGatewayTargetInput{GatewayIdentifier: g.GatewayId, TargetId: made.TargetId})
	if code := status(t, got.ResultMetadata, err); code != http.StatusOK || got.Status != types.TargetStatusReady {
		t.Fatalf("GetGatewayTarget: %d, %s", code, got.Status)
	}
	want := []any{in.Name, in.Description, in.TargetConfiguration, in.CredentialProviderConfigurations}
	if diff := cmp.Diff(want, []any{got.Name, got.Description, got.TargetConfiguration, got.CredentialProviderConfigurations}, sdkTypes()...); diff != "" {
		t.Errorf("GetGatewayTarget: -want +got\n%s", diff)
	}
	updated, err := client.UpdateGatewayTarget(ctx, &bedrockagentcorecontrol.UpdateGatewayTargetInput{
		GatewayIdentifier: g.GatewayId, TargetId: made.TargetId, Name: aws.String("echo2"),
		TargetConfiguration: in.TargetConfiguration, CredentialProviderConfigurations: in.CredentialProviderConfigurations,
	})
	if code := status(t, updated.ResultMetadata, err); code != http.StatusAccepted || *updated.Name != "echo2" {
		t.Errorf("UpdateGatewayTarget: %d, %+v", code, updated)
	}
	listed, err := client.ListGatewayTargets(ctx, &bedrockagentcorecontrol.ListGatewayTargetsInput{GatewayIdentifier: g.GatewayId})
	if code := status(t, listed.ResultMetadata, err); code != http.StatusOK || len(listed.Items) != 1 || *listed.Items[0].Name != "echo2" {
		t.Errorf("ListGatewayTargets: %d, %+v", code, listed.Items)
	}
	gone, err := client.DeleteGatewayTarget(ctx, &bedrockagentcorecontrol.DeleteGatewayTargetInput{GatewayIdentifier: g.GatewayId, TargetId: made.TargetId})
	if code := status(t, gone.ResultMetadata, err); code != http.StatusAccepted || gone.Status != types.TargetStatusDeleting {
		t.Errorf("DeleteGatewayTarget: %d, %s", code, gone.Status)
	}
}

func TestOtherTargetsKeepTheirConfiguration(t *testing.T) {
	s := start(t)
	client := s.owner()
	g := s.gateway(client, "tools")
	want := &types.TargetConfigurationMemberMcp{Value: &types.McpTargetConfigurationMemberMcpServer{Value: types.McpServerTargetConfiguration{
		Endpoint: aws.String("https://tools.example.com/mcp"),
	}}}
	made, err := client.CreateGatewayTarget(t.Context(), &bedrockagentcorecontrol.CreateGatewayTargetInput{
		GatewayIdentifier: g.GatewayId, Name: aws.String("server"), TargetConfiguration: want,
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(types.TargetConfiguration(want), made.TargetConfiguration, sdkTypes()...); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestThePaginatorsOfTheSDKSeeEverything(t *testing.T) {
	s := start(t)
	client := s.owner()
	want := make([]string, 0, 7)
	for i := range 7 {
		want = append(want, *s.gateway(client, fmt.Sprintf("tools%d", i)).GatewayId)
	}
	var got []string
	pages := bedrockagentcorecontrol.NewListGatewaysPaginator(client, &bedrockagentcorecontrol.ListGatewaysInput{MaxResults: aws.Int32(2)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Items {
			got = append(got, *item.GatewayId)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	_, err := client.ListGateways(t.Context(), &bedrockagentcorecontrol.ListGatewaysInput{NextToken: aws.String("bogus")})
	if code := status(t, middleware.Metadata{}, err); code != http.StatusBadRequest {
		t.Errorf("a bogus token: %d, %s", code, said(err))
	}
}

func TestTagsLiveThroughTheSDK(t *testing.T) {
	s := start(t)
	client, ctx := s.owner(), t.Context()
	g := s.gateway(client, "tools")
	tagged, err := client.TagResource(ctx, &bedrockagentcorecontrol.TagResourceInput{
		ResourceArn: g.GatewayArn, Tags: map[string]string{"gateway-grants:managed": "true", "team": "a/b c"},
	})
	if code := status(t, tagged.ResultMetadata, err); code != http.StatusNoContent {
		t.Errorf("TagResource: %d", code)
	}
	untagged, err := client.UntagResource(ctx, &bedrockagentcorecontrol.UntagResourceInput{ResourceArn: g.GatewayArn, TagKeys: []string{"gateway-grants:managed", "none"}})
	if code := status(t, untagged.ResultMetadata, err); code != http.StatusNoContent {
		t.Errorf("UntagResource: %d", code)
	}
	listed, err := client.ListTagsForResource(ctx, &bedrockagentcorecontrol.ListTagsForResourceInput{ResourceArn: g.GatewayArn})
	if code := status(t, listed.ResultMetadata, err); code != http.StatusOK {
		t.Errorf("ListTagsForResource: %d", code)
	}
	if diff := cmp.Diff(map[string]string{"team": "a/b c"}, listed.Tags); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
