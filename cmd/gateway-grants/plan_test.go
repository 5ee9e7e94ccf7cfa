package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/agentcore"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/settings"
)

func TestPlanShowsChangesAndWritesNothing(t *testing.T) {
	w := newWorld(t)
	config := w.created()
	w.changes() // those that created the gateway

	if got := w.run("plan"); got.code != exitDone || !strings.Contains(got.out, "Nothing to do:") {
		t.Errorf("without grants: %d\n%s%s", got.code, got.out, got.err)
	}
	w.done("grant", accountB, "--role", "AgentRole")
	if got := w.run("plan"); got.code != exitDone {
		t.Errorf("with a grant: exit code %d\n%s%s", got.code, got.out, got.err)
	}
	got := w.run("plan", "--detailed-exitcode")
	if got.code != exitChanges {
		t.Errorf("with a grant and --detailed-exitcode: exit code %d\n%s%s", got.code, got.out, got.err)
	}
	for _, part := range []string{
		config.GatewayARN + "\n  + arn:aws:iam::444455556666:role/AgentRole (grant 444455556666:role/AgentRole)\n",
		"1 to add, 0 to remove, 0 to keep, 0 left out. The policy takes ", " of 20480 bytes and 1 of 100 statements.\n",
		"Changes: a reconcile would write the policy.\n",
	} {
		if !strings.Contains(got.out, part) {
			t.Errorf("did not say %q:\n%s", part, got.out)
		}
	}
	if changes := w.changes(); len(changes) > 0 {
		t.Errorf("the plan changed something: %v", changes)
	}

	w.done("reconcile")
	w.done("revoke", accountB+":role/AgentRole")
	var texts []planned
	w.must(json.Unmarshal([]byte(w.run("plan", config.GatewayARN, config.GatewayARN, "-o", "json").out), &texts))
	if len(texts) != 1 || !texts[0].Delete || len(texts[0].Changes) != 1 || texts[0].Changes[0].Verb != plan.Remove {
		t.Errorf("after the revocation: %+v", texts)
	}
}

func TestAPlanShowsInvalidRowsAndWhatTheyKeep(t *testing.T) {
	w := newWorld(t)
	config := w.created()
	w.done("grant", accountB, "--role", "AgentRole")
	w.done("reconcile")
	id := accountB + ":role/AgentRole"
	w.must(w.grants.Put(t.Context(), grant.Attributes{"gateway": config.GatewayARN, "grant": id, "principal": accountB, "condition": "x"}, false))
	got := w.run("plan")
	for _, part := range []string{
		"  Invalid grant " + id + ` (UnknownAttribute): read attribute "condition": `, "the access that its last valid revision gave is kept until the row is corrected or deleted",
		"0 to add, 0 to remove, 1 to keep", "Nothing to do:",
	} {
		if !strings.Contains(got.out, part) {
			t.Errorf("did not say %q:\n%s", part, got.out)
		}
	}
	var texts []planned
	w.must(json.Unmarshal([]byte(w.run("plan", "-o", "json").out), &texts))
	want := []string{"arn:aws:iam::444455556666:role/AgentRole"}
	if len(texts) != 1 || len(texts[0].Invalid) != 1 || !cmp.Equal(want, texts[0].Invalid[0].Keeps) {
		t.Errorf("as JSON: %+v", texts)
	}
	w.done("revoke", id)
	if got := w.run("plan"); !strings.Contains(got.out, "1 to remove") {
		t.Errorf("after the revocation:\n%s", got.out)
	}
}

func TestAPlanThatCannotBeMadeIsAnError(t *testing.T) {
	w := newWorld(t)
	w.created()
	for name, args := range map[string][]string{
		"no such profile": {"plan", "--profile", "nobody"},
		"no such gateway": {"plan", "not/an/id"},
		"bad accounting":  {"plan", "--size-accounting", "guessed"},
		"not even a code": {"plan", "not/an/id", "--detailed-exitcode"},
	} {
		if got := w.run(args...); got.code != exitError || strings.Count(got.err, "\n") != 1 || got.out != "" {
			t.Errorf("%s: exit code %d, %q, %q", name, got.code, got.out, got.err)
		}
	}
}

// withTwo has two managed gateways, of which the first has a grant; both let in
// whom the grant for every gateway means.
func withTwo(t *testing.T) (w *world, first, second string) {
	t.Helper()
	w = newWorld(t)
	first = w.created().GatewayARN
	w.done("gateway", "create", "--name", "second", "--role-arn", roleARN, "--lambda-arn", echoARN, "--config", "second.json")
	config, err := readGatewayConfig("second.json")
	w.must(err)
	w.done("grant", first, accountB, "--role", "AgentRole")
	w.done("grant", "*", "777788889999")
	return w, first, config.GatewayARN
}

// statesBut is the state table, in which some gateways cannot be read.
type statesBut struct {
	statesTable
	failing map[string]error // by ARN
	before  func()           // called at each reading
}

func (s statesBut) Load(ctx context.Context, gateway grant.Gateway) (ledger.State, error) {
	if s.before != nil {
		s.before()
	}
	if err := s.failing[gateway.ARN()]; err != nil {
		return ledger.State{}, err
	}
	return s.statesTable.Load(ctx, gateway)
}

func (w *world) failing(failing map[string]error, args ...string) said {
	w.t.Helper()
	return w.with(func(aws.Config, settings.Tables) opened {
		return opened{grants: w.grants, states: statesBut{statesTable: w.states, failing: failing}, directory: w.accounts}
	}, args...)
}

func TestFailedPlanBlocksNoOther(t *testing.T) {
	w, first, second := withTwo(t)
	denied := &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "not authorized to perform: dynamodb:Query"}
	const explained = ": AWS denies this: not authorized to perform: dynamodb:Query: ask for the permission, or choose another profile with --profile\n"
	for _, test := range []struct {
		reason  string
		failing map[string]error
		planned []string
		err     string
	}{
		{"the first fails", map[string]error{first: denied}, []string{second}, "gateway-grants: " + first + explained},
		{"the last fails", map[string]error{second: denied}, []string{first}, "gateway-grants: " + second + explained},
		{"an error that names it", map[string]error{first: &grant.Error{Code: "X", Op: "load " + first, Hint: "try\nagain"}}, []string{second}, "gateway-grants: load " + first + ": try again (X)\n"},
		{"both fail", map[string]error{first: denied, second: denied}, nil, "gateway-grants: " + first + explained + "gateway-grants: " + second + explained},
	} {
		for _, names := range [][]string{{"*"}, {first, second}} {
			got := w.failing(test.failing, append([]string{"plan"}, names...)...)
			if got.code != exitError || got.err != test.err || strings.Count(got.out, " bytes and ") != len(test.planned) {
				t.Errorf("%s, of %v: exit %d\n%s%s", test.reason, names, got.code, got.out, got.err)
			}
			for _, gateway := range test.planned {
				if !strings.Contains(got.out, gateway+"\n") {
					t.Errorf("%s, of %v: no plan for %s:\n%s", test.reason, names, gateway, got.out)
				}
			}
		}

		got := w.failing(test.failing, "plan", "*", "-o", "json")
		var texts []planned
		w.must(json.Unmarshal([]byte(got.out), &texts))
		if got.code != exitError || got.err != test.err || texts == nil || len(texts) != len(test.planned) {
			t.Errorf("%s, as JSON: exit %d\n%s%s", test.reason, got.code, got.out, got.err)
		}
		for i, gateway := range test.planned {
			if texts[i].Gateway != gateway || !texts[i].Write {
				t.Errorf("%s, as JSON: %+v", test.reason, texts[i])
			}
		}
	}
}

func TestInterruptedPlanShowsWhatItHas(t *testing.T) {
	w, first, _ := withTwo(t)
	ctx, interrupt := context.WithCancel(t.Context())
	readings := 0
	var out, err bytes.Buffer
	p := &program{
		in: strings.NewReader(""), out: &out, err: &err, clock: agentcore.SystemClock(),
		notices: func(aws.Config, string) reconcile.Notices { return w.bus },
		open: func(aws.Config, settings.Tables) opened {
			return opened{grants: w.grants, directory: w.accounts, states: statesBut{statesTable: w.states, before: func() {
				if readings++; readings == 3 { // the first gateway's is read twice, because there is no directory
					interrupt()
				}
			}}}
		},
	}
	if code := p.run(ctx, []string{"plan", "*", "-o", "json"}); code != exitError {
		t.Errorf("exit %d", code)
	}
	if want := "gateway-grants: interrupted: run the same again to complete it\n"; err.String() != want {
		t.Errorf("said %q, want %q", err.String(), want)
	}
	var texts []planned
	w.must(json.Unmarshal(out.Bytes(), &texts))
	if len(texts) != 1 || texts[0].Gateway != first {
		t.Errorf("%+v", texts)
	}
}

func TestPlanAsJSONListsLeftOutAndUsage(t *testing.T) {
	w := newWorld(t)
	config := w.created()
	w.done("grant", accountB, "--role", "AgentRole")
	w.done("grant", "*", "o-exampleorgid")

	got := w.run("plan")
	for _, part := range []string{
		"\n  ! o-exampleorgid (grant o-exampleorgid on *): left out, NoDirectory: ",
		"\n1 to add, 0 to remove, 0 to keep, 1 left out. ",
	} {
		if got.code != exitDone || !strings.Contains(got.out, part) {
			t.Errorf("exit %d, did not say %q:\n%s", got.code, part, got.out)
		}
	}

	var texts []planned
	w.must(json.Unmarshal([]byte(w.run("plan", "-o", "json").out), &texts))
	if len(texts) != 1 || len(texts[0].Changes) != 2 {
		t.Fatalf("%+v", texts)
	}
	if text := texts[0]; text.Changes[1].Message == "" || text.PlanHash == "" || text.Bytes == 0 {
		t.Errorf("%+v", text)
	}
	// Once written, the policy has the bytes that the plan told of.
	w.run("reconcile")
	if written := len(w.policyText(config.GatewayARN)); texts[0].Bytes != written {
		t.Errorf("the plan has %d bytes, the policy %d", texts[0].Bytes, written)
	}
	texts[0].Changes[1].Message, texts[0].PlanHash, texts[0].Bytes = "", "", 0
	want := planned{
		Gateway: config.GatewayARN, Write: true, MaxBytes: 20480, Statements: 1, MaxStatements: 100,
		Changes: []changedText{
			{Verb: plan.Add, Principal: "arn:aws:iam::444455556666:role/AgentRole", Grants: []string{config.GatewayARN + "#444455556666:role/AgentRole"}},
			{Verb: plan.LeaveOut, Principal: "o-exampleorgid", Grants: []string{"*#o-exampleorgid"}, Reason: grant.CodeNoDirectory},
		},
	}
	if diff := cmp.Diff(want, texts[0]); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestPlanOfUnwritableGatewayHasReason(t *testing.T) {
	w := newWorld(t)
	config := w.created()
	w.done("grant", accountB)
	w.must(w.model.UntagResource(inA, config.GatewayARN, []string{plan.ManagedTag}))

	got := w.run("plan")
	if got.code != exitDone || got.err != "" || !strings.Contains(got.out, "\nBlocked: nothing may be written: ") || !strings.HasSuffix(got.out, " (NotManaged)\n") {
		t.Errorf("exit %d\n%s%s", got.code, got.out, got.err)
	}
	var texts []planned
	w.must(json.Unmarshal([]byte(w.run("plan", "-o", "json").out), &texts))
	if len(texts) != 1 || texts[0].Write || texts[0].Reason != grant.CodeNotManaged || texts[0].Message == "" {
		t.Errorf("%+v", texts)
	}
}

func TestApproveRecreatedRole(t *testing.T) {
	w := newWorld(t)
	config := w.created()
	const agent = "arn:aws:iam::444455556666:role/AgentRole"
	w.done("grant", agent)
	w.done("reconcile")

	w.must(w.directory.Delete(agent))
	w.done("grant", accountB, "--id", "other", "--source-ip", "203.0.113.0/24")
	w.run("reconcile")
	if _, err := w.directory.CreateRole(accountB, "/", "AgentRole", w.parse(trustNobody)); err != nil {
		t.Fatal(err)
	}
	if got := w.run("reconcile"); !strings.Contains(got.out, string(grant.CodeRecreated)) {
		t.Fatalf("it is not held:\n%s", got.out)
	}

	id := w.waitingOn(config.GatewayARN, plan.Attention{LeftOut: 1})
	if got := w.done("approve", id, "--yes"); !strings.Contains(got.out, agent+" was created again") || !strings.Contains(got.out, "grant "+accountB+":role/AgentRole") {
		t.Errorf("said\n%s", got.out)
	}
	if got := w.done("reconcile"); !strings.Contains(got.out, "  + "+agent) {
		t.Errorf("said\n%s", got.out)
	}
}
