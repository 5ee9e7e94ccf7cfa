package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
	"github.com/gateway-grants/gateway-grants/pkg/settings"
	"github.com/gateway-grants/gateway-grants/pkg/store/memory"
)

// foreignPolicy puts statements of others, which name the gateway as GATEWAY.
func (w *world) foreignPolicy(arn string, statements ...string) {
	w.t.Helper()
	text := `{"Version":"2012-10-17","Statement":[` + strings.ReplaceAll(strings.Join(statements, ","), "GATEWAY", arn) + `]}`
	_, err := w.model.PutResourcePolicy(model.Caller{Account: accountA}, arn, text)
	w.must(err)
}

const (
	theirAccount = `{"Sid":"Accounts","Effect":"Allow","Principal":{"AWS":["arn:aws:iam::444455556666:root"]},"Action":"bedrock-agentcore:InvokeGateway","Resource":"GATEWAY","Condition":{"IpAddress":{"aws:SourceIp":["127.0.0.1"]}}}`
	theirRole    = `{"Sid":"Role","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:role/AgentRole"},"Action":"bedrock-agentcore:InvokeGateway","Resource":"GATEWAY"}`
	theirDeny    = `{"Sid":"Outside","Effect":"Deny","Principal":"*","Action":"bedrock-agentcore:InvokeGateway","Resource":"GATEWAY","Condition":{"StringEquals":{"aws:SourceVpce":"vpce-0fedcba9876543210"}}}`
)

func TestImportKeepsAccessTheSame(t *testing.T) {
	w := newWorld(t)
	arn := w.created().GatewayARN
	w.foreignPolicy(arn, theirAccount, theirDeny, theirRole)
	called := func() []int {
		return []int{w.run("invoke", "--profile", "account-b").code, w.run("invoke", "--profile", "agent-b").code, w.run("invoke", "--profile", "stranger").code}
	}
	before := called()
	if diff := cmp.Diff([]int{exitDone, exitDone, exitError}, before); diff != "" {
		t.Errorf("calls before: -want +got\n%s", diff)
	}
	text := w.policyText(arn)

	unsure := w.run("gateway", "import")
	for _, part := range []string{
		arn + "\n", `  Imported: statement 1 (Sid "Accounts")` + "\n    + 444455556666 from 127.0.0.1 (grant 444455556666)\n",
		`  Stays: statement 2 (Sid "Outside"): it is a Deny, and a grant only lets in` + "\n",
		`  Imported: statement 3 (Sid "Role")` + "\n    + 444455556666:role/AgentRole (grant 444455556666:role/AgentRole)\n",
		"No caller gains or loses access: both policies decide alike for ",
	} {
		if !strings.Contains(unsure.out, part) {
			t.Errorf("did not say %q:\n%s", part, unsure.out)
		}
	}
	if unsure.code != exitError || !strings.Contains(unsure.err, "nothing was imported: answer y") || w.policyText(arn) != text || len(w.ids()) > 0 {
		t.Errorf("without an answer: %+v\n%s, rows %v", unsure, w.policyText(arn), w.ids())
	}

	if got := w.done("gateway", "import", "--yes"); !strings.Contains(got.out, "Imported: 2 statements became 2 grants.") {
		t.Errorf("said\n%s", got.out)
	}
	after := w.policyText(arn)
	if strings.Contains(after, `"Accounts"`) || strings.Contains(after, `"Role"`) || !strings.Contains(after, strings.ReplaceAll(theirDeny, "GATEWAY", arn)) || strings.Count(after, "GatewayGrantsmain") != 2 {
		t.Errorf("the policy is %s", after)
	}
	if diff := cmp.Diff(before, called()); diff != "" {
		t.Errorf("calls before and after: -before +after\n%s", diff)
	}
	if row := w.table()[0]; row["source"] != "import" || row["reason"] != `imported from statement 1 (Sid "Accounts")` || row["requestedBy"] == nil {
		t.Errorf("%v", row)
	}
	if got := w.done("reconcile"); !strings.Contains(got.out, "nothing had to be written") {
		t.Errorf("a reconcile afterwards:\n%s", got.out)
	}
	if got := w.done("gateway", "import", "--yes"); !strings.Contains(got.out, "Nothing to import: no grant can say what is left.") {
		t.Errorf("again:\n%s", got.out)
	}
	w.done("revoke", accountB)
	w.done("reconcile")
	if got := w.run("invoke", "--profile", "account-b"); got.code == exitDone {
		t.Error("an imported grant cannot be revoked")
	}
}

func TestWhatIsImportedIsMergedWithWhatIsGranted(t *testing.T) {
	w := newWorld(t)
	arn := w.created().GatewayARN
	w.done("grant", "arn:aws:iam::444455556666:role/AgentRole")
	w.done("grant", "777788889999", "--id", accountB) // takes the id that the import would give
	w.must(w.directory.AddAccount("777788889999"))
	w.done("reconcile")
	text := w.policyText(arn)
	_, err := w.model.PutResourcePolicy(model.Caller{Account: accountA}, arn, strings.Replace(text, `"Statement":[`, `"Statement":[`+strings.ReplaceAll(theirAccount+","+theirRole+",", "GATEWAY", arn), 1))
	w.must(err)
	var got struct {
		Imported   bool           `json:"imported"`
		Statements []importedText `json:"statements"`
	}
	w.must(json.Unmarshal([]byte(w.done("gateway", "import", "--yes", "-o", "json").out), &got))
	want := []importedText{
		{otherText: otherText{Statement: 1, Sid: "Accounts"}, Grants: []string{accountB + "-2"}},
		{otherText: otherText{Statement: 2, Sid: "Role"}, Grants: []string{accountB + ":role/AgentRole"}},
	}
	if diff := cmp.Diff(want, got.Statements, cmp.AllowUnexported(importedText{})); diff != "" || !got.Imported {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff([]string{accountB, accountB + "-2", accountB + ":role/AgentRole"}, w.ids()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if after := w.policyText(arn); strings.Contains(after, `"Accounts"`) || strings.Contains(after, `"Role"`) {
		t.Errorf("the policy is %s", after)
	}
}

func TestWhatCannotBeImportedIsRejectedOrStays(t *testing.T) {
	w := newWorld(t)
	config := w.created()
	arn := config.GatewayARN
	w.foreignPolicy(arn, theirRole)
	text := w.policyText(arn)
	w.done("grant", accountB)
	if got := w.run("gateway", "import", "--yes"); got.code != exitError || !strings.Contains(got.err, "run gateway-grants reconcile first") {
		t.Errorf("a policy that is not what the grants say: %+v", got)
	}
	w.done("revoke", accountB)
	if got := w.run("gateway", "import", "*", "--yes"); got.code != exitError || !strings.Contains(got.err, "one gateway at a time") {
		t.Errorf("every gateway: %+v", got)
	}
	if got := w.run("gateway", "import", "--mode", "observe", "--yes"); got.code != exitError || w.policyText(arn) != text || len(w.ids()) > 0 {
		t.Errorf("in observe mode: %+v", got)
	}
	if got := w.run("gateway", "import", "--max-policy-bytes", "10", "--yes"); got.code == exitDone {
		t.Errorf("with an unknown flag: %+v", got)
	}
	w.must(w.model.UntagResource(inA, arn, []string{"gateway-grants:managed"}))
	if got := w.run("gateway", "import", "--yes"); got.code != exitError || !strings.Contains(got.err, "NotManaged") || strings.Count(got.err, "\n") != 1 {
		t.Errorf("a gateway that is not managed: %+v", got)
	}
	if w.policyText(arn) != text || len(w.ids()) > 0 {
		t.Errorf("changed: %s, %v", w.policyText(arn), w.ids())
	}
}

// racingTable is the grants table, after whose changes something else happens at once.
type racingTable struct {
	*memory.Grants

	after func()
}

func (r racingTable) Swap(ctx context.Context, key grant.Key, shown string, attributes grant.Attributes) error {
	err := r.Grants.Swap(ctx, key, shown, attributes)
	r.after()
	return err
}

func (w *world) racing(after func(), args ...string) said {
	w.t.Helper()
	return w.with(func(aws.Config, settings.Tables) opened {
		return opened{grants: racingTable{w.grants, after}, states: w.states, directory: w.accounts}
	}, args...)
}

// The deployed functions see the new rows at once, and put this installation's own
// statements beside those of others before the import does.
func TestAnImportEndsRightWhenAFunctionIsFaster(t *testing.T) {
	w := newWorld(t)
	arn := w.created().GatewayARN
	w.foreignPolicy(arn, theirRole, theirDeny)
	got := w.racing(func() {
		if got := w.done("reconcile"); !strings.Contains(w.policyText(arn), "GatewayGrantsmain") {
			t.Errorf("the function wrote nothing:\n%s", got.out)
		}
	}, "gateway", "import", "--yes")
	after := w.policyText(arn)
	if got.code != exitDone || strings.Contains(after, `"Role"`) || !strings.Contains(after, `"Outside"`) || !strings.Contains(after, "GatewayGrantsmain") {
		t.Errorf("%+v\n%s", got, after)
	}
	if got := w.run("invoke", "--profile", "agent-b"); got.code != exitDone {
		t.Errorf("the imported role lost access: %+v", got)
	}
}

// What is put is held against the policy in force at that moment, not against the one
// that was shown.
func TestImportIsStaleAfterPolicyChange(t *testing.T) {
	w := newWorld(t)
	arn := w.created().GatewayARN
	w.foreignPolicy(arn, theirRole)
	narrower := strings.Replace(theirRole, "role/AgentRole", "role/AdminRole", 1)
	got := w.racing(func() { w.foreignPolicy(arn, theirRole, strings.Replace(narrower, `"Role"`, `"Late"`, 1)) }, "gateway", "import", "--yes")
	after := w.policyText(arn)
	if got.code != exitDone || strings.Contains(after, `"Role"`) || !strings.Contains(after, `"Late"`) {
		t.Errorf("a statement that came meanwhile: %+v\n%s", got, after)
	}

	w = newWorld(t)
	arn = w.created().GatewayARN
	w.foreignPolicy(arn, theirRole)
	got = w.racing(func() { w.foreignPolicy(arn, narrower) }, "gateway", "import", "--yes")
	after = w.policyText(arn)
	if got.code != exitError || !strings.Contains(got.err, "would gain access") || strings.Contains(after, "GatewayGrants") || !strings.Contains(after, "AdminRole") {
		t.Errorf("a statement that says something else by now: %+v\n%s", got, after)
	}
}
