package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

const (
	stackName    = "gateway-grants"
	bucket       = "gateway-grants-artifacts"
	sweepMinutes = 5   // shorter than the template's default, so that a lost event shows soon
	policyRate   = 100 // calls a second: the stand-in throttles no calls
)

// deployProduct deploys template.yaml in account A and infra/organization-events.yaml in
// the management account through the stand-in's CloudFormation, without SAM CLI: whatever
// runs and whatever a role may do is what the templates say. The executables are those of
// `make local`.
func deployProduct(ctx context.Context, moto *cloud.Moto, template, executables string) error {
	text, err := os.ReadFile(template)
	if err != nil {
		return fmt.Errorf("reading the template: %w; name it with --template", err)
	}
	packaged, err := packageTemplate(text, func(function string) (string, error) {
		return uploadFunction(ctx, moto, executables, function)
	})
	if err != nil {
		return err
	}
	outputs, err := createStack(ctx, moto, accountA, stackName, packaged, map[string]string{
		"Architecture": map[string]string{"amd64": "x86_64", "arm64": "arm64"}[runtime.GOARCH], "ManagementAccountId": management,
		"SweepMinutes": strconv.Itoa(sweepMinutes), "PolicyCallRate": strconv.Itoa(policyRate),
	})
	if err != nil {
		return err
	}
	organization, err := os.ReadFile(filepath.Join(filepath.Dir(template), "infra", "organization-events.yaml"))
	if err != nil {
		return fmt.Errorf("reading the organization's template: %w", err)
	}
	if _, err := createStack(ctx, moto, management, stackName+"-organization-events", organization, map[string]string{
		"HubAccountId": accountA, "HubBusArn": outputs["EventBusArn"],
	}); err != nil {
		return err
	}
	// As a deployment does: no function may write the table.
	client, names := dynamodb.NewFromConfig(moto.Config(accountA, region)), store.DefaultNames()
	err = errors.Join(store.NewGrants(client, names.Grants).PutSentinel(ctx), store.NewAccounts(client, names.Accounts).PutListSentinels(ctx))
	if err != nil {
		return fmt.Errorf("putting the sentinels: %w", err)
	}
	return nil
}

// uploadFunction puts the zip of a function into the bucket, and gives its S3 URI.
func uploadFunction(ctx context.Context, moto *cloud.Moto, executables, name string) (string, error) {
	executable, err := os.ReadFile(filepath.Join(executables, name, "bootstrap"))
	if errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("function %s is not built: run `make local`, or name its directory with --functions: %w", name, err)
	}
	if err != nil {
		return "", fmt.Errorf("reading function %s: %w", name, err)
	}
	archive, err := zipped(executable)
	if err != nil {
		return "", fmt.Errorf("packing function %s: %w", name, err)
	}
	return moto.PutObject(ctx, accountA, bucket, name+".zip", archive)
}

// createStack makes a stack of a template, and gives its outputs.
func createStack(ctx context.Context, moto *cloud.Moto, account, name string, template []byte, parameters map[string]string) (map[string]string, error) {
	if _, err := moto.PutObject(ctx, account, bucket+"-"+account, name+".yaml", template); err != nil {
		return nil, err
	}
	client := cloudformation.NewFromConfig(moto.Config(account, region))
	input := &cloudformation.CreateStackInput{
		StackName: &name, TemplateURL: aws.String(moto.Endpoint() + "/" + bucket + "-" + account + "/" + name + ".yaml"),
		Capabilities: []types.Capability{types.CapabilityCapabilityNamedIam, types.CapabilityCapabilityAutoExpand},
	}
	for key, value := range parameters {
		input.Parameters = append(input.Parameters, types.Parameter{ParameterKey: &key, ParameterValue: &value})
	}
	if _, err := client.CreateStack(ctx, input); err != nil {
		return nil, fmt.Errorf("creating stack %s: %w", name, err)
	}
	described, err := client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	if err != nil {
		return nil, fmt.Errorf("describing stack %s: %w", name, err)
	}
	stack := described.Stacks[0]
	if stack.StackStatus != types.StackStatusCreateComplete {
		return nil, fmt.Errorf("stack %s is %s: %w", name, stack.StackStatus, firstFailure(ctx, client, name))
	}
	outputs := map[string]string{}
	for _, output := range stack.Outputs {
		outputs[aws.ToString(output.OutputKey)] = aws.ToString(output.OutputValue)
	}
	return outputs, nil
}

// firstFailure is what the stack's events say of the first resource that failed.
func firstFailure(ctx context.Context, client *cloudformation.Client, stack string) error {
	events, err := client.DescribeStackEvents(ctx, &cloudformation.DescribeStackEventsInput{StackName: &stack})
	if err != nil {
		return fmt.Errorf("describing its events: %w", err)
	}
	reason := "its events give no reason"
	for _, event := range events.StackEvents { // the newest first
		if event.ResourceStatus == types.ResourceStatusCreateFailed {
			reason = aws.ToString(event.LogicalResourceId) + ": " + aws.ToString(event.ResourceStatusReason)
		}
	}
	return errors.New(reason)
}
