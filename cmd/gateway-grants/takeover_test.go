package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/store/memory"
)

// A stack that is renamed, made again or tried beside the real one has empty tables, and
// finds statements of its id.
func TestADeploymentWithOtherTablesRevokesNothingUntilATakeoverIsApproved(t *testing.T) {
	w := newWorld(t)
	config := w.created()
	w.done("grant", accountB)
	w.done("grant", accountB, "--role", "AgentRole")
	w.done("reconcile")
	before := w.policyText(config.GatewayARN)

	w.grants, w.states = memory.NewGrants(memory.Config{}), memory.NewStates(memory.Config{})
	w.must(w.grants.PutSentinel(t.Context()))
	w.done("grant", accountB)

	if got := w.run("reconcile"); got.code != exitError || !strings.Contains(got.out, "gateway-grants approve") || w.policyText(config.GatewayARN) != before {
		t.Fatalf("reconcile: exit %d\n%s%s", got.code, got.out, got.err)
	}
	if got := w.done("plan"); !strings.Contains(got.out, "  - arn:aws:iam::444455556666:role/AgentRole") || !strings.Contains(got.out, "0 to add, 1 to remove") || !strings.Contains(got.out, "approve") {
		t.Errorf("plan said\n%s", got.out)
	}
	if got := w.done("list"); !strings.Contains(got.err, "TakeoverNeeded") {
		t.Errorf("list said\n%s%s", got.out, got.err)
	}
	if got := w.run("approve", config.GatewayARN); got.code != exitError || !strings.Contains(got.out, "(0 to add, 1 to remove)\n  - arn:aws:iam::444455556666:role/AgentRole") {
		t.Errorf("approve without an answer: exit %d\n%s%s", got.code, got.out, got.err)
	}
	w.run("reconcile")
	if w.policyText(config.GatewayARN) != before {
		t.Fatal("what was only shown was approved")
	}

	if got := w.done("approve", config.GatewayARN, "--yes"); !strings.Contains(got.out, "Approved 1 takeover") {
		t.Errorf("approve said\n%s", got.out)
	}
	w.done("reconcile")
	if after := w.policyText(config.GatewayARN); strings.Contains(after, "AgentRole") || !strings.Contains(after, accountB) {
		t.Errorf("taken over, the policy is %s", after)
	}
	if rows := w.rows(); len(rows) != 1 {
		t.Errorf("the approval is a row: %v", rows)
	}
	if got := w.run("approve", config.GatewayARN); got.code != exitError || !strings.Contains(got.err, "waits for no takeover") {
		t.Errorf("approved again: exit %d\n%s%s", got.code, got.out, got.err)
	}
}

func TestApproveFindsTheTakeoversThatFunctionsHaveRecorded(t *testing.T) {
	w := newWorld(t)
	config := w.created()
	w.done("grant", accountB)
	w.done("reconcile")
	w.grants, w.states = memory.NewGrants(memory.Config{}), memory.NewStates(memory.Config{})
	w.must(w.grants.PutSentinel(t.Context()))
	w.run("reconcile")
	gateway, err := grant.ParseGateway(config.GatewayARN)
	w.must(err)
	w.must(w.states.SetAttention(t.Context(), gateway, plan.Attention{Failing: true}))
	var all undecided
	got := w.run("approve", "-o", "json")
	w.must(json.Unmarshal([]byte(got.out), &all))
	if got.code != exitError || all.Approved || len(all.Takeovers) != 1 || all.Takeovers[0].Gateway != config.GatewayARN || len(all.Takeovers[0].Removes) != 1 {
		t.Errorf("exit %d, %+v", got.code, all)
	}
}
