package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
)

func TestAPlanSaysWhatAReconcileWouldDoAndDoesNothing(t *testing.T) {
	w := newWorld(t)
	config := w.created()
	w.changes() // those that created the gateway

	if got := w.run("plan"); got.code != exitDone || !strings.Contains(got.out, "Nothing to do:") {
		t.Errorf("without grants: %d\n%s%s", got.code, got.out, got.err)
	}
	w.done("grant", accountB, "--role", "AgentRole")
	got := w.run("plan")
	if got.code != exitChanges {
		t.Errorf("with a grant: exit code %d\n%s%s", got.code, got.out, got.err)
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

func TestAPlanThatCannotBeMadeIsAnError(t *testing.T) {
	w := newWorld(t)
	w.created()
	for name, args := range map[string][]string{
		"no such profile": {"plan", "--profile", "nobody"},
		"no such gateway": {"plan", "not/an/id"},
		"bad accounting":  {"plan", "--size-accounting", "guessed"},
	} {
		if got := w.run(args...); got.code != exitNo || strings.Count(got.err, "\n") != 1 || got.out != "" {
			t.Errorf("%s: exit code %d, %q, %q", name, got.code, got.out, got.err)
		}
	}
}

func TestARoleMadeAnewIsLetInOnceConfirmed(t *testing.T) {
	w := newWorld(t)
	w.created()
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

	if got := w.run("confirm", "arn:aws:iam::444455556666:role/Other"); got.code != exitNo || !strings.Contains(got.err, "is not held") {
		t.Errorf("another role: %+v", got)
	}
	if got := w.done("confirm", agent); !strings.Contains(got.out, "Confirmed "+agent) || !strings.Contains(got.out, "grant "+accountB+":role/AgentRole") {
		t.Errorf("said\n%s", got.out)
	}
	if got := w.done("reconcile"); !strings.Contains(got.out, "  + "+agent) {
		t.Errorf("said\n%s", got.out)
	}
}
