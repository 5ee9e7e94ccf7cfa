package cloud_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
)

// ledger keeps what was decided.
type ledger struct {
	mu        sync.Mutex
	calls     []policy.Call
	decisions []policy.Decision
}

func (l *ledger) record(call policy.Call, decision policy.Decision) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls, l.decisions = append(l.calls, call), append(l.decisions, decision)
}

// roleStack is what template.yaml deploys for the organization function's role: the
// role and all that it refers to. Change may plant a fault into its statements, by Sid.
func roleStack(t *testing.T, change func(statements map[string]map[string]any)) string {
	t.Helper()
	repository := cloudtest.Repository(t)
	output, err := exec.Command(cloudtest.Python(t), filepath.Join(repository, "infra", "read.py"), "stack", filepath.Join(repository, "template.yaml")).Output()
	if err != nil {
		t.Fatalf("reading template.yaml: %v", err)
	}
	var template struct {
		Parameters, Conditions any
		Resources              map[string]map[string]any
	}
	if err := json.Unmarshal(output, &template); err != nil {
		t.Fatal(err)
	}
	kept := map[string]map[string]any{}
	for _, name := range []string{"GrantsTable", "AccountsTable", "StateTable", "EventBus", "OrganizationLog", "OrganizationRole"} {
		kept[name] = template.Resources[name]
		delete(kept[name], "Metadata") // what linters say of it
		delete(kept[name], "DeletionPolicy")
		delete(kept[name]["Properties"].(map[string]any), "DeletionProtectionEnabled")
	}
	statements := map[string]map[string]any{}
	for _, statement := range dig(kept["OrganizationRole"], "Properties", "Policies", 0, "PolicyDocument", "Statement").([]any) {
		statements[statement.(map[string]any)["Sid"].(string)] = statement.(map[string]any)
	}
	if change != nil {
		change(statements)
	}
	text, err := json.Marshal(map[string]any{
		"AWSTemplateFormatVersion": "2010-09-09", "Parameters": template.Parameters, "Conditions": template.Conditions, "Resources": kept,
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func dig(value any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			value = value.(map[string]any)[step]
		case int:
			value = value.([]any)[step]
		}
	}
	return value
}

// send makes one call in awsJson, signed by the key.
func send(t *testing.T, w *world, key iam.AccessKey, service, target, body string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.endpoint, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("X-Amz-Target", target)
	hash := sha256.Sum256([]byte(body))
	config := w.with(key.ID, key.Secret, key.SessionToken)
	credentials, err := config.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := v4.NewSigner().SignHTTP(t.Context(), credentials, request, hex.EncodeToString(hash[:]), service, region, time.Now()); err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK && !bytes.Contains(said, []byte("AccessDenied")) {
		t.Fatalf("%s: %s: %s", target, answer.Status, said)
	}
	return answer.StatusCode
}

// everyday are the calls that the organization function makes, and Lambda on its
// behalf.
var everyday = []struct{ service, target, body string }{
	{"logs", "Logs_20140328.CreateLogStream", `{"logGroupName":"/aws/lambda/gateway-grants-organization","logStreamName":"one"}`},
	{"logs", "Logs_20140328.PutLogEvents", `{"logGroupName":"/aws/lambda/gateway-grants-organization","logStreamName":"one","logEvents":[{"timestamp":1,"message":"m"}]}`},
	{"dynamodb", "DynamoDB_20120810.GetItem", `{"TableName":"gateway-grants-accounts","Key":{"pk":{"S":"a"},"sk":{"S":"b"}}}`},
	{"dynamodb", "DynamoDB_20120810.Query", `{"TableName":"gateway-grants-accounts","KeyConditionExpression":"pk = :a","ExpressionAttributeValues":{":a":{"S":"a"}}}`},
	{"dynamodb", "DynamoDB_20120810.Scan", `{"TableName":"gateway-grants-accounts"}`},
	{"dynamodb", "DynamoDB_20120810.TransactWriteItems", `{"TransactItems":[{"Put":{"TableName":"gateway-grants-accounts","Item":{"pk":{"S":"ACCOUNT#a"},"sk":{"S":"b"}}}},
		{"Delete":{"TableName":"gateway-grants-accounts","Key":{"pk":{"S":"ACCOUNT#a"},"sk":{"S":"c"}}}}]}`},
	{"dynamodb", "DynamoDB_20120810.Query", `{"TableName":"gateway-grants","KeyConditionExpression":"gateway = :a","ExpressionAttributeValues":{":a":{"S":"#approvals"}}}`},
	{"dynamodb", "DynamoDB_20120810.Scan", `{"TableName":"gateway-grants"}`},
	{"dynamodb", "DynamoDB_20120810.PutItem", `{"TableName":"gateway-grants-state","Item":{"gateway":{"S":"#probes"},"item":{"S":"a"}}}`},
	{"events", "AWSEvents.PutEvents", `{"Entries":[{"EventBusName":"gateway-grants","Source":"gateway-grants","DetailType":"Departures Held","Detail":"{}"}]}`},
	{"organizations", "AWSOrganizationsV20161128.DescribeOrganization", `{}`},
	{"organizations", "AWSOrganizationsV20161128.DescribeAccount", `{"AccountId":"` + accountA + `"}`},
	{"organizations", "AWSOrganizationsV20161128.ListAccounts", `{}`},
	{"organizations", "AWSOrganizationsV20161128.ListParents", `{"ChildId":"` + accountA + `"}`},
	{"organizations", "AWSOrganizationsV20161128.ListTagsForResource", `{"ResourceId":"` + accountA + `"}`},
}

// deployedRole is the role of a stack of roleStack.
var deployedRole = regexp.MustCompile(`<PhysicalResourceId>([^<]*OrganizationRole[^<]*)</PhysicalResourceId>`)

func TestAFaultInTheTemplatesRoleIsFound(t *testing.T) {
	cases := map[string]struct {
		reason string
		plant  func(statements map[string]map[string]any)
		want   []string
	}{
		"none": {"the role has what it needs, and no more", nil, nil},
		"an action is missing": {
			"the call was denied",
			func(s map[string]map[string]any) {
				s["ReadOrganization"]["Action"] = []string{"organizations:DescribeOrganization", "organizations:DescribeAccount", "organizations:ListAccounts", "organizations:ListTagsForResource"}
			},
			[]string{"OrganizationRole: organizations:ListParents on arn:aws:organizations::999900001111:account/O/111122223333: denied once (NoIdentityAllow)"},
		},
		"a resource is another": {
			"a bus that is not the one",
			func(s map[string]map[string]any) { s["Publish"]["Resource"] = "arn:aws:events:*:*:event-bus/other" },
			[]string{
				"OrganizationRole: events:PutEvents on arn:aws:events:us-east-1:111122223333:event-bus/gateway-grants: denied once (NoIdentityAllow)",
				"OrganizationRole: statement Publish allows events:PutEvents on arn:aws:events:*:*:event-bus/other: never used",
			},
		},
		"a condition is not met": {
			"it asks for another source than the function names",
			func(s map[string]map[string]any) {
				s["Publish"]["Condition"] = map[string]any{"StringEquals": map[string]string{"events:source": "gateway-grant"}}
			},
			[]string{
				"OrganizationRole: events:PutEvents on arn:aws:events:us-east-1:111122223333:event-bus/gateway-grants: denied once (NoIdentityAllow)",
				"OrganizationRole: statement Publish allows events:PutEvents on arn:aws:events:us-east-1:111122223333:event-bus/gateway-grants: never used",
			},
		},
		"an action is spare": {
			"nothing writes grants",
			func(s map[string]map[string]any) {
				s["ReadGrants"]["Action"] = []string{"dynamodb:Query", "dynamodb:Scan", "dynamodb:PutItem"}
			},
			[]string{"OrganizationRole: statement ReadGrants allows dynamodb:PutItem on arn:aws:dynamodb:us-east-1:111122223333:table/gateway-grants: never used"},
		},
		"a resource is spare": {
			"logs go to the one group",
			func(s map[string]map[string]any) {
				s["Log"]["Resource"] = []any{s["Log"]["Resource"], "arn:aws:logs:*:*:log-group:/other:*"}
			},
			[]string{
				"OrganizationRole: statement Log allows logs:CreateLogStream on arn:aws:logs:*:*:log-group:/other:*: never used",
				"OrganizationRole: statement Log allows logs:PutLogEvents on arn:aws:logs:*:*:log-group:/other:*: never used",
			},
		},
		"an action has a wildcard": {
			"it cannot be seen what of it is used",
			func(s map[string]map[string]any) { s["ReadGrants"]["Action"] = "dynamodb:*" },
			[]string{"OrganizationRole: statement ReadGrants allows dynamodb:*: a wildcard hides what is never used"},
		},
	}
	w := organized(t)
	organizationID := regexp.MustCompile(`o-[a-z0-9]+`)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			kept := &ledger{}
			w.upstream.Decider = &iam.Decider{Policies: w.identities, Record: kept.record}
			answer := cloudformation(t, w.moto, "CreateStack", roleStack(t, c.plant), "CAPABILITY_NAMED_IAM")
			resources := cloudformation(t, w.moto, "DescribeStackResources", "")
			found := deployedRole.FindStringSubmatch(resources)
			if found == nil {
				t.Fatalf("the role is not deployed: %s\n%s", answer, resources)
			}
			defer cloudformation(t, w.moto, "DeleteStack", "")
			key, err := w.identities.StartSession(t.Context(), "arn:aws:iam::"+accountA+":role/"+found[1], "run", time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			for _, call := range everyday {
				send(t, w, key, call.service, call.target, call.body)
			}

			roles, err := cloud.Roles(t.Context(), awsiam.NewFromConfig(w.moto.Config(accountA, region)), accountA, map[string]string{found[1]: "OrganizationRole"})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, finding := range iam.LeastPrivilege(roles, kept.calls, kept.decisions, nil) {
				got = append(got, organizationID.ReplaceAllString(finding.String(), "O"))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.reason, diff)
			}
		})
	}
}
