package handler_test

import (
	"os"
	"slices"
	"testing"
)

// An admin grants one account one gateway. The test of the path in package pkg runs this
// one with and without the grant (ONE_CHANGE), and compares which code ran.
func TestOneChange(t *testing.T) {
	e := newEstate(t, &stepped{now: at}, nil)
	tools := e.gateway("tools", true)
	check(t, e.organization.CreateAccount(member))
	e.round()
	if os.Getenv("ONE_CHANGE") == "no" {
		return
	}
	e.grant(tools.ARN(), "one", member)
	e.settle()
	if got, want := e.admitted(tools), []string{root(member)}; !slices.Equal(got, want) {
		t.Errorf("let in %v, want %v", got, want)
	}
}
