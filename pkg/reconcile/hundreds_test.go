package reconcile_test

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

func TestHundredsOfRowsAreOneStatement(t *testing.T) {
	const accounts = 130
	c := newCloud(t)
	c.putByHand(foreignReader)
	for i := range accounts {
		c.grant(fmt.Sprintf("account-%d", 700000000000+i), strconv.Itoa(700000000000+i))
	}
	before := c.gateways.writes
	if result := c.reconcile(); result.Failure != nil {
		t.Fatal(result.Failure)
	}
	if writes := c.gateways.writes - before; writes > 2 {
		t.Errorf("%d puts, want at most 2", writes)
	}
	document, err := c.gateways.Policy(t.Context(), c.gateway)
	if err != nil {
		t.Fatal(err)
	}
	if len(document.Statements) != 2 {
		t.Errorf("%d statements, want that of others and one of ours", len(document.Statements))
	}
	if got := len(c.principals()); got != accounts+1 {
		t.Errorf("%d principals, want %d and one of others", got, accounts)
	}
	for key, status := range c.state().Grants {
		if status.Phase != grant.PhaseAdmitted {
			t.Errorf("%s is %s: %s", key, status.Phase, status.Message)
		}
	}
	if got := len(c.state().Grants); got != accounts {
		t.Errorf("%d statuses, want %d", got, accounts)
	}
	c.revoke("account-700000000064")
	before = c.gateways.writes
	c.reconcile()
	if got, writes := len(c.principals()), c.gateways.writes-before; got != accounts || writes > 2 {
		t.Errorf("after a revocation: %d principals in %d puts", got, writes)
	}
}
