package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
)

// leastPrivilege compares what account A's stack allows its roles, as they are
// deployed in a running stand-in, with all that they have done since that was
// started.
func leastPrivilege(t *testing.T, s *sandbox, stack string, exceptions []iam.Exception) []iam.Finding {
	t.Helper()
	answer, refusal := newAWSCLI(t, s, "account-a").run(t, "cloudformation", "list-stack-resources", "--stack-name", stack)
	if refusal != nil {
		t.Fatalf("listing the resources of stack %s: %s", stack, refusal.Message)
	}
	names := map[string]string{}
	resources, _ := answer["StackResourceSummaries"].([]any)
	for _, element := range resources {
		resource, _ := element.(map[string]any)
		if resource["ResourceType"] == "AWS::IAM::Role" {
			names[resource["PhysicalResourceId"].(string)] = resource["LogicalResourceId"].(string)
		}
	}
	if len(names) == 0 {
		t.Fatalf("stack %s has no roles: %v", stack, resources)
	}
	roles, err := cloud.Roles(t.Context(), awsiam.NewFromConfig(sdkConfig(t, s, "account-a")), accountA, names)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(filepath.Join(s.directory, "logs", "decisions.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	calls, decisions, err := iam.ReadDecisions(file)
	if err != nil {
		t.Fatal(err)
	}
	return iam.LeastPrivilege(roles, calls, decisions, exceptions)
}

// unused are the permissions of template.yaml's roles that no run here uses, each with
// its reason. One that is used after all has to go from here.
var unused []iam.Exception

func TestExceptionsAreOfStatements(t *testing.T) {
	template, err := os.ReadFile(filepath.Join(cloudtest.Repository(t), "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, exception := range unused {
		_, role, _ := strings.Cut(string(template), "\n  "+exception.Role+":\n")
		role, _, _ = strings.Cut(role, "\n  # ")
		_, statement, _ := strings.Cut(role, "Sid: "+exception.Statement+"\n")
		statement, _, _ = strings.Cut(statement, "Sid:")
		if exception.Reason == "" || !strings.Contains(statement, exception.Action) {
			t.Errorf("an exception that says nothing of the template: %+v", exception)
		}
	}
}

func TestLeastPrivilegeOfStack(t *testing.T) {
	s := standInFor(t)
	admin := newAWSCLI(t, s, "account-a")
	const template = `{"Resources": {"ListerRole": {"Type": "AWS::IAM::Role", "Properties": {
    "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::` + accountA + `:root"}, "Action": "sts:AssumeRole"}]},
    "Policies": [{"PolicyName": "list", "PolicyDocument": {"Version": "2012-10-17", "Statement": [
      {"Sid": "List", "Effect": "Allow", "Action": ["dynamodb:ListTables", "sqs:ListQueues"], "Resource": "*"}]}}]}}}}`
	must(t, admin, "cloudformation", "CreateStack", map[string]any{"StackName": "lister", "TemplateBody": template, "Capabilities": []string{"CAPABILITY_IAM"}})
	described := must(t, admin, "cloudformation", "DescribeStackResource", map[string]any{"StackName": "lister", "LogicalResourceId": "ListerRole"})
	detail, _ := described["StackResourceDetail"].(map[string]any)
	role, _ := detail["PhysicalResourceId"].(string)
	assumed := must(t, admin, "sts", "AssumeRole", map[string]any{"RoleArn": "arn:aws:iam::" + accountA + ":role/" + role, "RoleSessionName": "test"})
	key, _ := assumed["Credentials"].(map[string]any)
	lister := sdkConfig(t, s, "account-a")
	lister.Credentials = credentials.NewStaticCredentialsProvider(key["AccessKeyId"].(string), key["SecretAccessKey"].(string), key["SessionToken"].(string))
	tables := dynamodb.NewFromConfig(lister)
	if _, err := tables.ListTables(t.Context(), &dynamodb.ListTablesInput{}); err != nil {
		t.Fatalf("what the role allows: %v", err)
	}
	if _, err := tables.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String("gateway-grants")}); err == nil {
		t.Error("what the role does not allow was done")
	}

	var got []string
	for _, finding := range leastPrivilege(t, s, "lister", nil) {
		got = append(got, finding.String())
	}
	want := []string{
		"ListerRole: dynamodb:DescribeTable on arn:aws:dynamodb:us-east-1:111122223333:table/gateway-grants: denied once (NoIdentityAllow)",
		"ListerRole: statement List allows sqs:ListQueues on *: never used",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("one call too many and one too few (-want +got):\n%s", diff)
	}
}
