package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

func TestObserveModeIsShownAndWritesNothing(t *testing.T) {
	w := newWorld(t)
	config := w.created()
	w.done("grant", accountB)
	w.done("reconcile")
	before := w.policyText(config.GatewayARN)
	w.done("revoke", accountB)
	w.done("grant", accountB, "--role", "AgentRole")
	t.Setenv("MODE", "observe")

	planned := w.run("plan", "--detailed-exitcode")
	for _, part := range []string{"  + arn:aws:iam::444455556666:role/AgentRole", "  - arn:aws:iam::444455556666:root", "Changes: observe: not applied: 1 to add, 1 to remove"} {
		if !strings.Contains(planned.out, part) {
			t.Errorf("plan did not say %q:\n%s", part, planned.out)
		}
	}
	if planned.code != exitChanges {
		t.Errorf("plan: exit %d", planned.code)
	}
	if got := w.run("reconcile"); got.code != exitError || !strings.Contains(got.out, "Nothing was written: 1 to add, 1 to remove") || !strings.Contains(got.out, "Changes: observe: not applied") {
		t.Errorf("reconcile: exit %d\n%s%s", got.code, got.out, got.err)
	}
	if after := w.policyText(config.GatewayARN); after != before {
		t.Fatalf("the policy was written: %s", after)
	}
	listed := w.done("list")
	if !strings.Contains(listed.out, "LeftOut  Observed  ") || !strings.Contains(listed.err, "observe: not applied: 1 to add, 1 to remove") {
		t.Errorf("list said\n%s%s", listed.out, listed.err)
	}
	var rows []listedRow
	w.must(json.Unmarshal([]byte(w.done("list", "-o", "json").out), &rows))
	if len(rows) != 1 || rows[0].Reason != grant.CodeObserved {
		t.Errorf("as JSON: %+v", rows)
	}

	t.Setenv("MODE", "enforce")
	w.done("reconcile")
	if after := w.policyText(config.GatewayARN); !strings.Contains(after, "role/AgentRole") || strings.Contains(after, accountB+":root") {
		t.Errorf("enforced again, the policy is %s", after)
	}
}
