package infra

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// statement is one of a role's.
type statement struct {
	role               string
	sid                any
	actions, resources []string
	condition          any
}

func (s statement) String() string { return fmt.Sprintf("%s, statement %v", s.role, s.sid) }

func (s statement) allows(action string) bool { return slices.Contains(s.actions, action) }

// statements are all of all roles of a stack.
func statements(t *testing.T, s stack) []statement {
	t.Helper()
	var all []statement
	for id, role := range s.of("AWS::IAM::Role") {
		if role.Properties["ManagedPolicyArns"] != nil {
			t.Errorf("%s has managed policies, which allow more than it needs", id)
		}
		policies, _ := role.Properties["Policies"].([]any)
		for _, policy := range policies {
			list, _ := at(policy, "PolicyDocument", "Statement").([]any)
			for _, element := range list {
				if at(element, "Effect") != "Allow" || at(element, "NotAction") != nil || at(element, "NotResource") != nil {
					t.Errorf("%s: a statement that is no plain Allow", id)
				}
				all = append(all, statement{
					role: id, sid: at(element, "Sid"),
					actions: texts(at(element, "Action")), resources: texts(at(element, "Resource")), condition: at(element, "Condition"),
				})
			}
		}
	}
	if len(all) == 0 {
		t.Fatal("no role allows anything: the test does not see what it should")
	}
	return all
}

// nameless are the actions that name no resource, or one that is not known before.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_bedrock-agentcore.html
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsorganizations.html
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
func nameless(action string) bool {
	return action == "bedrock-agentcore:ListGateways" || action == "dynamodb:ListStreams" ||
		strings.HasPrefix(action, "organizations:Describe") || strings.HasPrefix(action, "organizations:List")
}

func TestRolesHaveTheListedPermissions(t *testing.T) {
	for _, path := range stacks(t) {
		s := read(t, path)
		if len(s.of("AWS::IAM::Role")) == 0 {
			continue
		}
		for _, statement := range statements(t, s) {
			for _, action := range statement.actions {
				if strings.Contains(action, "*") {
					t.Errorf("%s: %s of %s", path, action, statement)
				}
				if slices.Contains(statement.resources, "*") && !nameless(action) {
					t.Errorf("%s: %s on any resource: %s", path, action, statement)
				}
			}
		}
	}
}

func TestNoFunctionMayWriteTheGrantsTable(t *testing.T) {
	reading := []string{
		"dynamodb:Query", "dynamodb:Scan",
		"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams",
	}
	read := statements(t, read(t, "../template.yaml"))
	seen := false
	for _, statement := range read {
		for _, resource := range statement.resources {
			if strings.Contains(resource, "table/") && !strings.Contains(resource, "${") {
				t.Errorf("%s: a table that is not one of the stack's: %s", statement, resource)
			}
		}
		if !slices.ContainsFunc(statement.resources, func(r string) bool { return strings.Contains(r, "GrantsTable") || strings.Contains(r, "${Name}") }) {
			continue
		}
		seen = true
		for _, action := range statement.actions {
			if !slices.Contains(reading, action) {
				t.Errorf("%s: %s on the grants table", statement, action)
			}
		}
	}
	if !seen {
		t.Error("no role reads the grants table: the test does not see what it should")
	}
}

func TestOnlyTwoRolesWritePolicies(t *testing.T) {
	var writers []string
	for _, statement := range statements(t, read(t, "../template.yaml")) {
		if !statement.allows("bedrock-agentcore:PutResourcePolicy") && !statement.allows("bedrock-agentcore:DeleteResourcePolicy") {
			continue
		}
		writers = append(writers, statement.role)
		if at(statement.condition, "StringEquals", "aws:ResourceTag/gateway-grants:managed") != "true" {
			t.Errorf("%s: policies of gateways without the tag", statement)
		}
		for _, resource := range statement.resources {
			if !strings.HasSuffix(resource, ":${AWS::AccountId}:gateway/*") {
				t.Errorf("%s: policies of %s", statement, resource)
			}
		}
	}
	slices.Sort(writers)
	if want := []string{"GatewayEventsRole", "TableChangesRole"}; !slices.Equal(writers, want) {
		t.Errorf("policies are written by %v, want %v", writers, want)
	}
}

func TestOnlyOneRoleWritesTheDirectory(t *testing.T) {
	for _, statement := range statements(t, read(t, "../template.yaml")) {
		writes := slices.ContainsFunc(statement.resources, func(r string) bool { return r == "${AccountsTable.Arn}" }) &&
			(statement.allows("dynamodb:PutItem") || statement.allows("dynamodb:UpdateItem") || statement.allows("dynamodb:DeleteItem") || statement.allows("dynamodb:BatchWriteItem"))
		calls := slices.ContainsFunc(statement.actions, func(a string) bool { return strings.HasPrefix(a, "organizations:") })
		if (writes || calls) && statement.role != "OrganizationRole" {
			t.Errorf("%s", statement)
		}
	}
}

// No function may edit the lists of trusted accounts and owners. Approvals are in the grants
// table: see TestNoFunctionMayWriteTheGrantsTable.
func TestFunctionsEditNoListOfAccounts(t *testing.T) {
	byRole := map[string][]statement{}
	for _, s := range statements(t, read(t, "../template.yaml")) {
		byRole[s.role] = append(byRole[s.role], s)
	}
	may := func(table, role, action string, keys ...string) bool {
		r := deployed(role, byRole[role])
		return policy.Evaluate(policy.Call{
			Caller: policy.Role(r.ARN, "session"), Action: action, Resource: table + ".Arn", ResourceAccount: "111122223333",
			Context: map[string][]string{"dynamodb:LeadingKeys": keys}, Identity: r.Policies,
		}).Allowed
	}
	for _, c := range []struct {
		role, action string
		keys         []string
		want         bool
	}{
		{"OrganizationRole", "dynamodb:PutItem", []string{"ACCOUNT#444455556666"}, true},
		{"OrganizationRole", "dynamodb:PutItem", []string{"OU#ou-ab12-11111111"}, true},
		{"OrganizationRole", "dynamodb:PutItem", []string{"DEPARTURE"}, true},
		{"OrganizationRole", "dynamodb:PutItem", []string{"TRUSTED"}, false},
		{"OrganizationRole", "dynamodb:PutItem", []string{"OWNER"}, false},
		{"OrganizationRole", "dynamodb:PutItem", []string{"SYNC", "TRUSTED"}, false},
		{"OrganizationRole", "dynamodb:PutItem", nil, false},
		{"OrganizationRole", "dynamodb:DeleteItem", []string{"ACCOUNT#444455556666"}, true},
		{"OrganizationRole", "dynamodb:DeleteItem", []string{"TRUSTED"}, false},
		{"OrganizationRole", "dynamodb:DeleteItem", []string{"OWNER"}, false},
		{"OrganizationRole", "dynamodb:DeleteItem", []string{"SYNC"}, false},
		{"SweepRole", "dynamodb:Query", []string{"OWNER"}, true},
		{"SweepRole", "dynamodb:Query", []string{"TRUSTED"}, false},
		{"SweepRole", "dynamodb:PutItem", []string{"OWNER"}, false},
		{"TableChangesRole", "dynamodb:BatchGetItem", []string{"TRUSTED"}, true},
		{"GatewayEventsRole", "dynamodb:BatchGetItem", []string{"OWNER"}, true},
		{"GatewayEventsRole", "dynamodb:PutItem", []string{"OWNER"}, false},
	} {
		if got := may("AccountsTable", c.role, c.action, c.keys...); got != c.want {
			t.Errorf("%s: %s of %v is allowed: %t, want %t", c.role, c.action, c.keys, got, c.want)
		}
	}
	for key, want := range map[string]bool{"#probes": true, "#owners": false, "#rows": false, "arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/tools-abcdefghij": false} {
		if got := may("StateTable", "OrganizationRole", "dynamodb:PutItem", key); got != want {
			t.Errorf("OrganizationRole puts %s into the state table: %t, want %t", key, got, want)
		}
	}
}

func TestGatewayRoleInvokesOnlyEcho(t *testing.T) {
	s := read(t, "../template.yaml")
	trust, _ := at(s.Resources["GatewayServiceRole"].Properties, "AssumeRolePolicyDocument", "Statement").([]any)
	if len(trust) != 1 || at(trust[0], "Principal", "Service") != "bedrock-agentcore.amazonaws.com" ||
		at(trust[0], "Condition", "StringEquals", "aws:SourceAccount") != "${AWS::AccountId}" ||
		// Gateways of every Region of the deployment act as it.
		!strings.HasSuffix(fmt.Sprint(at(trust[0], "Condition", "ArnLike", "aws:SourceArn")), ":bedrock-agentcore:*:${AWS::AccountId}:gateway/*") {
		t.Errorf("trusts %v", trust)
	}
	for _, statement := range statements(t, s) {
		if statement.role == "GatewayServiceRole" && (!slices.Equal(statement.actions, []string{"lambda:InvokeFunction"}) || !slices.Equal(statement.resources, []string{"${EchoFunction.Arn}"})) {
			t.Errorf("%s allows %v on %v", statement, statement.actions, statement.resources)
		}
	}
}

// A role may publish under the product's name alone, however many events one call has: the
// key has a value for each.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
func TestPublishedEventsHaveTheProductsSource(t *testing.T) {
	publishers := 0
	for _, statement := range statements(t, read(t, "../template.yaml")) {
		if !statement.allows("events:PutEvents") {
			continue
		}
		publishers++
		if at(statement.condition, "ForAllValues:StringEquals", "events:source") != "gateway-grants" || at(statement.condition, "Null", "events:source") != "false" {
			t.Errorf("%s: %v", statement, statement.condition)
		}
	}
	if publishers != 4 {
		t.Errorf("%d roles publish: the test does not see what it should", publishers)
	}
}

// Lambda's own filter would drop lines without a level, such as those of metrics, and DEBUG
// lines whatever LogLevel says.
func TestFunctionsAndNotLambdaFilterLogLines(t *testing.T) {
	for id, function := range read(t, "../template.yaml").of("AWS::Serverless::Function") {
		if level := at(function.Properties, "LoggingConfig", "ApplicationLogLevel"); level != "TRACE" {
			t.Errorf("%s: Lambda drops lines below %v", id, level)
		}
	}
}
