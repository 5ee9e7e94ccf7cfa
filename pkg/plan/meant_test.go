package plan_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// Cases about who is meant, made after public reports.

func TestPermissionSetPatternInEveryHomeRegion(t *testing.T) {
	const roles = "arn:aws:iam::444455556666:role/"
	const name = "AWSReservedSSO_AdministratorAccess_0123456789abcdef"
	session := grant.Parse(grant.Attributes{"gateway": gatewayARN, "grant": "session",
		"principal": "arn:aws:sts::444455556666:assumed-role/" + name + "/alice@example.com"})
	if session.Fault == nil {
		t.Fatal("a session was accepted")
	}
	offered := session.Fault.Hint[strings.LastIndex(session.Fault.Hint, "arn:"):]
	for _, tc := range []struct {
		reason, role string
		want         map[string]bool // by pattern
	}{
		{"Identity Center is at home in another Region", roles + "aws-reserved/sso.amazonaws.com/eu-west-1/" + name, map[string]bool{"regional": true, "both": true, "offered": true}},
		{"at home in us-east-1 there is no Region in the path", roles + "aws-reserved/sso.amazonaws.com/" + name, map[string]bool{"both": true, "offered": true}},
		{"a look-alike that any admin of the account can make", roles + "team/" + name, map[string]bool{}},
	} {
		for pattern, principal := range map[string]string{
			"regional": roles + "aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_AdministratorAccess_*",
			"both":     roles + "aws-reserved/sso.amazonaws.com/*AWSReservedSSO_AdministratorAccess_*",
			"offered":  offered,
		} {
			p := mustMake(t, world(t, rowOf(pattern, principal)))
			decided := policy.Evaluate(policy.Call{
				Caller: policy.Role(tc.role, "alice"), Action: plan.Action, Resource: gatewayARN, ResourcePolicy: p.Want,
				Identity: []*policy.Document{parse(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`)},
			})
			if decided.Allowed != tc.want[pattern] {
				t.Errorf("%s: %s: %s", tc.reason, pattern, decided)
			}
		}
	}
}

func TestRefusedIdentityCenterRoleGetsPathHint(t *testing.T) {
	const role = "arn:aws:iam::444455556666:role/AWSReservedSSO_Dev_0123456789abcdef"
	w := world(t, rowOf("sso", role), rowOf("other", "555566667777"))
	w.Gateway.Recorded.Gateway.Refused = map[string]ledger.Refusal{role: {Code: grant.CodeQuarantined, Since: now, Tries: 1, NextTry: now.AddDate(0, 0, 1)}}
	p := mustMake(t, w)
	if got := p.Status[key("sso")]; got.Reason != grant.CodeQuarantined || !strings.Contains(got.Message, "aws-reserved/sso.amazonaws.com/") {
		t.Errorf("%+v", got)
	}
	if got := p.Status[key("other")]; got.Phase != grant.PhaseAdmitted || got.Reason != "" {
		t.Errorf("another grant waits for it: %+v", got)
	}
}

func TestAccountsAreInTheGatewaysPartition(t *testing.T) {
	for arn, root := range map[string]string{
		gatewayARN: "arn:aws:iam::444455556666:root",
		"arn:aws-us-gov:bedrock-agentcore:us-gov-west-1:111122223333:gateway/tools-abcdefghij": "arn:aws-us-gov:iam::444455556666:root",
		"arn:aws-eusc:bedrock-agentcore:eusc-de-east-1:111122223333:gateway/tools-abcdefghij":  "arn:aws-eusc:iam::444455556666:root",
	} {
		row := grant.Parse(grant.Attributes{"gateway": arn, "grant": "by-id", "principal": "444455556666"})
		w := world(t, row)
		w.Gateway.Gateway, _ = grant.ParseGateway(arn)
		if got := mustMake(t, w).Status[row.Key]; !slices.Equal(got.Admitted, []string{root}) {
			t.Errorf("%s: %+v", arn, got)
		}
	}
}

func TestSelectorMatchesActiveAccounts(t *testing.T) {
	const organization, unit, below = "o-exampleorgid", "ou-ab12-11112222", "ou-ab12-33334444"
	account := func(id string, state directory.State, path ...string) directory.Account {
		return directory.Account{ID: id, State: state, Organization: organization, Path: path}
	}
	accounts := []directory.Account{
		account("111122223333", directory.StateActive), // the management account, which owns the gateway too
		account("444455556666", directory.StateActive, unit),
		account("555566667777", directory.StateActive, unit, below),
		account("666677778888", directory.StateActive), // new, and not yet moved out of the root
		account("777788889999", directory.StatePendingClosure, unit),
		account("888899990000", directory.StateSuspended, unit),
	}
	var selectors []grant.Principal
	for _, text := range []string{organization, unit + "/direct"} {
		selector, err := grant.ParsePrincipal(text)
		if err != nil {
			t.Fatal(err)
		}
		selectors = append(selectors, selector)
	}
	w := world(t, rowOf("organization", organization, "exclude", []any{"111122223333"}), rowOf("direct", unit+"/direct"),
		rowOf("root", "r-ab12"), rowOf("root-name", "Root"), rowOf("ou-name", "Workloads/Production"),
		rowOf("exclude-root", organization, "exclude", []any{"r-ab12"}))
	w.Accounts = directory.Complete(selectors, accounts)
	p := mustMake(t, w)
	for id, want := range map[string][]string{
		"organization": {"arn:aws:iam::444455556666:root", "arn:aws:iam::555566667777:root", "arn:aws:iam::666677778888:root"},
		"direct":       {"arn:aws:iam::444455556666:root"},
	} {
		if diff := cmp.Diff(want, p.Status[key(id)].Admitted); diff != "" {
			t.Errorf("%s: -want +got\n%s", id, diff)
		}
	}
	for _, id := range []string{"root", "root-name", "ou-name", "exclude-root"} {
		if got := p.Status[key(id)]; got.Phase != grant.PhaseInvalid {
			t.Errorf("%s is %+v", id, got)
		}
	}
}
