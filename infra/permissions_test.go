package infra

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gateway-grants/gateway-grants/infra/permissions"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// allowed lists the actions of a policy.
func allowed(t *testing.T, text []byte) []string {
	t.Helper()
	var document struct {
		Statement []struct {
			Effect string
			Action any
		}
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	var actions []string
	for _, statement := range document.Statement {
		if statement.Effect != "Allow" {
			t.Errorf("a statement is a %s", statement.Effect)
		}
		actions = append(actions, texts(statement.Action)...)
	}
	return actions
}

// What CloudFormation calls, with the rights of who deploys, to make, update and delete a
// resource of each type. https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/
var making = map[string][]string{
	"AWS::CloudWatch::Alarm":        {"cloudwatch:PutMetricAlarm", "cloudwatch:DescribeAlarms", "cloudwatch:DeleteAlarms"},
	"AWS::CloudWatch::Dashboard":    {"cloudwatch:PutDashboard", "cloudwatch:GetDashboard", "cloudwatch:DeleteDashboards"},
	"AWS::DynamoDB::Table":          {"dynamodb:CreateTable", "dynamodb:DescribeTable", "dynamodb:UpdateTable", "dynamodb:DeleteTable", "dynamodb:UpdateContinuousBackups", "dynamodb:DescribeContinuousBackups", "dynamodb:UpdateTimeToLive", "dynamodb:DescribeTimeToLive"},
	"AWS::Events::EventBus":         {"events:CreateEventBus", "events:DescribeEventBus", "events:DeleteEventBus"},
	"AWS::Events::EventBusPolicy":   {"events:PutPermission", "events:RemovePermission"},
	"AWS::Events::Rule":             {"events:PutRule", "events:PutTargets", "events:DescribeRule", "events:RemoveTargets", "events:DeleteRule"},
	"AWS::IAM::Role":                {"iam:CreateRole", "iam:PutRolePolicy", "iam:GetRole", "iam:PassRole", "iam:UpdateAssumeRolePolicy", "iam:DeleteRolePolicy", "iam:DeleteRole"},
	"AWS::Lambda::Permission":       {"lambda:AddPermission", "lambda:RemovePermission"},
	"AWS::Logs::LogGroup":           {"logs:CreateLogGroup", "logs:PutRetentionPolicy", "logs:PutResourcePolicy", "logs:DescribeLogGroups", "logs:DeleteLogGroup"},
	"AWS::Logs::QueryDefinition":    {"logs:PutQueryDefinition", "logs:DescribeQueryDefinitions", "logs:DeleteQueryDefinition"},
	"AWS::SNS::Topic":               {"sns:CreateTopic", "sns:Subscribe", "sns:GetTopicAttributes", "sns:DeleteTopic"},
	"AWS::SNS::TopicPolicy":         {"sns:SetTopicAttributes"},
	"AWS::SQS::Queue":               {"sqs:CreateQueue", "sqs:GetQueueAttributes", "sqs:SetQueueAttributes", "sqs:DeleteQueue"},
	"AWS::SQS::QueuePolicy":         {"sqs:SetQueueAttributes"},
	"AWS::Scheduler::Schedule":      {"scheduler:CreateSchedule", "scheduler:GetSchedule", "scheduler:UpdateSchedule", "scheduler:DeleteSchedule", "iam:PassRole"},
	"AWS::Scheduler::ScheduleGroup": {"scheduler:CreateScheduleGroup", "scheduler:GetScheduleGroup", "scheduler:DeleteScheduleGroup"},
	"AWS::Serverless::Function":     {"lambda:CreateFunction", "lambda:GetFunction", "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration", "lambda:DeleteFunction", "lambda:CreateEventSourceMapping", "lambda:UpdateEventSourceMapping", "lambda:DeleteEventSourceMapping", "lambda:PutFunctionEventInvokeConfig", "s3:GetObject"},
}

func TestWhoDeploysMayMakeEveryResource(t *testing.T) {
	may := allowed(t, permissions.Deploy)
	for id, r := range read(t, "../template.yaml").Resources {
		needed, known := making[r.Type]
		if !known {
			t.Errorf("what %s needs, of type %s, is not in this test", id, r.Type)
		}
		for _, action := range needed {
			if !slices.Contains(may, action) {
				t.Errorf("%s needs %s", id, action)
			}
		}
	}
}

func TestPermissionsFitAndNameEachActionOnce(t *testing.T) {
	const most = 6144 // characters of a managed policy without white space
	wellFormed := regexp.MustCompile(`^[a-z0-9-]+:[A-Z][A-Za-z]+$`)
	for name, text := range map[string][]byte{"deploy": permissions.Deploy, "admin": permissions.Admin, "auditor": permissions.Auditor} {
		if size := len(strings.Join(strings.Fields(string(text)), "")); size > most {
			t.Errorf("%s has %d characters", name, size)
		}
		actions := allowed(t, text)
		for i, action := range actions {
			if !wellFormed.MatchString(action) || slices.Contains(actions[:i], action) && name != "admin" {
				t.Errorf("%s names %s, twice or with a wildcard", name, action)
			}
		}
	}
	for _, action := range allowed(t, permissions.Auditor) {
		if _, verb, _ := strings.Cut(action, ":"); !regexp.MustCompile(`^(Get|List|Describe|BatchGet|Query|Scan)`).MatchString(verb) {
			t.Errorf("an auditor may %s", action)
		}
	}
}

// An admin who may write grants must not be able to add trusted accounts or owners.
func TestGrantAdminsEditNoList(t *testing.T) {
	const accounts = "arn:aws:dynamodb:us-east-1:111122223333:table/gateway-grants-accounts"
	for name, c := range map[string]struct {
		policy []byte
		action string
		key    string
		want   bool
	}{
		"an admin trusts":           {permissions.Admin, "dynamodb:PutItem", "TRUSTED", false},
		"an admin adds an owner":    {permissions.Admin, "dynamodb:PutItem", "OWNER", false},
		"an admin removes an owner": {permissions.Admin, "dynamodb:DeleteItem", "OWNER", false},
		"an admin reads the list":   {permissions.Admin, "dynamodb:Query", "TRUSTED", true},
		"a deployer trusts":         {permissions.Deploy, "dynamodb:PutItem", "TRUSTED", true},
		"a deployer ends the trust": {permissions.Deploy, "dynamodb:DeleteItem", "TRUSTED", true},
		"a deployer reads the list": {permissions.Deploy, "dynamodb:Query", "OWNER", true},
		"an auditor reads the list": {permissions.Auditor, "dynamodb:Query", "OWNER", true},
		"an auditor trusts":         {permissions.Auditor, "dynamodb:PutItem", "TRUSTED", false},
	} {
		document, err := policy.Parse(c.policy)
		if err != nil {
			t.Fatal(err)
		}
		got := policy.Evaluate(policy.Call{
			Caller: policy.Role("arn:aws:iam::111122223333:role/Someone", "session"), Action: c.action, Resource: accounts, ResourceAccount: "111122223333",
			Context: map[string][]string{"dynamodb:LeadingKeys": {c.key}}, Identity: []*policy.Document{document},
		}).Allowed
		if got != c.want {
			t.Errorf("%s: allowed is %t, want %t", name, got, c.want)
		}
	}
}
