package main

import (
	"strings"
	"testing"
)

// The deployed functions apply what the selftest grants, and moto makes its role.
func TestTheSelftestPassesOnTheDeployedTemplate(t *testing.T) {
	s := standInFor(t)
	said, err := commandLine(t, s)("selftest", "--profile", "account-a", "--caller-profile", "account-b", "--trail-within", "0s")
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	for _, want := range []string{
		"call after a grant for the account: SUCCESS (ok", "call after narrowing it to another role: 403", "call after revoking all grants: 403",
		"principal-list: is a list of two principals accepted?\n  accepted", "unique-id: what stands in a policy for a role that was deleted, and may that be put again?\n  another principal stands for the role",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q:\n%s", want, said)
		}
	}
	if left, _ := commandLine(t, s)("list", "--profile", "account-a", "-o", "json"); strings.Contains(left, "gateway-grants-selftest-") {
		t.Errorf("it left grants: %s", left)
	}
}
