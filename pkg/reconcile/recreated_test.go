package reconcile_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

func TestRetriedRoleDeletedBeforeCrashIsHeld(t *testing.T) {
	c := newCloud(t)
	c.iam.missing[role(1)] = true
	c.grant("agent", role(1))
	c.reconcile()
	delete(c.iam.missing, role(1))
	c.now = c.state().Gateway.Refused[role(1)].NextTry
	if err := c.run(c.hooked(&hooks{beforeRecord: func() error { return errCrash }})); !errors.Is(err, errCrash) {
		t.Fatalf("it ended with %v", err)
	}
	if got := c.principals(); len(got) != 1 {
		t.Fatalf("the role exists, and let in are %v", got)
	}
	c.iam.recreated[role(1)] = true
	c.reconcile()
	if got := c.principals(); len(got) > 0 {
		t.Errorf("let in: %v", got)
	}
}

func TestStaleGrantsKeepHolds(t *testing.T) {
	for name, held := range map[string]bool{"that another run holds": true, "of which the policy shows the unique id": false} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t)
			done, h := false, &hooks{}
			meanwhile := func() {
				if done {
					return
				}
				done = true // and this run does not know of the grant
				c.grant("agent", role(1))
				c.reconcile()
				c.iam.recreated[role(1)] = true
				if held {
					c.reconcile()
				}
			}
			if held {
				h.afterPolicy = meanwhile
			} else {
				h.beforePolicy = meanwhile
			}
			if err := c.run(c.hooked(h)); err != nil {
				t.Fatal(err)
			}
			c.reconcile()
			if got := c.principals(); len(got) > 0 {
				t.Errorf("let in: %v", got)
			}
			if got := c.state().Grants[c.key("agent")]; got.Reason != grant.CodeRecreated {
				t.Errorf("the grant is %+v", got)
			}
		})
	}
}

func TestRevocationEndsHold(t *testing.T) {
	c := newCloud(t)
	c.grant("agent", role(1))
	c.reconcile()
	c.iam.recreated[role(1)] = true
	c.reconcile()
	c.revoke("agent")
	c.reconcile()
	c.grant("agent", role(1))
	c.reconcile()
	if got := c.principals(); len(got) != 1 {
		t.Errorf("a new grant lets in %v", got)
	}
}

func TestHoldEndsByRevocationOrApprovalOnly(t *testing.T) {
	for name, meanwhile := range map[string][]any{
		"a row that cannot be understood": {"condition", "misspelt"},
		"an expiry that is put off":       {"expires", "2026-11-01"},
		"a while by name":                 {"follow", "name"},
	} {
		for when, held := range map[string]bool{"after it was held": true, "before the next pass": false} {
			t.Run(name+" "+when, func(t *testing.T) {
				c := newCloud(t)
				c.grant("agent", role(1))
				c.reconcile()
				c.iam.recreated[role(1)] = true
				if held {
					c.reconcile()
				}
				c.grant("agent", role(1), meanwhile...)
				c.reconcile()
				c.grant("agent", role(1))
				c.reconcile()
				if got := c.principals(); len(got) > 0 {
					t.Errorf("let in: %v", got)
				}
				if got := c.state().Grants[c.key("agent")]; got.Reason != grant.CodeRecreated {
					t.Errorf("the grant is %+v", got)
				}
			})
		}
	}
}

func TestApprovalOfHoldLetsRecreatedRoleIn(t *testing.T) {
	c := newCloud(t)
	c.grant("agent", role(1))
	c.reconcile()
	c.iam.recreated[role(1)] = true
	c.reconcile()
	held := c.state().Gateway.Refused[role(1)]
	approve := func(since time.Time) {
		t.Helper()
		if err := c.grants.Approve(t.Context(), grant.RecreatedOf(c.gateway, role(1), since), c.now, ""); err != nil {
			t.Fatal(err)
		}
		c.reconcileUntilSettled()
	}
	approve(held.Since.Add(-time.Hour))
	if got := c.principals(); !held.Held() || len(got) > 0 {
		t.Fatalf("held: %t; an approval of another hold lets in %v", held.Held(), got)
	}
	approve(held.Since)
	if got := c.principals(); len(got) != 1 {
		t.Fatalf("approved, and let in: %v", got)
	}
	c.now = c.now.Add(time.Hour)
	c.iam.recreated[role(1)] = false // another id once more
	c.reconcileUntilSettled()
	if got := c.principals(); len(got) > 0 {
		t.Errorf("the approval lets in a role that was created again after it: %v", got)
	}
}

// The unique id is the trace of a role that is not granted any more, and the run whose
// write lets the new role in has not found it: another writer took it out first.
func TestOutdatedPolicyHoldsNoRoleOfLaterWrite(t *testing.T) {
	c := newCloud(t)
	c.grant("gone", role(1))
	c.reconcile()
	c.iam.recreated[role(1)] = true
	c.revoke("gone")
	done := false
	h := &hooks{afterPolicy: func() {
		if !done {
			done = true
			c.putByHand(`{"Effect":"Deny","Principal":"*","Action":"bedrock-agentcore:InvokeGateway","Resource":"GATEWAY","Condition":{"StringEquals":{"aws:SourceVpc":"vpc-1"}}}`)
			c.grant("new", role(2))
			c.reconcile()
		}
	}}
	if err := c.run(c.hooked(h)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{role(2)}, c.principals()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
