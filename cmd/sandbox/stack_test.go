package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
)

// What moto does not have, CloudFormation makes with the credentials of the caller that
// deploys.
func TestAStackMakesAGatewayWithItsTarget(t *testing.T) {
	s := standInFor(t)
	template, err := os.ReadFile(filepath.Join(cloudtest.Repository(t), "infra", "gateway.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	c := newAWSCLI(t, s, "account-a")
	must(t, c, "cloudformation", "CreateStack", map[string]any{
		"StackName": "gateway", "TemplateBody": string(template), "Parameters": []map[string]string{
			{"ParameterKey": "GatewayName", "ParameterValue": "by-stack"},
			{"ParameterKey": "ServiceRoleArn", "ParameterValue": s.output(t, "GatewayServiceRoleArn")},
			{"ParameterKey": "EchoFunctionArn", "ParameterValue": s.output(t, "EchoFunctionArn")},
		},
	})
	stack := must(t, c, "cloudformation", "DescribeStacks", map[string]any{"StackName": "gateway"})["Stacks"].([]any)[0].(map[string]any)
	if stack["StackStatus"] != "CREATE_COMPLETE" {
		t.Fatalf("the stack is %v: %v", stack["StackStatus"], must(t, c, "cloudformation", "DescribeStackEvents", map[string]any{"StackName": "gateway"}))
	}
	outputs := map[string]string{}
	for _, output := range stack["Outputs"].([]any) {
		outputs[output.(map[string]any)["OutputKey"].(string)] = output.(map[string]any)["OutputValue"].(string)
	}
	arn := outputs["GatewayArn"]
	if tags := must(t, c, agentcore, "ListTagsForResource", map[string]any{"resourceArn": arn})["tags"].(map[string]any); tags["gateway-grants:managed"] != "true" {
		t.Errorf("its tags are %v", tags)
	}
	id := filepath.Base(arn)
	if targets := must(t, c, agentcore, "ListGatewayTargets", map[string]any{"gatewayIdentifier": id})["items"].([]any); len(targets) != 1 || targets[0].(map[string]any)["status"] != "READY" {
		t.Errorf("its targets are %v", targets)
	}
	must(t, c, "cloudformation", "DeleteStack", map[string]any{"StackName": "gateway"})
	if _, refusal := c.call(t, agentcore, "GetGateway", map[string]any{"gatewayIdentifier": id}); refusal == nil || refusal.Code != "ResourceNotFoundException" {
		t.Errorf("the gateway outlives its stack: %v", refusal)
	}
}

// update changes parameters of the deployed stack, and its template where one is given. All
// other parameters stay.
func (s *sandbox) update(t *testing.T, changed map[string]string, template ...string) {
	t.Helper()
	deployer := newAWSCLI(t, s, "account-a")
	deployed := func() map[string]any {
		stack, _ := must(t, deployer, "cloudformation", "DescribeStacks", map[string]any{"StackName": stackName})["Stacks"].([]any)[0].(map[string]any)
		return stack
	}
	var parameters []map[string]any
	for _, element := range deployed()["Parameters"].([]any) {
		key, _ := element.(map[string]any)["ParameterKey"].(string)
		parameter := map[string]any{"ParameterKey": key, "UsePreviousValue": true}
		if value, is := changed[key]; is {
			parameter = map[string]any{"ParameterKey": key, "ParameterValue": value}
		}
		parameters = append(parameters, parameter)
	}
	arguments := map[string]any{
		"StackName": stackName, "UsePreviousTemplate": true, "Parameters": parameters, "Capabilities": []string{"CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"},
	}
	for _, text := range template {
		delete(arguments, "UsePreviousTemplate")
		arguments["TemplateBody"] = text
	}
	must(t, deployer, "cloudformation", "UpdateStack", arguments)
	within(t, 2*time.Minute, "the stack is updated", func() bool { return deployed()["StackStatus"] == "UPDATE_COMPLETE" })
}
