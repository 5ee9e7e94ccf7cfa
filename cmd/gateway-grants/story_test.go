package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The seed's story, by the command line alone.
func TestRowOpensGatewayUntilItEnds(t *testing.T) {
	w := newWorld(t)
	config := w.created()

	own := w.done("invoke")
	want := "Profile: account-a\nAccount: 111122223333\nCaller: arn:aws:sts::111122223333:assumed-role/AdminRole/session\n" +
		strings.Repeat("-", 60) + "\nSUCCESS! tools/list returned:\n - echo-tools___echo_message: Echo back a message for testing\n"
	if diff := cmp.Diff(want, own.out); diff != "" {
		t.Errorf("its owner's call: -want +got\n%s", diff)
	}
	denied := w.run("invoke", "--profile", "account-b")
	if denied.code != exitError || !strings.Contains(denied.out, "FAILED: 403 Forbidden for url '"+config.GatewayURL+"': {") || !strings.Contains(denied.out, "grant GATEWAY 444455556666") {
		t.Errorf("before the grant: exit %d\n%s%s", denied.code, denied.out, denied.err)
	}

	w.done("grant", accountB)
	settled := w.done("reconcile")
	want = config.GatewayARN + "\n  + arn:aws:iam::444455556666:root (grant 444455556666)\n1 added, 0 removed, 0 kept, 0 left out. "
	if !strings.HasPrefix(settled.out, want) || !strings.HasSuffix(settled.out, "Settled.\n") {
		t.Errorf("reconcile said\n%s", settled.out)
	}
	if again := w.done("reconcile"); !strings.HasSuffix(again.out, "Settled: nothing had to be written.\n") {
		t.Errorf("reconciled again, it said\n%s", again.out)
	}
	let := w.done("invoke", "--profile", "account-b", "--tool", "echo-tools___echo_message", "--arg", "message=hello")
	if !strings.HasSuffix(let.out, "SUCCESS! tools/call echo-tools___echo_message returned:\n{\"message\":\"hello\"}\n") {
		t.Errorf("the tool answered\n%s", let.out)
	}

	w.done("revoke", accountB)
	if gone := w.done("reconcile"); !strings.Contains(gone.out, "  - arn:aws:iam::444455556666:root") {
		t.Errorf("after the revocation, reconcile said\n%s", gone.out)
	}
	if text := w.policyText(config.GatewayARN); text != "" {
		t.Errorf("policy left: %s", text)
	}
	if denied := w.run("invoke", "--profile", "account-b"); denied.code != exitError {
		t.Errorf("after the revocation: exit %d\n%s", denied.code, denied.out)
	}
	w.done("gateway", "delete")
}
