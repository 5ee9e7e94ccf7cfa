//go:build e2e

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What administrators do to whole deployments neither revokes nor fights: a trial stack,
// a renamed one, one that was destroyed and deployed again, tables that were restored.
// Each play goes on where the one before it ended.
func TestDeploymentWithoutRecordsRevokesNothing(t *testing.T) {
	t.Parallel()
	p := administering(t, ownSandbox(t), "taken-over")
	admins := p.cli // have rights on tables that are named gateway-grants alone
	p.cli = func(arguments ...string) (string, error) {
		return admins(append(arguments, "--profile", "account-a")...)
	}
	p.put("gateway-grants", "b", accountB)
	p.put("gateway-grants", "m", management)
	p.lets(accountB, management)

	t.Run("a trial stack of the same id beside the real one", func(t *testing.T) { p.on(t).trialBesideTheRealOne() })
	t.Run("a stack that is renamed", func(t *testing.T) { p.on(t).renamed() })
	t.Run("a stack that was destroyed and is deployed again", func(t *testing.T) { p.on(t).deployedAgain() })
	t.Run("tables that are restored to a point in time", func(t *testing.T) { p.on(t).restored() })
}

func (p administrator) trialBesideTheRealOne() {
	before := p.policy()
	p.create("trial")
	p.put("trial", "another", accountA)
	p.waits("trial")
	if after := p.policy(); after != before {
		p.t.Fatalf("the trial stack wrote %s", after)
	}
	if said := p.done("doctor", "--stack", "trial", "--output", "json"); !strings.Contains(said, "takeover of "+p.gateway) {
		p.t.Errorf("doctor does not name the takeover:\n%s", said)
	}
	p.put("gateway-grants", "another", accountA)
	p.lets(accountA, accountB, management)
	p.remove("gateway-grants", "another")
	p.lets(accountB, management)
	p.remove("trial", "another")
}

func (p administrator) renamed() {
	p.destroy(stackName)
	before := p.policy()
	p.copyRows("gateway-grants", "trial")
	p.takesOver("trial", before)
	p.remove("trial", "m")
	p.lets(accountB)
	p.put("trial", "m", management)
	p.lets(accountB, management)
}

// deployedAgain is what `make destroy KEEP=1` and then `make deploy` do. The tables that
// stayed are in the way, and the preflight says how to go on.
func (p administrator) deployedAgain() {
	if said := p.done("gateway", "detach", "--all", "--keep", "--stack", "trial"); !strings.Contains(said, accountB) || !strings.Contains(said, management) {
		p.t.Errorf("what stays is not named:\n%s", said)
	}
	p.destroy("trial")
	said, err := p.cli("doctor", "--preflight", "--name", "trial", "--stack", "trial")
	if err == nil || !strings.Contains(said, "tables of an earlier deployment are there: trial, trial-accounts, trial-state") || !strings.Contains(said, "Name=") {
		p.t.Errorf("the preflight says %v\n%s", err, said)
	}
	before := p.policy()
	p.create("again")
	p.copyRows("trial", "again")
	p.takesOver("again", before)
}

// destroy deletes a stack; its tables stay.
func (p administrator) destroy(stack string) {
	p.t.Helper()
	must(p.t, p.deployer, "cloudformation", "DeleteStack", map[string]any{"StackName": stack})
	within(p.t, time.Minute, "stack "+stack+" is gone", func() bool {
		_, refused := p.deployer.call(p.t, "cloudformation", "DescribeStacks", map[string]any{"StackName": stack})
		return refused != nil
	})
}

// restored has rows come back from a table that was restored, and the record of what was
// applied be lost. The policy is not the one whose takeover was approved in the play before.
func (p administrator) restored() {
	p.put("again", "another", accountA)
	p.lets(accountA, accountB, management)
	before := p.policy()
	must(p.t, p.deployer, "dynamodb", "RestoreTableToPointInTime", map[string]any{"SourceTableName": "again", "TargetTableName": "again-restored", "UseLatestRestorableTime": true})
	items, _ := must(p.t, p.deployer, "dynamodb", "Scan", map[string]any{"TableName": "again-state", "ConsistentRead": true})["Items"].([]any)
	for _, item := range items {
		attributes, _ := item.(map[string]any)
		must(p.t, p.deployer, "dynamodb", "DeleteItem", map[string]any{"TableName": "again-state", "Key": map[string]any{"gateway": attributes["gateway"], "item": attributes["item"]}})
	}
	p.remove("again", "m")
	p.waits("again")
	file := filepath.Join(p.t.TempDir(), "grants.yaml")
	if err := os.WriteFile(file, []byte(p.done("list", "--stack", "again", "--grants-table", "again-restored", "--output", "yaml")), 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.done("apply", "--stack", "again", "--file", file, "--yes")
	p.takesOver("again", before)
}

// takesOver approves what waits, which changes nothing.
func (p administrator) takesOver(stack, before string) {
	p.t.Helper()
	p.waits(stack)
	if after := p.policy(); after != before {
		p.t.Fatalf("without a record it wrote %s", after)
	}
	if said := p.done("plan", p.gateway, "--stack", stack); !strings.Contains(said, "0 to add, 0 to remove") {
		p.t.Errorf("the plan is not to change nothing:\n%s", said)
	}
	id := regexp.MustCompile(`takeover-[0-9a-f]{8}`).FindString(p.done("approve", "--stack", stack))
	p.done("approve", id, "--yes", "--stack", stack)
	within(p.t, 2*time.Minute, "the deployment has its record", func() bool { return p.recorded(stack, "appliedHash") != "" && p.recorded(stack, "lastError") == "" })
	if diff := cmp.Diff(principalsIn(before), principalsIn(p.policy())); diff != "" {
		p.t.Errorf("taken over: -want +got\n%s", diff)
	}
}

var anyAccount = regexp.MustCompile(`\d{12}`)

func principalsIn(policy string) []string {
	found := anyAccount.FindAllString(policy, -1)
	slices.Sort(found)
	return slices.Compact(found)
}

// create makes a stack of the same template and installation id, with tables of its own.
func (p administrator) create(name string) {
	p.t.Helper()
	var parameters []map[string]string
	for key, value := range map[string]string{
		"Name": name, "ManagementAccountId": management, "SweepMinutes": "1", "PolicyCallRate": strconv.Itoa(policyRate),
		"Architecture": map[string]string{"amd64": "x86_64", "arm64": "arm64"}[runtime.GOARCH],
	} {
		parameters = append(parameters, map[string]string{"ParameterKey": key, "ParameterValue": value})
	}
	must(p.t, p.deployer, "cloudformation", "CreateStack", map[string]any{
		"StackName": name, "TemplateURL": p.s.endpoint + "/" + bucket + "-" + accountA + "/" + stackName + ".yaml",
		"Parameters": parameters, "Capabilities": []string{"CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"},
	})
	within(p.t, 2*time.Minute, "stack "+name+" is there", func() bool {
		described := must(p.t, p.deployer, "cloudformation", "DescribeStacks", map[string]any{"StackName": name})
		stack, _ := described["Stacks"].([]any)[0].(map[string]any)
		return stack["StackStatus"] == "CREATE_COMPLETE"
	})
	for table, from := range map[string]string{name: "gateway-grants", name + "-accounts": "gateway-grants-accounts"} {
		p.copyItems(from, table, func(item map[string]any) bool { return strings.Contains(fmt.Sprint(item), "#meta") })
	}
}

func (p administrator) copyRows(from, to string) {
	p.t.Helper()
	p.copyItems(from, to, func(item map[string]any) bool { return item["principal"] != nil })
}

func (p administrator) copyItems(from, to string, which func(item map[string]any) bool) {
	p.t.Helper()
	items, _ := must(p.t, p.deployer, "dynamodb", "Scan", map[string]any{"TableName": from, "ConsistentRead": true})["Items"].([]any)
	for _, item := range items {
		if attributes, _ := item.(map[string]any); which(attributes) {
			must(p.t, p.deployer, "dynamodb", "PutItem", map[string]any{"TableName": to, "Item": attributes})
		}
	}
}

// waits until the deployment has recorded that the gateway waits for an approval.
func (p administrator) waits(stack string) {
	p.t.Helper()
	within(p.t, 3*time.Minute, stack+" waits for a takeover", func() bool { return p.recorded(stack, "lastError") == "TakeoverNeeded" })
}
