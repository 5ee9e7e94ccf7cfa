package agentcore

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	control "github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol/types"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// TargetSpec describes a Lambda target to create.
type TargetSpec struct {
	Name      string
	LambdaARN string
	Tools     []types.ToolDefinition
}

// CodeOtherTarget is the failure of a target whose name is taken by one that
// calls another function.
const CodeOtherTarget grant.Code = "OtherTarget"

// Target gives the gateway the target, unless it has one of that name, and
// returns its id when it is READY. It fails with CodeOtherTarget.
func (s Setup) Target(ctx context.Context, gatewayID string, spec TargetSpec) (id string, created bool, err error) {
	targets, err := s.Targets(ctx, gatewayID)
	if err != nil {
		return "", false, err
	}
	for _, target := range targets {
		if aws.ToString(target.Name) == spec.Name {
			id = aws.ToString(target.TargetId)
		}
	}
	created = id == ""
	if created {
		if id, err = s.createTarget(ctx, gatewayID, spec); err != nil {
			return "", false, err
		}
	}
	target, err := s.targetReady(ctx, gatewayID, id, spec.Name)
	if err != nil {
		return "", false, err
	}
	if calls := lambdaOf(target); calls != spec.LambdaARN {
		return "", false, &grant.Error{
			Code: CodeOtherTarget, Op: "set up target " + spec.Name + " of gateway " + gatewayID,
			Hint: "it calls " + calls + " instead of " + spec.LambdaARN + ": choose another target name, or delete that target first",
		}
	}
	return id, created, nil
}

// Targets lists every target of the gateway; one that is gone has none.
func (s Setup) Targets(ctx context.Context, gatewayID string) ([]types.TargetSummary, error) {
	var targets []types.TargetSummary
	pages := control.NewListGatewayTargetsPaginator(s.Control, &control.ListGatewayTargetsInput{GatewayIdentifier: aws.String(gatewayID)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if isNotFound(err) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list the targets of gateway %s: %w", gatewayID, err)
		}
		targets = append(targets, page.Items...)
	}
	return targets, nil
}

func (s Setup) createTarget(ctx context.Context, gatewayID string, spec TargetSpec) (string, error) {
	answer, err := s.Control.CreateGatewayTarget(ctx, &control.CreateGatewayTargetInput{
		GatewayIdentifier: aws.String(gatewayID),
		Name:              aws.String(spec.Name),
		TargetConfiguration: &types.TargetConfigurationMemberMcp{
			Value: &types.McpTargetConfigurationMemberLambda{
				Value: types.McpLambdaTargetConfiguration{
					LambdaArn:  aws.String(spec.LambdaARN),
					ToolSchema: &types.ToolSchemaMemberInlinePayload{Value: spec.Tools},
				},
			},
		},
		CredentialProviderConfigurations: []types.CredentialProviderConfiguration{
			{CredentialProviderType: types.CredentialProviderTypeGatewayIamRole},
		},
	})
	if err != nil {
		return "", fmt.Errorf("create target %s of gateway %s: %w", spec.Name, gatewayID, err)
	}
	return aws.ToString(answer.TargetId), nil
}

func (s Setup) targetReady(ctx context.Context, gatewayID, id, name string) (*control.GetGatewayTargetOutput, error) {
	var target *control.GetGatewayTargetOutput
	err := s.until(ctx, "target "+name, func() (outcome, error) {
		var err error
		target, err = s.Control.GetGatewayTarget(ctx, &control.GetGatewayTargetInput{
			GatewayIdentifier: aws.String(gatewayID),
			TargetId:          aws.String(id),
		})
		if err != nil {
			return outcome{}, err
		}
		return readiness(string(target.Status), target.StatusReasons), nil
	})
	return target, err
}

// lambdaOf is the ARN of the function that the target calls, or what it is
// instead.
func lambdaOf(target *control.GetGatewayTargetOutput) string {
	if mcp, ok := target.TargetConfiguration.(*types.TargetConfigurationMemberMcp); ok {
		if lambda, ok := mcp.Value.(*types.McpTargetConfigurationMemberLambda); ok {
			return aws.ToString(lambda.Value.LambdaArn)
		}
	}
	return "something that is no Lambda function"
}
