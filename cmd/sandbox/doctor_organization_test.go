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

// finds has the doctor look until each check has a finding that says so, and returns what
// it found then.
func (p patient) finds(t *testing.T, profile string, want map[string][]string) (found examined) {
	t.Helper()
	within(t, 4*time.Minute, "the doctor finds what was planted", func() bool {
		found = p.examine(t, profile)
		for check, texts := range want {
			findings := strings.Join(found.findings(check), "\n")
			for _, text := range texts {
				if !strings.Contains(findings, text) {
					t.Logf("check %s lacks %q: %s", check, text, findings)
					return false
				}
			}
		}
		return true
	})
	return found
}

func (p patient) grants(t *testing.T, arn, id, principal string) {
	t.Helper()
	must(t, newAWSCLI(t, p.s, "account-a"), "dynamodb", "PutItem", map[string]any{"TableName": "gateway-grants", "Item": row(arn, id, principal)})
}

// What functions record of gateways, and what waits for an admin.
func TestTheDoctorFindsGatewaysThatNeedAttention(t *testing.T) {
	t.Parallel()
	p := newPatient(t)
	leftOut, lostTag, taken, full := managedGateway(t, p.s, "left-out"), managedGateway(t, p.s, "lost-tag"), managedGateway(t, p.s, "taken"), managedGateway(t, p.s, "full")
	p.grants(t, leftOut, "no-such-role", "arn:aws:iam::"+accountB+":role/NoSuchRole")
	p.grants(t, lostTag, "team-b", accountB)
	p.grants(t, taken, "team-b", accountB)
	within(t, 2*time.Minute, "account B is let in", func() bool {
		return len(accountsIn(t, p.s, lostTag)) == 1 && len(accountsIn(t, p.s, taken)) == 1
	})
	endpoints := make([]string, 760) // of 22 characters each, and 3 around
	for i := range endpoints {
		endpoints[i] = `"vpce-0123456789abcdef` + string(rune('a'+i%26)) + `"`
	}
	p.shell(t, `cat > "$TMPDIR/full.json" <<'END'
{"Version": "2012-10-17", "Statement": [{"Sid": "Others", "Effect": "Deny", "Principal": "*", "Action": "bedrock-agentcore:InvokeGateway", "Resource": "`+full+`", "Condition": {"StringEquals": {"aws:SourceVpce": [`+strings.Join(endpoints, ",")+`]}}}]}
END
aws bedrock-agentcore-control put-resource-policy --resource-arn `+full+` --policy "file://$TMPDIR/full.json"`)
	p.shell(t, "aws bedrock-agentcore-control untag-resource --resource-arn "+lostTag+" --tag-keys gateway-grants:managed")
	// Without what was recorded of it, as after a restore.
	p.shell(t, `for item in $(aws dynamodb query --table-name gateway-grants-state --key-condition-expression 'gateway = :g' --expression-attribute-values '{":g": {"S": "`+taken+`"}}' --query 'Items[].item.S' --output text); do
	aws dynamodb delete-item --table-name gateway-grants-state --key "{\"gateway\": {\"S\": \"`+taken+`\"}, \"item\": {\"S\": \"$item\"}}"
done
aws bedrock-agentcore-control tag-resource --resource-arn `+taken+` --tags touched=yes`)
	p.finds(t, "auditor", map[string][]string{
		"gateways": {
			"1 grant is left out, wholly or partly, on " + leftOut, "the policy of " + taken + " may not be what its grants say",
			"the policy of " + full + " is nearly full", lostTag + " is not managed, and its policy still has statements of this installation",
		},
		"approvals": {"this waits for an admin: "},
	})
	p.shell(t, "AWS_PROFILE=admin gateway-grants approve --all --yes")
	p.shell(t, "aws bedrock-agentcore-control tag-resource --resource-arn "+lostTag+" --tags gateway-grants:managed=true")
	p.shell(t, "aws bedrock-agentcore-control delete-resource-policy --resource-arn "+full)
	must(t, newAWSCLI(t, p.s, "account-a"), "dynamodb", "DeleteItem", map[string]any{"TableName": "gateway-grants", "Key": row(leftOut, "no-such-role", "")})
	within(t, 4*time.Minute, "each is mended", func() bool {
		e := p.examine(t, "auditor")
		t.Log(e.findings("gateways"), e.findings("approvals"))
		return len(e.findings("gateways"))+len(e.findings("approvals")) == 0
	})
}

// What an organization and its accounts withdraw, and what was deleted out of the stack.
func TestTheDoctorFindsWhatAnOrganizationWithdraws(t *testing.T) {
	t.Parallel()
	p := newPatient(t)
	p.deployForwarders(t)
	t.Log("trusted access, and an owner's role")
	p.finds(t, "account-a", map[string][]string{"organization": {"StackSets have no trusted access"}})
	p.shell(t, "AWS_PROFILE=management aws organizations enable-aws-service-access --service-principal member.org.stacksets.cloudformation.amazonaws.com")
	if found := p.examine(t, "account-a").findings("organization"); len(found) > 0 {
		t.Errorf("with trusted access it finds %v", found)
	}
	p.shell(t, `AWS_PROFILE=account-b aws iam update-assume-role-policy --role-name gateway-grants-owner --policy-document '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"}]}'`)
	p.finds(t, "admin", map[string][]string{"owners": {"the gateways of account " + accountB + " cannot be reached"}})

	t.Log("listings and the delegation")
	p.shell(t, `aws dynamodb put-item --table-name gateway-grants-accounts --item '{"pk": {"S": "SYNC"}, "sk": {"S": "SYNC"}, "syncedAt": {"S": "2026-01-01T00:00:00.000000000Z"}}'`)
	p.finds(t, "auditor", map[string][]string{"organization": {"the organization was last listed at 2026-01-01T00:00:00Z"}})
	p.shell(t, "AWS_PROFILE=management aws organizations deregister-delegated-administrator --account-id "+accountA+" --service-principal ssm.amazonaws.com")
	p.shell(t, "AWS_PROFILE=management aws organizations delete-resource-policy")
	p.shell(t, `aws dynamodb delete-item --table-name gateway-grants-accounts --key '{"pk": {"S": "SYNC"}, "sk": {"S": "SYNC"}}'`)
	p.finds(t, "auditor", map[string][]string{"organization": {"the organization has never been listed", "account " + accountA + " may not read the organization"}})

	t.Log("what was deleted")
	p.shell(t, "aws lambda delete-event-source-mapping --uuid $(aws lambda list-event-source-mappings --function-name gateway-grants-table-changes --query 'EventSourceMappings[0].UUID' --output text)")
	p.shell(t, "aws events remove-targets --rule gateway-grants-notices --event-bus-name gateway-grants --ids log && aws events delete-rule --name gateway-grants-notices --event-bus-name gateway-grants")
	p.shell(t, "aws scheduler delete-schedule --name gateway-grants-due --group-name gateway-grants")
	p.shell(t, "aws dynamodb update-table --table-name gateway-grants-state --no-deletion-protection-enabled && aws dynamodb delete-table --table-name gateway-grants-state")
	p.finds(t, "auditor", map[string][]string{
		"mappings": {"takes nothing from"}, "rules": {"rule gateway-grants-notices is missing"}, "schedules": {"schedule gateway-grants-due is missing"},
		"tables": {"table gateway-grants-state is missing"},
	})
}

// A stack that is not there, one that could not be made, and one of another version.
func TestTheDoctorFindsTheWrongStack(t *testing.T) {
	t.Parallel()
	p := newPatient(t)
	if found := p.examine(t, "auditor", "--stack", "nowhere").findings("stack"); len(found) != 1 || !strings.Contains(found[0], "there is no stack nowhere in account "+accountA) {
		t.Errorf("where there is no stack it finds %v", found)
	}
	p.shell(t, `aws cloudformation create-stack --stack-name broken --template-body '{"Resources": {"Rule": {"Type": "AWS::Events::Rule", "Properties": {"EventBusName": "no-such-bus", "EventPattern": {"source": ["none"]}}}}}'`)
	if found := p.examine(t, "auditor", "--stack", "broken").findings("stack"); len(found) != 1 || !strings.Contains(found[0], "the last change of the stack failed") {
		t.Errorf("where a stack could not be made it finds %v", found)
	}

	body := p.shell(t, "aws cloudformation get-template --stack-name gateway-grants --query TemplateBody --output text")
	p.s.update(t, map[string]string{"SweepMinutes": "10"}, strings.Replace(body, "(devel)", "1.2.3", 1))
	for version, want := range map[string]string{"1.2.3": "", "1.2.4": "version 1.2.3 is deployed, and this command line is 1.2.4"} {
		other := patient{p.s, filepath.Join(t.TempDir(), "gateway-grants")}
		build := exec.Command("go", "build", "-ldflags", "-X github.com/gateway-grants/gateway-grants/pkg/version.stamped="+version, "-o", other.program, "./cmd/gateway-grants")
		build.Dir, build.Env = cloudtest.Repository(t), os.Environ()
		if output, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
		if found := strings.Join(other.examine(t, "auditor").findings("version"), "\n"); !strings.HasPrefix(found, want) || (found == "") != (want == "") {
			t.Errorf("by the command line of version %s it finds %q, want %q", version, found, want)
		}
	}
}
