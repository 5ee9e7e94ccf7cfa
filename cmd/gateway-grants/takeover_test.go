package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/store/memory"
)

// A stack that is renamed, made again or tried beside the real one has empty tables, and
// finds statements of its id.
func TestTakeoverWaitsForApproval(t *testing.T) {
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
	id := w.waitingOn(config.GatewayARN, plan.Attention{Failing: true})
	if got := w.run("approve", id); got.code != exitError || !strings.Contains(got.out, id+"  takeover of "+config.GatewayARN+"\n  - arn:aws:iam::444455556666:role/AgentRole") {
		t.Errorf("approve without an answer: exit %d\n%s%s", got.code, got.out, got.err)
	}
	w.run("reconcile")
	if w.policyText(config.GatewayARN) != before {
		t.Fatal("what was only shown was approved")
	}

	if got := w.done("approve", id, "--yes"); !strings.Contains(got.out, "Approved 1 decision") {
		t.Errorf("approve said\n%s", got.out)
	}
	w.done("reconcile")
	if after := w.policyText(config.GatewayARN); strings.Contains(after, "AgentRole") || !strings.Contains(after, accountB) {
		t.Errorf("taken over, the policy is %s", after)
	}
	if rows := w.rows(); len(rows) != 1 {
		t.Errorf("the approval is a row: %v", rows)
	}
	if got := w.run("approve", id, "--yes"); got.code != exitError || !strings.Contains(got.err, "nothing that waits") {
		t.Errorf("approved again: exit %d\n%s%s", got.code, got.out, got.err)
	}
}

// waitingOn is the id of the only decision that waits, on a gateway of which functions
// have recorded that it wants attention.
func (w *world) waitingOn(arn string, wants plan.Attention) string {
	w.t.Helper()
	gateway, err := grant.ParseGateway(arn)
	w.must(err)
	w.must(w.states.SetAttention(w.t.Context(), gateway, wants))
	var all approval
	w.must(json.Unmarshal([]byte(w.done("approve", "-o", "json").out), &all))
	if len(all.Waiting) != 1 || all.Waiting[0].Gateway != arn {
		w.t.Fatalf("waiting: %+v", all)
	}
	return all.Waiting[0].ID
}

// Where a gateway cannot be read, what else waits is shown.
func TestUnreadableTakeoverHidesNothingElse(t *testing.T) {
	w := withHeld(t)
	gone, err := grant.ParseGateway("arn:aws:bedrock-agentcore:us-east-1:999988887777:gateway/gone-abcdefghij")
	w.must(err)
	w.must(w.states.SetAttention(t.Context(), gone, plan.Attention{Failing: true}))
	_, err = w.states.Update(t.Context(), gone, ledger.State{}, ledger.Failed{At: w.now(), Code: grant.CodeTakeoverNeeded})
	w.must(err)
	if got := w.done("approve"); !strings.Contains(got.out, "takeover of "+gone.ARN()) && strings.Count(got.out, "departure-") != 2 {
		t.Errorf("said\n%s", got.out)
	}
}
