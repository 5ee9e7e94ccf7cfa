//go:build e2e

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
)

// The stack as `make sandbox` deploys it, with all that is asked of it, one thing
// after the other: the last looks back at every call that was made.
func TestTheTemplateDeployedToTheLocalCloud(t *testing.T) {
	t.Parallel()
	s := deployToLocalCloud(t)
	newAWSCLI(t, s, "management").deploy(t, "gateway-grants-organization-events", "organization-events.yaml",
		"HubAccountId="+accountA, "HubBusArn="+s.output(t, "EventBusArn"), "HubAdminRoles="+adminRole)
	t.Run("undisturbed", func(t *testing.T) {
		for name, plays := range map[string]func(*testing.T, *sandbox){
			"plays the whole story through the AWS CLI": playStory,
			"keeps the gateway of another owner":        keepsAnothersGateway,
			"takes the policy away with the last grant": takesThePolicyAwayWithTheLastGrant,
			"follows the organization":                  followsTheOrganization,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				plays(t, s)
			})
		}
	})
	t.Run("loses nothing while its functions are killed", func(t *testing.T) { whileFunctionsAreKilled(t, s) })
	t.Run("answers what piled up while its functions were killed", func(t *testing.T) { answersWhatPiledUp(t, s) })
	t.Run("sees whether other accounts forward their events", func(t *testing.T) {
		if found := (patient{s, builtProgram(t)}).forwarders(t, "2m"); len(found) > 0 {
			t.Errorf("found %v", found)
		}
	})
	t.Run("finds access on a gateway that lost its tag", func(t *testing.T) { looksAtWhatLostItsTag(t, s) })
	t.Run("is allowed what it needs and nothing else", func(t *testing.T) {
		for _, finding := range leastPrivilege(t, s, stackName, unused) {
			t.Error(finding)
		}
	})
}

// stackSet names a stack as StackSets do, which CloudFormation trims in the names that it
// makes up.
const stackSet = "StackSet-gateway-grants-owners-of-every-gateway-0f6c3f9e-8b1a-4f0e-9d53-2f1c6a7e9b10"

// parameters are those that the test has the template deployed with: sweeps every
// minute for what was lost, and a second owner.
const parameters = "SweepMinutes=1 OwnerAccounts=" + accountA + "," + accountB + " OwnerRoleName=gateway-grants-owner OwnerExternalId=" + ownerID

func deployToLocalCloud(t *testing.T) *sandbox {
	t.Helper()
	if _, err := os.Stat(filepath.Join(cloudtest.Repository(t), ".venv-sam", "ready")); err != nil {
		cloudtest.Missing(t, "no SAM CLI: run `make .venv-sam/ready`")
	}
	// The owner's role comes first: sweeps, which begin at once, look into its account.
	const owner = "../../.venv/bin/aws --profile account-b cloudformation deploy --stack-name " + stackSet + " --template-file ../../infra/owner-account.yaml" +
		" --capabilities CAPABILITY_NAMED_IAM --parameter-overrides HubAccountId=" + accountA + " ExternalId=" + ownerID + " HubAdminRoles=" + adminRole +
		" HubBusArn=arn:aws:events:" + region + ":" + accountA + ":event-bus/gateway-grants"
	s, err := launch(cloudtest.Python(t), t.TempDir(), "--cloud", "--then", owner+" && PARAMETERS='"+parameters+"' ../../infra/stack local")
	if err != nil {
		t.Fatal(err)
	}
	s.endsWith(t)
	return s
}

// playStory runs story.sh, and shows what it said if it ended wrong.
func playStory(t *testing.T, s *sandbox) {
	command := exec.Command(filepath.Join("story", "story.sh"))
	command.Env = append(s.environment("account-a"), "PATIENCE=120")
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
}

// keepsAnothersGateway has account B own a gateway, which the deployment in account A
// reaches by the role of infra/owner-account.yaml.
func keepsAnothersGateway(t *testing.T, s *sandbox) {
	owner := newAWSCLI(t, s, "account-b")
	made := must(t, owner, agentcore, "CreateGateway", map[string]any{
		"name": "owned-by-b", "roleArn": "arn:aws:iam::" + accountB + ":role/AdminRole",
		"protocolType": "MCP", "authorizerType": "AWS_IAM", "tags": map[string]string{"gateway-grants:managed": "true"},
	})
	arn, _ := made["gatewayArn"].(string)
	names := func() bool {
		text, _ := must(t, owner, agentcore, "GetResourcePolicy", map[string]any{"resourceArn": arn})["policy"].(string)
		return strings.Contains(text, ":"+management+":root")
	}
	admin := newAWSCLI(t, s, "admin")
	must(t, admin, "dynamodb", "PutItem", map[string]any{"TableName": "gateway-grants", "Item": row(arn, "management", management)})
	eventually(t, "its policy lets in the principal that a row names", names)
	must(t, owner, agentcore, "DeleteResourcePolicy", map[string]any{"resourceArn": arn})
	eventually(t, "account B's events reported the deleted policy, and it was put back", names)
	must(t, admin, "dynamodb", "DeleteItem", map[string]any{"TableName": "gateway-grants", "Key": row(arn, "management", "")})
	eventually(t, "the end of the row is the end of it", func() bool { return !names() })
}

// looksAtWhatLostItsTag waits until a sweep has read what is recorded of the gateway
// that lost its tag last.
func looksAtWhatLostItsTag(t *testing.T, s *sandbox) {
	within(t, 3*time.Minute, "a sweep looks", func() bool {
		for _, finding := range leastPrivilege(t, s, stackName, unused) {
			if finding.Role == "SweepRole" && finding.Action == "dynamodb:Query" && strings.HasSuffix(finding.Resource, "-state") {
				return false
			}
		}
		return true
	})
}
