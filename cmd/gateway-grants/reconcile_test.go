package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

func TestReconcilePrintsChangesAndReasons(t *testing.T) {
	w := newWorld(t)
	config := w.created()
	w.done("grant", accountB, "--role", "AgentRole", "--expires", "2099-01-31")
	w.done("grant", "*", "o-exampleorgid")

	got := w.done("reconcile")
	want := config.GatewayARN + `
  + arn:aws:iam::444455556666:role/AgentRole`
	if !strings.HasPrefix(got.out, want) {
		t.Errorf("said\n%s", got.out)
	}
	for _, part := range []string{
		"(grant 444455556666:role/AgentRole)\n",
		"  ! o-exampleorgid (grant o-exampleorgid on *): left out, NoDirectory: ",
		"\n1 added, 0 removed, 0 kept, 1 left out. The policy has ",
		" bytes in 1 statement.\nSettled.\n",
	} {
		if !strings.Contains(got.out, part) {
			t.Errorf("did not say %q:\n%s", part, got.out)
		}
	}
	if got := w.bus.Published(); len(got) != 1 || got[0].Type != plan.PolicyApplied {
		t.Errorf("published %v", got)
	}

	w.done("revoke", accountB+":role/AgentRole")
	w.done("grant", accountB)
	if got := w.done("reconcile"); !strings.Contains(got.out, "  - arn:aws:iam::444455556666:role/AgentRole") ||
		!strings.Contains(got.out, "  + arn:aws:iam::444455556666:root (grant 444455556666)\n") {
		t.Errorf("said\n%s", got.out)
	}
}

func TestReconcileAsJSON(t *testing.T) {
	w := newWorld(t)
	config := w.created()
	w.done("grant", accountB)
	var all []reconciled
	w.must(json.Unmarshal([]byte(w.done("reconcile", "-o", "json").out), &all))
	got := all[0]
	if got.Bytes == 0 || got.PlanHash == "" {
		t.Errorf("bytes %d, plan %q", got.Bytes, got.PlanHash)
	}
	got.Bytes, got.PlanHash = 0, ""
	want := reconciled{
		Gateway: config.GatewayARN, Settled: true, Writes: 1, Passes: 2, Statements: 1,
		Changes: []changedText{{Verb: plan.Add, Principal: "arn:aws:iam::444455556666:root", Grants: []string{config.GatewayARN + "#444455556666"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestWhatKeepsAPolicyFromBeingSettledIsANo(t *testing.T) {
	tests := []struct {
		reason string
		before func(w *world, config gatewayConfig)
		says   []string
		code   grant.Code
	}{
		{
			reason: "the gateway is gone",
			before: func(w *world, _ gatewayConfig) { w.done("gateway", "delete") },
			says:   []string{"Nothing was written: 0 to add, 0 to remove, 0 to keep, 1 left out.\nNot settled: ", "(GatewayGone)\n"}, code: grant.CodeGatewayGone,
		},
		{
			reason: "the gateway does not ask for it",
			before: func(w *world, c gatewayConfig) {
				w.must(w.model.UntagResource(inA, c.GatewayARN, []string{plan.ManagedTag}))
			},
			says: []string{"Not settled: ", "(NotManaged)\n"}, code: grant.CodeNotManaged,
		},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			w := newWorld(t)
			config := w.created()
			w.done("grant", accountB)
			test.before(w, config)
			got := w.run("reconcile")
			for _, part := range test.says {
				if got.code != exitError || !strings.Contains(got.out, part) {
					t.Errorf("exit %d, want %d saying %q:\n%s%s", got.code, exitError, part, got.out, got.err)
				}
			}
			var texts []reconciled
			w.must(json.Unmarshal([]byte(w.run("reconcile", "-o", "json").out), &texts))
			if len(texts) != 1 || texts[0].Settled || texts[0].Reason != test.code {
				t.Errorf("%+v", texts)
			}
		})
	}
}

// The stand-in of these tests has nobody whose role could be assumed.
func TestReconcileAssumesOwnerRole(t *testing.T) {
	w := newWorld(t)
	config := w.created()
	for _, command := range []string{"plan", "reconcile"} {
		got := w.run(command, config.GatewayARN, "--profile", "account-b", "--owner-accounts", accountA, "--owner-role-name", "team/Owner")
		if got.code == exitDone || !strings.Contains(got.out+got.err, "STS: AssumeRole") {
			t.Errorf("%s: exit %d: %s%s", command, got.code, got.out, got.err)
		}
	}
}

func TestEveryManagedGatewayIsReconciled(t *testing.T) {
	w := newWorld(t)
	if got := w.done("reconcile", "*"); got.out != "No managed gateways.\n" {
		t.Errorf("said %q", got.out)
	}
	first := w.created()
	w.done("gateway", "create", "--name", "second", "--role-arn", roleARN, "--lambda-arn", echoARN, "--config", "second.json")
	unmanaged, err := w.model.CreateGateway(inA, model.CreateGatewayInput{GatewaySettings: model.GatewaySettings{
		Name: "third", AuthorizerType: model.AWSIAM, ProtocolType: "MCP", RoleARN: roleARN,
	}})
	w.must(err)
	w.done("grant", "*", accountB)

	var got []reconciled
	w.must(json.Unmarshal([]byte(w.done("reconcile", "*", "-o", "json").out), &got))
	if len(got) != 2 || got[0].Gateway != first.GatewayARN || !strings.Contains(got[1].Gateway, ":gateway/second-") {
		t.Errorf("reconciled %+v", got)
	}
	for _, gateway := range got {
		if w.policyText(gateway.Gateway) == "" {
			t.Errorf("no policy on %s", gateway.Gateway)
		}
	}
	if text := w.policyText(unmanaged.ARN); text != "" {
		t.Errorf("policy on one that is not managed: %s", text)
	}
}

func TestFailedGatewayBlocksNoOther(t *testing.T) {
	w, first, second := withTwo(t)
	w.done("grant", "*", accountB)
	denied := &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "not authorized to perform: dynamodb:Query"}
	got := w.failing(map[string]error{first: denied}, "reconcile", "*")
	if got.code != exitError || strings.Count(got.err, "\n") != 1 || !strings.Contains(got.err, first) {
		t.Errorf("exit %d\n%s%s", got.code, got.out, got.err)
	}
	if w.policyText(second) == "" || w.policyText(first) != "" {
		t.Errorf("policies %q and %q\n%s%s", w.policyText(first), w.policyText(second), got.out, got.err)
	}
}

func TestReconcileTrustsWhatTheDeploymentTrusts(t *testing.T) {
	w := newWorld(t)
	w.stacks = stackServer{} // a deployment's stack says who is trusted
	config := w.created()
	w.must(w.accounts.MarkSynced(t.Context(), w.now()))
	w.done("grant", accountB)
	w.done("reconcile", "--trusted-accounts", accountB)
	let := w.policyText(config.GatewayARN)
	if !strings.Contains(let, accountB) {
		t.Fatalf("policy %s", let)
	}

	got := w.run("reconcile")
	if got.code != exitError || !strings.Contains(got.err, "TRUSTED_ACCOUNTS") || w.policyText(config.GatewayARN) != let {
		t.Errorf("untold: exit %d\n%s\npolicy %s", got.code, got.err, w.policyText(config.GatewayARN))
	}
	for _, variable := range []string{"999900001111," + accountB, " 999900001111 , " + accountB + " "} {
		t.Setenv("TRUSTED_ACCOUNTS", variable)
		w.done("reconcile")
		if w.policyText(config.GatewayARN) != let {
			t.Errorf("TRUSTED_ACCOUNTS=%q: policy %s", variable, w.policyText(config.GatewayARN))
		}
	}
	w.done("reconcile", "--trusted-accounts", "")
	if text := w.policyText(config.GatewayARN); text != "" {
		t.Errorf("with no trusted account: policy %s", text)
	}
}

func TestAReconcileThatCannotBeRightIsRefused(t *testing.T) {
	tests := []struct {
		reason string
		args   []string
		says   string
	}{
		{"in another account", []string{"reconcile", gatewayARN, "--profile", "account-b"}, "gateway tools-abcdefghij belongs to account 111122223333 and you are in 444455556666: choose the right --profile, or name the role to assume there with --owner-role-name and --owner-accounts"},
		{"an accounting that there is not", []string{"reconcile", gatewayARN, "--size-accounting", "guessed"}, `read the settings: --size-accounting: "guessed" is not valid: write expanded or submitted (InvalidSettings)`},
		{"two gateways", []string{"reconcile", gatewayARN, gatewayARN}, "reconcile takes an optional GATEWAY, and was given 2 arguments: see gateway-grants reconcile --help"},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			w := newWorld(t)
			want := said{code: exitError, err: "gateway-grants: " + test.says + "\n"}
			if diff := cmp.Diff(want, w.run(test.args...), cmp.AllowUnexported(said{})); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			state, err := w.states.Load(t.Context(), gatewayNamed(t))
			w.must(err)
			if state.Gateway.Failures != 0 || len(state.Grants) > 0 {
				t.Errorf("recorded %+v", state)
			}
		})
	}
}
