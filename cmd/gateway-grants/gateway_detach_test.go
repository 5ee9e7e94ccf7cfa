package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

// withForeign puts a statement of somebody else's in front of ours.
func (w *world) withForeign(arn string) (foreign string) {
	w.t.Helper()
	foreign = `{"Sid":"Theirs","Effect":"Allow","Principal":{"AWS":["arn:aws:iam::444455556666:role/AdminRole"]},"Action":"bedrock-agentcore:InvokeGateway","Resource":"` + arn + `"}`
	text := strings.Replace(w.policyText(arn), `"Statement":[`, `"Statement":[`+foreign+`,`, 1)
	_, err := w.model.PutResourcePolicy(inA, arn, text)
	w.must(err)
	return foreign
}

func TestDetachRemovesOnlyOwnedStatements(t *testing.T) {
	w := newWorld(t)
	first := w.created()
	w.done("gateway", "create", "--name", "second", "--role-arn", roleARN, "--lambda-arn", echoARN, "--config", "second.json")
	w.done("gateway", "create", "--name", "untagged", "--role-arn", roleARN, "--lambda-arn", echoARN, "--config", "untagged.json")
	w.done("grant", "*", accountB)
	w.done("reconcile", "*")
	foreign := w.withForeign(first.GatewayARN)
	var gateways []reconciled
	w.must(json.Unmarshal([]byte(w.done("reconcile", "*", "-o", "json").out), &gateways))
	untagged := gateways[2].Gateway
	w.must(w.model.UntagResource(inA, untagged, []string{plan.ManagedTag}))

	before := w.policyText(first.GatewayARN)
	got := w.run("gateway", "detach", "--all", "--dry-run")
	if got.code != exitError || !strings.Contains(got.out, first.GatewayARN+"\n  - arn:aws:iam::444455556666:root\n") || !strings.HasSuffix(got.out, "Nothing was changed: they are let in at 3 gateways, and would lose access.\n") {
		t.Errorf("dry run: exit %d\n%s%s", got.code, got.out, got.err)
	}
	if got := w.done("gateway", "detach", "--all", "--keep"); !strings.Contains(got.out, "Kept: they stay let in at 3 gateways") {
		t.Errorf("keep:\n%s", got.out)
	}
	w.rows() // fails without the sentinel
	if diff := cmp.Diff(before, w.policyText(first.GatewayARN)); diff != "" {
		t.Errorf("what was only looked at changed: -want +got\n%s", diff)
	}

	if got := w.run("gateway", "detach", "--all"); got.code != exitError || got.out != "" || !strings.Contains(got.err, "nothing was detached (--dry-run") || w.policyText(first.GatewayARN) != before {
		t.Errorf("without an answer: %+v", got)
	}
	if got := w.done("gateway", "detach", "--all", "--yes"); !strings.HasSuffix(got.out, "Detached: 3 gateways. The product stands still until make deploy.\n") {
		t.Errorf("said\n%s", got.out)
	}
	if text, want := w.policyText(first.GatewayARN), `{"Version":"2012-10-17","Statement":[`+foreign+`]}`; text != want {
		t.Errorf("policy %s, want %s", text, want)
	}
	for _, gateway := range gateways[1:] {
		if text := w.policyText(gateway.Gateway); text != "" {
			t.Errorf("policy %s on %s, want none", text, gateway.Gateway)
		}
	}
	if got := w.done("gateway", "detach", "--all", "--dry-run"); !strings.HasPrefix(got.out, "Nothing to detach:") {
		t.Errorf("afterwards\n%s", got.out)
	}
}

func TestDetachLastsUntilNextDeployment(t *testing.T) {
	w := newWorld(t)
	config := w.created()
	w.done("grant", accountB)
	w.done("reconcile")
	w.done("gateway", "detach", "--all", "--yes")

	if got := w.run("reconcile"); got.code == exitDone || w.policyText(config.GatewayARN) != "" {
		t.Errorf("reconciled: exit %d\n%s\npolicy %s", got.code, got.out, w.policyText(config.GatewayARN))
	}
	if _, err := w.grants.All(t.Context()); grant.CodeOf(err) != store.CodeNoSentinel {
		t.Errorf("grants: %v", err)
	}
	w.must(w.grants.PutSentinel(t.Context())) // as make deploy does
	w.done("reconcile")
	if text := w.policyText(config.GatewayARN); !strings.Contains(text, accountB) {
		t.Errorf("deployed again: policy %s", text)
	}
}

func TestAnotherInstallationIsNotDetached(t *testing.T) {
	w := newWorld(t)
	config := w.created()
	w.done("grant", accountB)
	w.done("reconcile", "--installation-id", "other")
	before := w.policyText(config.GatewayARN)
	var texts []detachedText
	w.must(json.Unmarshal([]byte(w.done("gateway", "detach", "--all", "--yes", "-o", "json").out), &texts))
	if len(texts) != 0 || w.policyText(config.GatewayARN) != before {
		t.Errorf("detached %+v, policy %s", texts, w.policyText(config.GatewayARN))
	}
}

func TestFailedDetachBlocksNoOther(t *testing.T) {
	w := newWorld(t)
	first := w.created()
	w.done("gateway", "create", "--name", "second", "--role-arn", roleARN, "--lambda-arn", echoARN, "--config", "second.json")
	w.done("grant", "*", accountB)
	w.done("reconcile", "*")
	w.withForeign(first.GatewayARN)
	w.must(w.directory.Delete("arn:aws:iam::444455556666:role/AdminRole")) // so what is left is refused

	got := w.run("gateway", "detach", "--all", "--yes", "-o", "json")
	var texts []detachedText
	w.must(json.Unmarshal([]byte(got.out), &texts))
	if got.code != exitError || len(texts) != 2 || texts[0].Detached || !texts[1].Detached {
		t.Errorf("exit %d, detached %+v\n%s", got.code, texts, got.err)
	}
	if text := w.policyText(texts[1].Gateway); text != "" {
		t.Errorf("policy %s of the other", text)
	}
}

func TestDetachingNamesAGatewayOrAll(t *testing.T) {
	w := newWorld(t)
	for reason, args := range map[string][]string{
		"not all":            {"gateway", "detach"},
		"both":               {"gateway", "detach", "--all", gatewayARN},
		"keep and look":      {"gateway", "detach", "--all", "--keep", "--dry-run"},
		"another accounting": {"gateway", "detach", "--all", "--yes", "--size-accounting", "guessed"},
	} {
		if got := w.run(args...); got.code == exitDone {
			t.Errorf("%s: done\n%s", reason, got.out)
		}
		w.rows()
	}
}

func TestOneGatewayIsDetachedByItsTag(t *testing.T) {
	w, first, second := withTwo(t)
	w.must(w.directory.AddAccount("777788889999"))
	w.done("reconcile", "*")
	foreign := w.withForeign(first)
	other := w.policyText(second)

	if got := w.run("gateway", "detach", first, "--dry-run"); got.code != exitError || !strings.Contains(got.out, "Nothing was changed: they are let in at 1 gateway, and would lose access.") {
		t.Errorf("dry run: %+v", got)
	}
	if got := w.done("plan", first); strings.Contains(got.out, "NotManaged") {
		t.Errorf("the dry run took the tag:\n%s", got.out)
	}
	if got := w.done("gateway", "detach", first); !strings.Contains(got.out, "  - arn:aws:iam::444455556666:role/AgentRole\n") || !strings.Contains(got.out, "Detached: the gateway is managed no more") {
		t.Errorf("said\n%s", got.out)
	}
	if text, want := w.policyText(first), `{"Version":"2012-10-17","Statement":[`+foreign+`]}`; text != want {
		t.Errorf("policy %s, want %s", text, want)
	}
	w.run("reconcile", first)
	if strings.Contains(w.policyText(first), "GatewayGrants") {
		t.Errorf("put back: %s", w.policyText(first))
	}
	w.done("reconcile", "*") // fails without the sentinel
	if diff := cmp.Diff(other, w.policyText(second)); diff != "" {
		t.Errorf("the other gateway: -want +got\n%s", diff)
	}
	if got := w.done("gateway", "detach", second, "--keep"); !strings.Contains(got.out, "Kept: they stay let in, and no grant changes that") {
		t.Errorf("said\n%s", got.out)
	}
	w.done("revoke", "*", "777788889999")
	w.run("reconcile", second)
	if diff := cmp.Diff(other, w.policyText(second)); diff != "" {
		t.Errorf("kept: -want +got\n%s", diff)
	}
}
