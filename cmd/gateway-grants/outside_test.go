package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/store/storetest"
)

func TestADenyOfOthersIsNamedByListAndPlan(t *testing.T) {
	w := newWorld(t)
	config := w.created()
	w.done("grant", accountB, "--role", "AgentRole")
	w.done("reconcile")
	_, err := w.model.PutResourcePolicy(inA, config.GatewayARN, `{"Version":"2012-10-17","Statement":[{"Sid":"SecurityIncidentIsolate","Effect":"Deny","Principal":"*","Action":["bedrock-agentcore:InvokeGateway"],"Resource":"`+config.GatewayARN+`"}]}`)
	w.must(err)

	const denied = "Denied: statement 1 (Sid \"SecurityIncidentIsolate\"), which is not this installation's, refuses every call of arn:aws:iam::444455556666:role/AgentRole\n"
	if got := w.run("plan"); got.code != exitDone || !strings.Contains(got.out, denied) {
		t.Errorf("plan: exit %d\n%s%s", got.code, got.out, got.err)
	}
	var texts []planned
	w.must(json.Unmarshal([]byte(w.run("plan", "-o", "json").out), &texts))
	want := []denialText{{otherText: otherText{1, "SecurityIncidentIsolate"}, Wholly: []string{"arn:aws:iam::444455556666:role/AgentRole"}}}
	if len(texts) != 1 {
		t.Fatalf("%+v", texts)
	}
	if diff := cmp.Diff(want, texts[0].Denials, cmp.AllowUnexported(denialText{})); diff != "" {
		t.Errorf("printed as JSON: -want +got\n%s", diff)
	}
	w.done("reconcile")
	if got := w.done("list", config.GatewayARN); !strings.Contains(got.out, "  Admitted  ForeignDeny  ") || !strings.Contains(got.out, `  a Deny that is not this installation's refuses every call: statement 1 (Sid "SecurityIncidentIsolate") of the policy`) {
		t.Errorf("list:\n%s", got.out)
	}
}

func TestAGatewayThatOthersOpenIsNamedByList(t *testing.T) {
	w := listed(t)
	state, err := w.states.Load(t.Context(), gatewayNamed(t))
	w.must(err)
	state.Gateway.Open = "statement 1"
	storetest.Record(t, w.states, gatewayNamed(t), state)
	if got := w.done("list", gatewayARN); !strings.Contains(got.err, "Note: tools-abcdefghij is open: statement 1 of the policy, which is not this installation's, lets in every caller") {
		t.Errorf("list:\n%s", got.err)
	}
}
