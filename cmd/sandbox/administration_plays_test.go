//go:build e2e

package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// What administrators do every day, on the template as it is deployed: lists of accounts,
// the mode, undo, and what waits for their approval. Account B is in no organization here.
func TestAdministrationOnTheDeployedTemplate(t *testing.T) {
	t.Parallel()
	// Before the organization is listed for the first time, a minute after the start.
	const leaves = "AWS_PROFILE=management ../../.venv/bin/aws organizations remove-account-from-organization --account-id " + accountB
	p := administering(t, ownSandbox(t, "--then", leaves), "administered")
	many := p
	many.gateway = managedGateway(t, p.s, "of-many-rows")
	many.putMany() // first, because rows that are put and removed within five minutes are no mass removal
	written := time.Now()
	p.s.update(p.t, map[string]string{"SweepMinutes": "1", "OwnerRoleName": "gateway-grants-owner", "OwnerExternalId": ownerID})
	t.Run("a trusted account is let in while it is listed", func(t *testing.T) { p.on(t).trusts() })
	t.Run("an owner is NotJoined until its account has the role", func(t *testing.T) { p.on(t).addsAnOwner() })
	t.Run("the function that writes accounts may not write the lists", func(t *testing.T) { p.on(t).keepsTheLists() })
	t.Run("in observe mode no policy is written", func(t *testing.T) { p.on(t).observes() })
	t.Run("a role that was created again waits for approval", func(t *testing.T) { p.on(t).approvesARole() })
	t.Run("a mass removal is noticed and undone", func(t *testing.T) {
		many.on(t).lets(accountA, accountB, management)
		within(t, grant.RemovalWindow+time.Minute, "the rows were put before the window of a mass removal", func() bool {
			return time.Since(written) > grant.RemovalWindow
		})
		many.on(t).undoes()
	})
}

func (p administrator) trusts() {
	p.put("gateway-grants", "partner", accountB)
	p.put("gateway-grants", "member", management)
	p.says("OutsideOrganization", "list", p.gateway)
	p.lets(management)
	p.edits("add", "--trusted")
	p.lets(accountB, management)
	if said := p.done("account", "list", "--trusted"); !strings.Contains(said, accountB) || !strings.Contains(said, "AdminRole/") {
		p.t.Errorf("account list does not name the account and who added it:\n%s", said)
	}
	p.edits("remove", "--trusted")
	p.lets(management)
	p.edits("add", "--trusted")
	p.lets(accountB, management)
}

// edits changes a list as the deployer: who edits grants may not.
func (p administrator) edits(verb, list string) {
	p.t.Helper()
	if said, err := p.cli("account", verb, list, accountB); err == nil || !strings.Contains(said, "AWS denies this") {
		p.t.Errorf("an admin of grants edits the list: %v\n%s", err, said)
	}
	p.done("account", verb, list, accountB, "--profile", "account-a")
}

// addsAnOwner has account B own gateways: first without the role of infra/owner-account.yaml,
// which is how an owner begins, then with it.
func (p administrator) addsAnOwner() {
	p.edits("add", "--owner")
	p.says("NotJoined", "account", "list", "--owner")
	owner := newAWSCLI(p.t, p.s, "account-b")
	made := must(p.t, owner, agentcore, "CreateGateway", map[string]any{
		"name": "owned-by-b", "roleArn": "arn:aws:iam::" + accountB + ":role/AdminRole",
		"protocolType": "MCP", "authorizerType": "AWS_IAM", "tags": map[string]string{"gateway-grants:managed": "true"},
	})
	theirs := p
	theirs.gateway, _ = made["gatewayArn"].(string)
	theirs.put("gateway-grants", "member", management)
	theirs.says("NotJoined", "list", theirs.gateway)

	owner.deploy(p.t, "gateway-grants-owner", "owner-account.yaml", "HubAccountId="+accountA, "ExternalId="+ownerID, "HubBusArn="+p.s.output(p.t, "EventBusArn"))
	within(p.t, 3*time.Minute, "the owner has joined", func() bool {
		return lineHas(p.done("account", "list", "--owner"), accountB, " Joined")
	})
	within(p.t, 3*time.Minute, "its gateway lets in the account that a row names", func() bool {
		text, _ := must(p.t, owner, agentcore, "GetResourcePolicy", map[string]any{"resourceArn": theirs.gateway})["policy"].(string)
		return strings.Contains(text, ":"+management+":root")
	})
}

// keepsTheLists has a function of the organization function's role try to name an account
// as trusted, and to take the list's sentinel away.
func (p administrator) keepsTheLists() {
	const source = `
import boto3, botocore
table = boto3.resource("dynamodb").Table("gateway-grants-accounts")
def handler(event, context):
    said = {}
    for pk in event["partitions"]:
        for name, call in {"put": lambda: table.put_item(Item={"pk": pk, "sk": "999988887777"}), "delete": lambda: table.delete_item(Key={"pk": pk, "sk": "999988887777"})}.items():
            try:
                call()
                said[name + " " + pk] = "done"
            except botocore.exceptions.ClientError as refusal:
                said[name + " " + pk] = refusal.response["Error"]["Code"]
    return said
`
	described := must(p.t, p.deployer, "cloudformation", "DescribeStackResource", map[string]any{"StackName": stackName, "LogicalResourceId": "OrganizationRole"})
	detail, _ := described["StackResourceDetail"].(map[string]any)
	deployPythonAs(p.t, p.s, "arn:aws:iam::"+accountA+":role/"+detail["PhysicalResourceId"].(string), "intruder", source)
	answer, err := lambda.NewFromConfig(sdkConfig(p.t, p.s, "account-a")).Invoke(p.t.Context(), &lambda.InvokeInput{
		FunctionName: aws.String("intruder"), Payload: []byte(`{"partitions": ["TRUSTED", "OWNER", "TAG#tried=true"]}`),
	})
	if err != nil || answer.FunctionError != nil {
		p.t.Fatalf("%v, %s", err, answer.Payload)
	}
	said := string(answer.Payload)
	for try, want := range map[string]string{
		"put TRUSTED": "AccessDeniedException", "delete TRUSTED": "AccessDeniedException", "put OWNER": "AccessDeniedException", "delete OWNER": "AccessDeniedException",
		"put TAG#tried=true": "done", "delete TAG#tried=true": "done",
	} {
		if !strings.Contains(said, fmt.Sprintf("%q: %q", try, want)) {
			p.t.Errorf("%s is not %s: %s", try, want, said)
		}
	}
}

// observes has rows come and go while nothing is written, and then all of it at once.
func (p administrator) observes() {
	p.s.update(p.t, map[string]string{"Mode": "observe"})
	before := p.policy()
	p.remove("gateway-grants", "partner")
	p.put("gateway-grants", "own", accountA)
	p.says("observe: not applied: 1 to add, 1 to remove", "list", p.gateway)
	p.says("Observed", "list", p.gateway)
	if after := p.policy(); after != before {
		p.t.Errorf("it wrote %s", after)
	}
	p.s.update(p.t, map[string]string{"Mode": "enforce"})
	p.lets(accountA, management)
	p.remove("gateway-grants", "own")
	p.lets(management)
}

// approvesARole deletes a role that is let in by its unique id, and creates another one
// under its name.
func (p administrator) approvesARole() {
	roles := iam.NewFromConfig(sdkConfig(p.t, p.s, "account-b"))
	name, arn := "Agent", "arn:aws:iam::"+accountB+":role/Agent"
	create := func() {
		p.t.Helper()
		if _, err := roles.CreateRole(p.t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(trusting(`{"AWS":"` + accountB + `"}`))}); err != nil {
			p.t.Fatal(err)
		}
	}
	names := func() bool { return strings.Contains(p.policy(), arn) }
	create()
	p.put("gateway-grants", "agent", arn)
	within(p.t, 2*time.Minute, "the role is let in", names)
	if _, err := roles.DeleteRole(p.t.Context(), &iam.DeleteRoleInput{RoleName: &name}); err != nil {
		p.t.Fatal(err)
	}
	create()
	p.says("PrincipalRecreated", "list", p.gateway)
	if names() {
		p.t.Errorf("the role of now is let in: %s", p.policy())
	}
	said := p.done("approve")
	id := regexp.MustCompile(`(?m)^role-[0-9a-f]+`).FindString(said)
	if id == "" || !strings.Contains(said, arn) {
		p.t.Fatalf("approve does not list it:\n%s", said)
	}
	p.done("approve", id, "--yes")
	within(p.t, 2*time.Minute, "the role of now is let in", names)
	p.remove("gateway-grants", "agent")
	within(p.t, 2*time.Minute, "without its row it is out", func() bool { return !names() })
}

const (
	manyRows    = 40
	removedRows = 12 // more than ten, and more than a fifth
)

// putMany puts rows, of which the first name accounts that no other row of the gateway names.
func (p administrator) putMany() {
	for n := range manyRows {
		p.put("gateway-grants", fmt.Sprintf("mass-%d", n), []string{accountA, accountB, management}[min(n*2/removedRows, 2)])
	}
}

// undoes removes many rows at once, which takes effect, is noticed, and is undone.
func (p administrator) undoes() {
	began := time.Now()
	for n := range removedRows {
		p.remove("gateway-grants", fmt.Sprintf("mass-%d", n))
	}
	p.lets(management) // a revocation is never held
	removal := regexp.MustCompile(`at least \d+ of \d+ rows were removed`)
	p.logs("/aws/events/gateway-grants-notices", "a notice of the removal", func(message string) bool {
		return strings.Contains(message, "Rows Removed") && removal.MatchString(message)
	})
	p.logs("/aws/lambda/gateway-grants-sweep", "the metric of the alarm", regexp.MustCompile(`"RowsRemoved":1\d\b`).MatchString)

	since := func() string { return (time.Since(began) + 5*time.Second).Round(time.Second).String() }
	if said := p.done("history", p.gateway, "--since", since()); len(regexp.MustCompile(`mass-\d+ +removed +- `).FindAllString(said, -1)) != removedRows {
		p.t.Errorf("history does not show the removals:\n%s", said)
	}
	if said := p.done("undo", "--since", since(), "--dry-run"); strings.Count(said, "removed") < removedRows {
		p.t.Errorf("undo does not show what it would put back:\n%s", said)
	}
	if said := p.done("undo", "--since", since(), "--yes"); !regexp.MustCompile(`Put back 1\d rows\.`).MatchString(said) {
		p.t.Errorf("undo said\n%s", said)
	}
	p.lets(accountA, accountB, management)
}

// logs waits until a log group has a message.
func (p administrator) logs(group, what string, is func(message string) bool) {
	p.t.Helper()
	within(p.t, 3*time.Minute, what, func() bool {
		events, _ := must(p.t, p.deployer, "logs", "FilterLogEvents", map[string]any{"logGroupName": group})["events"].([]any)
		return slices.ContainsFunc(events, func(event any) bool {
			fields, _ := event.(map[string]any)
			message, _ := fields["message"].(string)
			return is(message)
		})
	})
}
