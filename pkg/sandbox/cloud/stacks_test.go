package cloud_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
)

// cloudformation calls CloudFormation for a stack named s in account A, and
// answers with what it says.
func cloudformation(t *testing.T, moto *cloud.Moto, action, template string, capabilities ...string) string {
	t.Helper()
	form := url.Values{"Action": {action}, "Version": {"2010-05-15"}, "StackName": {"s"}}
	if template != "" {
		form.Set("TemplateBody", template)
	}
	for i, capability := range capabilities {
		form.Set(fmt.Sprintf("Capabilities.member.%d", i+1), capability)
	}
	_, said := raw(t, moto, http.MethodPost, "/", "cloudformation", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, form.Encode())
	return said
}

// raw sends a request to moto for account A, whose signature is not checked.
func raw(t *testing.T, moto *cloud.Moto, method, path, service string, header http.Header, body string) (status int, said string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, moto.Endpoint()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(request.Header, header)
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=SANDBOX/20260101/us-east-1/"+service+"/aws4_request, SignedHeaders=host, Signature=0")
	answer, err := moto.Config(accountA, region).HTTPClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// saying fails unless an answer has all words.
func saying(t *testing.T, reason, answer string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(answer, word) {
			t.Errorf("%s: want %q in\n%s", reason, word, answer)
		}
	}
}

func tables(t *testing.T, moto *cloud.Moto) []string {
	t.Helper()
	listed, err := dynamodb.NewFromConfig(moto.Config(accountA, region)).ListTables(t.Context(), &dynamodb.ListTablesInput{})
	if err != nil {
		t.Fatal(err)
	}
	return listed.TableNames
}

func buses(t *testing.T, moto *cloud.Moto) (names []string) {
	t.Helper()
	listed, err := eventbridge.NewFromConfig(moto.Config(accountA, region)).ListEventBuses(t.Context(), &eventbridge.ListEventBusesInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, bus := range listed.EventBuses {
		names = append(names, *bus.Name)
	}
	slices.Sort(names)
	return names
}

// table is the template of a table.
func table(logical, name, policies string) string {
	return logical + `: {Type: AWS::DynamoDB::Table, ` + policies + ` Properties: {TableName: ` + name + `, BillingMode: PAY_PER_REQUEST,
    AttributeDefinitions: [{AttributeName: id, AttributeType: S}], KeySchema: [{AttributeName: id, KeyType: HASH}]}}`
}

func TestStackWithUnknownResourceFails(t *testing.T) {
	moto := cloudtest.Moto(t)
	const bus = "Resources:\n  B: {Type: AWS::Events::EventBus, Properties: {Name: b}}\n"
	saying(t, "an unknown type is refused before anything is made",
		cloudformation(t, moto, "CreateStack", bus+"  X: {Type: AWS::Nope::Thing}\n"), "ValidationError", "AWS::Nope::Thing is not supported")
	saying(t, "and leaves no stack", cloudformation(t, moto, "DescribeStacks", ""), "does not exist")

	cloudformation(t, moto, "CreateStack", bus+"  L: {Type: AWS::Logs::LogGroup, DependsOn: B, Properties: {LogGroupName: l, Colour: red}}\n")
	saying(t, "an unknown property fails the stack", cloudformation(t, moto, "DescribeStacks", ""), "<StackStatus>ROLLBACK_COMPLETE</StackStatus>")
	saying(t, "with the reason", cloudformation(t, moto, "DescribeStackEvents", ""), "CREATE_FAILED", "CreateLogGroup does not take Colour", "DELETE_COMPLETE")
	if got := buses(t, moto); !slices.Equal(got, []string{"default"}) {
		t.Errorf("there are the buses %v", got)
	}
}

func TestStackWithRolesNeedsCapabilities(t *testing.T) {
	moto := cloudtest.Moto(t)
	role := func(properties string) string {
		return `Resources: {R: {Type: AWS::IAM::Role, Properties: {` + properties + `AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: []}}}}`
	}
	saying(t, "a role", cloudformation(t, moto, "CreateStack", role("")), "InsufficientCapabilitiesException", "[CAPABILITY_IAM]")
	saying(t, "a role with a name", cloudformation(t, moto, "CreateStack", role("RoleName: r, "), "CAPABILITY_IAM"), "[CAPABILITY_NAMED_IAM]")
	saying(t, "acknowledged", cloudformation(t, moto, "CreateStack", role("RoleName: r, "), "CAPABILITY_NAMED_IAM"), "StackId")
}

func TestAFailedUpdateGoesBack(t *testing.T) {
	moto := cloudtest.Moto(t)
	const before = "Resources:\n  B: {Type: AWS::Events::EventBus, Properties: {Name: old}}\n"
	saying(t, "the first", cloudformation(t, moto, "CreateStack", before), "StackId")
	cloudformation(t, moto, "UpdateStack", `Resources:
  B: {Type: AWS::Events::EventBus, Properties: {Name: new}}
  L: {Type: AWS::Logs::LogGroup, DependsOn: B, Properties: {LogGroupName: l, Colour: red}}
`)
	saying(t, "it says so", cloudformation(t, moto, "DescribeStacks", ""), "<StackStatus>UPDATE_ROLLBACK_COMPLETE</StackStatus>")
	saying(t, "and has what it had", cloudformation(t, moto, "DescribeStackResources", ""), "<PhysicalResourceId>old</PhysicalResourceId>")
	if got := buses(t, moto); !slices.Equal(got, []string{"default", "old"}) {
		t.Errorf("there are the buses %v", got)
	}
	saying(t, "what is the same is no update", cloudformation(t, moto, "UpdateStack", before), "No updates are to be performed.")
}

func TestRetainedTablesOutliveTheirStack(t *testing.T) {
	moto := cloudtest.Moto(t)
	const retain = "DeletionPolicy: Retain, UpdateReplacePolicy: Retain,"
	cloudformation(t, moto, "CreateStack", "Resources:\n  "+table("Kept", "kept", retain)+"\n  "+table("Lost", "lost", "")+"\n")
	saying(t, "made", cloudformation(t, moto, "DescribeStacks", ""), "CREATE_COMPLETE")
	cloudformation(t, moto, "UpdateStack", "Resources:\n  "+table("Kept", "kept2", retain)+"\n  "+table("Lost", "lost2", "")+"\n")
	if got, want := tables(t, moto), []string{"kept", "kept2", "lost2"}; !slices.Equal(got, want) {
		t.Errorf("replaced: there are the tables %v, want %v", got, want)
	}
	cloudformation(t, moto, "UpdateStack", "Resources:\n  "+table("Lost", "lost2", "")+"\n")
	if got, want := tables(t, moto), []string{"kept", "kept2", "lost2"}; !slices.Equal(got, want) {
		t.Errorf("left out: there are the tables %v, want %v", got, want)
	}
	cloudformation(t, moto, "DeleteStack", "")
	if got, want := tables(t, moto), []string{"kept", "kept2"}; !slices.Equal(got, want) {
		t.Errorf("deleted: there are the tables %v, want %v", got, want)
	}
}

func TestTableOfFailedCreationBlocksNothing(t *testing.T) {
	moto := cloudtest.Moto(t)
	const retain = "DeletionPolicy: RetainExceptOnCreate, UpdateReplacePolicy: Retain,"
	made := "Resources:\n  " + table("T", "t", retain) + "\n"
	cloudformation(t, moto, "CreateStack", made+"  L: {Type: AWS::Logs::LogGroup, DependsOn: T, Properties: {LogGroupName: l, Colour: red}}\n")
	saying(t, "it failed", cloudformation(t, moto, "DescribeStacks", ""), "<StackStatus>ROLLBACK_COMPLETE</StackStatus>")
	if got := tables(t, moto); len(got) > 0 {
		t.Errorf("it left the tables %v", got)
	}
	cloudformation(t, moto, "DeleteStack", "")
	cloudformation(t, moto, "CreateStack", made)
	saying(t, "the next", cloudformation(t, moto, "DescribeStacks", ""), "<StackStatus>CREATE_COMPLETE</StackStatus>")
	cloudformation(t, moto, "DeleteStack", "")
	if got := tables(t, moto); !slices.Equal(got, []string{"t"}) {
		t.Errorf("deleted: there are the tables %v", got)
	}
}

// SAM CLI's own bucket refuses what does not come over TLS.
func TestTheEndpointStandsForOneWithTLS(t *testing.T) {
	moto := cloudtest.Moto(t)
	cloudformation(t, moto, "CreateStack", `Resources:
  B: {Type: AWS::S3::Bucket, Properties: {BucketName: own, VersioningConfiguration: {Status: Enabled}}}
  P:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref B
      PolicyDocument: {Statement: [{Effect: Deny, Principal: "*", Action: "s3:*", Resource: "arn:aws:s3:::own/*", Condition: {Bool: {"aws:SecureTransport": "false"}}}]}
`)
	saying(t, "made", cloudformation(t, moto, "DescribeStacks", ""), "<StackStatus>CREATE_COMPLETE</StackStatus>")
	put := func(path, body string) int {
		status, _ := raw(t, moto, http.MethodPut, path, "s3", nil, body)
		return status
	}
	if got := put("/own/k", "x"); got != http.StatusOK {
		t.Errorf("an object: %d", got)
	}
	if got := put("/own?policy", `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::own/*"}]}`); got/100 != 2 {
		t.Fatalf("another policy: %d", got)
	}
	if got := put("/own/k", "x"); got != http.StatusForbidden {
		t.Errorf("what the bucket's policy denies: %d", got)
	}
}

func TestLogGroupPolicyDoesNotCount(t *testing.T) {
	moto := cloudtest.Moto(t)
	put := func(name string) int {
		target := http.Header{"X-Amz-Target": {"Logs_20140328.PutResourcePolicy"}, "Content-Type": {"application/x-amz-json-1.1"}}
		status, _ := raw(t, moto, http.MethodPost, "/", "logs", target, `{"policyName":"`+name+`","policyDocument":"{}"}`)
		return status
	}
	for i := range 10 {
		if got := put(fmt.Sprint("others-", i)); got != http.StatusOK {
			t.Fatalf("policy %d of ten: %d", i, got)
		}
	}
	if got := put("one-more"); got != http.StatusBadRequest {
		t.Errorf("an eleventh policy of the account: %d", got)
	}
	if got := put("others-3"); got != http.StatusOK {
		t.Errorf("a change of one of the ten: %d", got)
	}
	cloudformation(t, moto, "CreateStack", `Resources: {L: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: l, ResourcePolicyDocument: {Version: "2012-10-17"}}}}`)
	saying(t, "a group with its own", cloudformation(t, moto, "DescribeStacks", ""), "<StackStatus>CREATE_COMPLETE</StackStatus>")
}
