package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
)

// patient is a deployment that the doctor looks at.
type patient struct {
	s       *sandbox
	program string
}

// examined is what `gateway-grants doctor -o json` prints.
type examined struct {
	Healthy bool
	Checks  []struct {
		Check    string
		Status   string
		Findings []struct{ What, Mend string }
		Unread   []string
	}
}

func newPatient(t *testing.T) patient {
	t.Helper()
	s := ownSandbox(t)
	return patient{s: s, program: builtProgram(t)}
}

// examine has the doctor look, as a profile. Its exit code reports whether all is well.
func (p patient) examine(t *testing.T, profile string, arguments ...string) examined {
	t.Helper()
	command := exec.Command(p.program, append([]string{"doctor", "-o", "json"}, arguments...)...)
	command.Env = p.s.environment(profile)
	output, err := command.Output()
	var found examined
	if failed := json.Unmarshal(output, &found); failed != nil {
		t.Fatalf("%v, %v: %s", failed, err, output)
	}
	exit := (*exec.ExitError)(nil)
	before := slices.Contains(arguments, "--preflight") // which advice does not fail
	if found.Healthy != (err == nil) && !before || err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		t.Errorf("healthy %t, and it ends with %v", found.Healthy, err)
	}
	return found
}

// findings are those of a check, "WHAT => MEND" each.
func (e examined) findings(check string) []string {
	var all []string
	for _, c := range e.Checks {
		if c.Check == check {
			for _, f := range c.Findings {
				all = append(all, f.What+" => "+f.Mend)
			}
		}
	}
	return all
}

// unhealthy is what is not well, in a line.
func (e examined) unhealthy() string {
	var text []string
	for _, c := range e.Checks {
		if len(c.Findings) > 0 || len(c.Unread) > 0 {
			text = append(text, fmt.Sprint(c.Check, c.Findings, c.Unread))
		}
	}
	return strings.Join(text, "; ")
}

func (e examined) unread(check string) []string {
	for _, c := range e.Checks {
		if c.Check == check {
			return c.Unread
		}
	}
	return nil
}

// shell runs a command line as an admin of account A, in the repository, and returns what
// it printed. Version 1 of the
// AWS CLI takes the endpoint of SQS from nowhere but its command line, and of several the last.
func (p patient) shell(t *testing.T, line string) (output string) {
	t.Helper()
	repository, tools := cloudtest.Repository(t), t.TempDir()
	aws := fmt.Sprintf("#!/bin/sh\nexec %s \"$@\" --endpoint-url %s\n", filepath.Join(filepath.Dir(cloudtest.Python(t)), "aws"), p.s.endpoint)
	if err := os.WriteFile(filepath.Join(tools, "aws"), []byte(aws), 0o700); err != nil {
		t.Fatal(err)
	}
	command := exec.Command("sh", "-e", "-c", line)
	command.Dir = repository
	command.Env = append(p.s.environment("account-a"), "TMPDIR="+t.TempDir(), "PATH="+tools+":"+filepath.Dir(p.program)+":"+os.Getenv("PATH"))
	said, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, said)
	}
	return string(said)
}

// mendFirstDeployment runs what the doctor's findings on a deployment that has just been
// made say, until it is healthy.
func (p patient) mendFirstDeployment(t *testing.T) {
	t.Helper()
	t.Log("a first deployment")
	first := p.examine(t, "auditor")
	for check, want := range map[string]string{"tables": "table gateway-grants-state may be deleted", "trail": "no trail logs management events", "heartbeat": "no sweep has ended well"} {
		if found := first.findings(check); len(found) == 0 || !strings.Contains(strings.Join(found, "\n"), want) {
			t.Errorf("check %s found %v, want %q", check, found, want)
		}
	}
	for _, found := range first.findings("tables") {
		_, mend, _ := strings.Cut(found, " => ")
		p.shell(t, mend)
	}
	p.shell(t, beat)
	p.shell(t, record)
	within(t, 2*time.Minute, "a healthy deployment", func() bool {
		p.shell(t, beat)
		e := p.examine(t, "auditor")
		t.Log(e.unhealthy())
		return e.Healthy
	})
}

const (
	beat   = `aws cloudwatch put-metric-data --namespace GatewayGrants --metric-data '[{"MetricName": "Heartbeat", "Value": 1, "Dimensions": [{"Name": "FunctionName", "Value": "gateway-grants-sweep"}]}]'`
	record = `aws s3api create-bucket --bucket trails-of-account-a && aws cloudtrail create-trail --name management-events --s3-bucket-name trails-of-account-a --is-multi-region-trail && aws cloudtrail start-logging --name management-events`
)

// sibling makes a managed gateway whose policy holds a statement of another installation.
const sibling = `arn=$(aws bedrock-agentcore-control create-gateway --name sibling --role-arn arn:aws:iam::111122223333:role/AdminRole --protocol-type MCP --authorizer-type AWS_IAM --tags gateway-grants:managed=true --query gatewayArn --output text)
for i in 1 2 3 4 5 6 7 8 9 10; do
	aws bedrock-agentcore-control put-resource-policy --resource-arn "$arn" --policy '{"Version": "2012-10-17", "Statement": [{"Sid": "GatewayGrantsoldX1", "Effect": "Allow",
		"Principal": {"AWS": "arn:aws:iam::444455556666:root"}, "Action": "bedrock-agentcore:InvokeGateway", "Resource": "'"$arn"'"}]}' && exit 0
	sleep 1
done
exit 1`

// fault is one that the doctor has to find, the only one of its check.
type fault struct {
	check, want, plant string
	mend               string // where the finding's own command is not one to run here
}

// suffers plants faults together, and has the commands that the doctor names mend them.
func (p patient) suffers(t *testing.T, faults []fault) {
	t.Helper()
	for _, fault := range faults {
		p.shell(t, fault.plant)
	}
	p.shell(t, beat)
	sick := p.examine(t, "auditor")
	for _, fault := range faults {
		found := strings.Join(sick.findings(fault.check), "\n")
		what, mend, _ := strings.Cut(found, " => ")
		if !strings.Contains(what, fault.want) || strings.Contains(mend, "\n") {
			t.Errorf("check %s found %q, want %q alone", fault.check, found, fault.want)
			continue
		}
		if fault.mend != "" {
			mend = fault.mend
		}
		p.shell(t, mend)
	}
	p.shell(t, beat)
	if mended := p.examine(t, "auditor"); sick.Healthy || !mended.Healthy {
		t.Errorf("once mended it still finds %s", mended.unhealthy())
	}
}

// Each fault is planted, found, mended by the command that the finding names, and gone.
func TestDoctorFindsAndMendsPlantedFaults(t *testing.T) {
	p := newPatient(t)
	p.mendFirstDeployment(t)
	p.suffers(t, []fault{
		{check: "sentinel", want: "no policy changes", plant: `aws dynamodb delete-item --table-name gateway-grants --key '{"gateway": {"S": "*"}, "grant": {"S": "#meta"}}'`},
		{check: "mappings", want: "takes nothing from gateway-grants", plant: "aws lambda update-event-source-mapping --no-enabled --uuid $(aws lambda list-event-source-mappings --function-name gateway-grants-table-changes --query 'EventSourceMappings[0].UUID' --output text)"},
		{check: "rules", want: "gateway-grants-notices is off", plant: "aws events disable-rule --name gateway-grants-notices --event-bus-name gateway-grants"},
		{check: "schedules", want: "gateway-grants-gateways is off", plant: `aws scheduler get-schedule --name gateway-grants-gateways --group-name gateway-grants --query '{Name: Name, GroupName: GroupName, ScheduleExpression: ScheduleExpression, FlexibleTimeWindow: FlexibleTimeWindow, Target: Target}' > "$TMPDIR/schedule.json" && aws scheduler update-schedule --state DISABLED --cli-input-json "file://$TMPDIR/schedule.json"`},
		{check: "queues", want: "gateway-grants-lost-requests holds 1 requests", plant: `aws sqs send-message --queue-url "$(aws cloudformation describe-stacks --stack-name gateway-grants --query "Stacks[0].Outputs[?OutputKey=='LostRequestsUrl'].OutputValue" --output text)" --message-body '{"source": "gateway-grants", "detail": {"gateway": "none"}}'`, mend: "infra/stack redrive"},
		{check: "trail", want: "no trail logs management events", plant: "aws cloudtrail stop-logging --name management-events"},
		{check: "alarms", want: "in ALARM", plant: `aws cloudwatch set-alarm-state --state-value ALARM --state-reason planted --alarm-name "$(aws cloudwatch describe-alarms --query 'MetricAlarms[0].AlarmName' --output text)"`,
			mend: `aws cloudwatch set-alarm-state --state-value OK --state-reason mended --alarm-name "$(aws cloudwatch describe-alarms --state-value ALARM --query 'MetricAlarms[0].AlarmName' --output text)"`},
		{check: "gateways", want: "has statements of installation old", plant: sibling},
		{check: "tables", want: "gateway-grants may be deleted", plant: "aws dynamodb update-table --table-name gateway-grants --no-deletion-protection-enabled"},
	})
	p.suffers(t, []fault{
		{check: "tables", want: "gateway-grants cannot be restored to a point in time", plant: "aws dynamodb update-continuous-backups --table-name gateway-grants --point-in-time-recovery-specification PointInTimeRecoveryEnabled=false"},
		{check: "trail", want: "no trail logs management events", plant: `aws cloudtrail put-event-selectors --trail-name management-events --event-selectors '[{"ReadWriteType": "ReadOnly", "IncludeManagementEvents": true}]'`},
		{check: "alarms", want: "the actions of", plant: `aws cloudwatch disable-alarm-actions --alarm-names "$(aws cloudwatch describe-alarms --query 'MetricAlarms[0].AlarmName' --output text)"`},
		{check: "sentinel", want: "lacks the item that proves the list of trusted accounts", plant: `aws dynamodb delete-item --table-name gateway-grants-accounts --key '{"pk": {"S": "TRUSTED"}, "sk": {"S": "#meta"}}'`},
		{check: "queues", want: "gateway-grants-lost-notices holds 1 notices", plant: `aws sqs send-message --queue-url "$(aws sqs get-queue-url --queue-name gateway-grants-lost-notices --query QueueUrl --output text)" --message-body '{}'`,
			mend: `aws sqs purge-queue --queue-url "$(aws sqs get-queue-url --queue-name gateway-grants-lost-notices --query QueueUrl --output text)"`},
	})
	p.shell(t, "aws dynamodb update-table --table-name gateway-grants-accounts --stream-specification StreamEnabled=false")
	if found := p.examine(t, "auditor").findings("tables"); len(found) != 1 || !strings.Contains(found[0], "table gateway-grants-accounts has no stream") {
		t.Errorf("without a stream it finds %v", found)
	}
	t.Run("what may not be read is not healthy", func(t *testing.T) {
		p.shell(t, `aws iam put-role-policy --role-name AuditorRole --policy-name no-watching --policy-document '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "cloudwatch:*", "Resource": "*"}]}'`)
		e := p.examine(t, "auditor")
		for _, check := range []string{"heartbeat", "alarms"} {
			if why := e.unread(check); len(why) != 1 || !strings.Contains(why[0], "AWS denies this") || e.Healthy {
				t.Errorf("check %s is unread for %v", check, why)
			}
		}
	})
	t.Run("before a deployment", func(t *testing.T) {
		if e := p.examine(t, "account-a", "--preflight", "--regions", region); len(e.findings("region"))+len(e.findings("names"))+len(e.findings("trail")) > 0 || len(e.unread("region")) > 0 {
			t.Errorf("where the stack stands it finds %s", e.unhealthy())
		}
		e := p.examine(t, "account-a", "--preflight", "--stack", "another")
		if found := e.findings("names"); len(found) != 1 || !strings.Contains(found[0], "gateway-grants, gateway-grants-accounts, gateway-grants-state") {
			t.Errorf("where tables were left it finds %v", found)
		}
	})
}
