package iam_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
)

func TestADecisionIsMadeOfBothSidesAndRecorded(t *testing.T) {
	d := newDirectory(t)
	agent := role(t, d, accountB, "", "Agent", trustNobody)
	if err := d.PutPolicy(agent.ARN, "all", parse(t, allowAll)); err != nil {
		t.Fatal(err)
	}
	key, err := d.StartSession(agent.ARN, "s1", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	type record struct {
		call     policy.Call
		decision policy.Decision
	}
	var records []record
	decider := iam.Decider{Policies: d, Record: func(c policy.Call, decision policy.Decision) {
		records = append(records, record{c, decision})
	}}

	const gateway = "arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/gw-1"
	call := policy.Call{
		Action: "bedrock-agentcore:InvokeGateway", Resource: gateway, ResourceAccount: accountA,
		Context: map[string][]string{"aws:SourceIp": {"192.0.2.1"}},
	}
	before, err := decider.Decide(t.Context(), key.Caller, call)
	if err != nil || before.Allowed {
		t.Errorf("without a resource policy = %+v, %v; want refused", before, err)
	}
	call.ResourcePolicy = parse(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"`+agent.ARN+`"},
		"Action":"bedrock-agentcore:InvokeGateway","Resource":"`+gateway+`",
		"Condition":{"StringEquals":{"aws:userid":"`+agent.UniqueID+`:s1"},"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}}]}`)
	after, err := decider.Decide(t.Context(), key.Caller, call)
	if err != nil || !after.Allowed {
		t.Errorf("with one = %+v, %v; want allowed", after, err)
	}

	if len(records) != 2 || records[0].decision.Allowed || !records[1].decision.Allowed {
		t.Fatalf("recorded %+v", records)
	}
	recorded := records[1].call
	want := policy.Caller{
		Kind: policy.RoleSession, Account: accountB, PrincipalARN: agent.ARN,
		SessionARN: key.Caller.ARN, UniqueID: agent.UniqueID,
	}
	if diff := cmp.Diff(want, recorded.Caller, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("recorded caller (-want +got):\n%s", diff)
	}
	if len(recorded.Identity) != 1 || recorded.ResourcePolicy != call.ResourcePolicy {
		t.Errorf("recorded call = %+v", recorded)
	}
}

func TestACallerThatIsGoneIsNotDecided(t *testing.T) {
	decider := iam.Decider{
		Policies: newDirectory(t),
		Record:   func(policy.Call, policy.Decision) { t.Error("a decision was recorded") },
	}
	_, err := decider.Decide(t.Context(), iam.Caller{PrincipalARN: "arn:aws:iam::111122223333:role/Gone", Kind: iam.KindAssumedRole}, policy.Call{})
	if !errors.Is(err, iam.ErrNotFound) {
		t.Errorf("Decide = %v, want ErrNotFound", err)
	}
}

func TestEveryKindOfCallerIsAPrincipal(t *testing.T) {
	d := newDirectory(t)
	root, err := d.CreateRootAccessKey(accountA)
	if err != nil {
		t.Fatal(err)
	}
	ada, err := d.CreateUser(accountA, "/x/", "ada")
	if err != nil {
		t.Fatal(err)
	}
	user, err := d.CreateAccessKey(ada.ARN)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		caller iam.Caller
		want   policy.Caller
	}{
		"Root": {root.Caller, policy.Caller{Kind: policy.RootUser, Account: accountA, PrincipalARN: "arn:aws:iam::111122223333:root"}},
		"User": {user.Caller, policy.Caller{Kind: policy.IAMUser, Account: accountA, PrincipalARN: "arn:aws:iam::111122223333:user/x/ada", UniqueID: ada.UniqueID}},
		"None": {iam.Caller{}, policy.Caller{}},
	}
	for name, tc := range cases {
		if diff := cmp.Diff(tc.want, tc.caller.Principal()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestDecisionsAreReadBackAsTheyWereMade(t *testing.T) {
	role, calls, decisions := run(t, workerPolicy, ordinary)
	guard, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"events:PutEvents","Resource":"` + events + `"}}`))
	if err != nil {
		t.Fatal(err)
	}
	calls[4].ResourcePolicy, calls[5].ResourcePolicy = guard, role.Policies[0]
	var file bytes.Buffer
	record := iam.LogDecisions(&file, slog.New(slog.DiscardHandler))
	for i := range calls {
		record(calls[i], decisions[i])
	}

	if lines := bytes.Count(file.Bytes(), []byte("\n")); lines != len(calls)+2 {
		t.Errorf("want a line for each of %d decisions and each of 2 policies, got %d", len(calls), lines)
	}
	gotCalls, gotDecisions, err := iam.ReadDecisions(&file)
	if err != nil {
		t.Fatal(err)
	}
	if len(gotCalls) != len(calls) {
		t.Fatalf("want %d calls, got %d", len(calls), len(gotCalls))
	}
	for i := range calls {
		if again := policy.Evaluate(gotCalls[i]); again.String() != policy.Evaluate(calls[i]).String() || gotDecisions[i].Allowed != decisions[i].Allowed || gotDecisions[i].Reason != decisions[i].Reason {
			t.Errorf("call %d comes out as %s", i, again)
		}
	}
	if _, _, err := iam.ReadDecisions(strings.NewReader(`{"allowed":true,"action":"a:B","resource":"*","identity":["p9"]}`)); err == nil {
		t.Error("a policy that is nowhere was not missed")
	}
}
