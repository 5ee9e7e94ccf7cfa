package reconcile_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

func TestInvalidRowKeepsAccessUntilDeleted(t *testing.T) {
	c := newCloud(t)
	c.join("444455556666", "777788889999")
	c.grant("row", "o-exampleorgid", "exclude", []any{"777788889999"})
	c.reconcileUntilSettled()
	keeps := func(when string, want ...string) {
		t.Helper()
		c.reconcileUntilSettled()
		if diff := cmp.Diff(want, c.principals()); diff != "" {
			t.Errorf("%s: -want +got\n%s", when, diff)
		}
	}
	c.grant("row", "o-exampleorgid", "exclude", "777788889999", "colour", "red")
	keeps("after the edit", rootB)
	c.join("888899990000")
	keeps("after an account joined", rootB)
	c.putByHand(foreignReader)
	keeps("after the statement was taken by hand", rootB, rootC)
	c.reconciler.Directory = brokenDirectory{}
	keeps("while the directory is down", rootB, rootC)
	if status := c.state().Grants[c.key("row")]; status.Phase != grant.PhaseInvalid || !cmp.Equal([]string{rootB}, status.Admitted) {
		t.Errorf("the row is %+v", status)
	}
	c.revoke("row")
	keeps("after the row was deleted", rootC)
}

func TestInvalidRowExpiresOnTime(t *testing.T) {
	c := newCloud(t)
	end := c.now.Add(time.Hour)
	c.grant("row", "444455556666", "expires", end.Format(time.RFC3339))
	c.reconcileUntilSettled()
	c.grant("row", "444455556666", "expires", "later")
	c.reconcileUntilSettled()
	if due := c.state().Gateway.Due; !due.Equal(end) {
		t.Errorf("due at %s, and the grant ends at %s", due, end)
	}
	c.now = end
	c.reconcileUntilSettled()
	if got := c.principals(); len(got) > 0 {
		t.Errorf("let in after the end: %v", got)
	}
}

// The write gives access by a revision before a valid edit that another run has recorded.
// The next edit has a fault. It must not change what the valid edit gave: nothing.
func TestLateWriteIsNoLastValidRevision(t *testing.T) {
	c := newCloud(t)
	c.join("444455556666")
	c.grant("row", "444455556666")
	reads, h := 0, &hooks{}
	h.afterPolicy = func() {
		if reads++; reads == 2 { // the write has begun
			c.grant("row", "999900001111") // outside the organization
			c.reconcile()
		}
	}
	c.gateways.afterPut = func() error {
		c.grant("row", "999900001111", "colour", "red")
		return nil
	}
	if err := c.run(c.hooked(h)); err != nil {
		t.Fatal(err)
	}
	if c.gateways.afterPut = nil; c.gateways.writes == 0 {
		t.Fatal("the late write did not happen")
	}
	c.reconcileUntilSettled()
	if got := c.principals(); len(got) > 0 {
		t.Errorf("let in are %v", got)
	}
}

// The same, but the write has not begun when the edit is recorded.
func TestWriteOfAnEditedRowDoesNotBegin(t *testing.T) {
	c := newCloud(t)
	c.join("444455556666")
	c.grant("row", "444455556666")
	begun, h := 0, &hooks{}
	h.beforeBegin = func() {
		if begun++; begun == 1 {
			c.grant("row", "999900001111") // outside the organization
			c.reconcile()
		}
	}
	if err := c.run(c.hooked(h)); err != nil {
		t.Fatal(err)
	}
	if got := c.state().Gateway.PendingRevisions; begun != 1 || c.gateways.writes > 0 || len(got) > 0 {
		t.Errorf("%d writes began, %d policies were written, pending is %v", begun, c.gateways.writes, got)
	}
}

func TestStaleGrantsRestoreNoEndedAccess(t *testing.T) {
	c := newCloud(t)
	c.grant("row", "444455556666")
	c.reconcile()
	done, h := false, &hooks{}
	h.afterPolicy = func() { // the run has read the row and the policy by now
		if !done {
			done = true
			c.grant("row", "777788889999")
			c.reconcile()
		}
	}
	if err := c.run(c.hooked(h)); err != nil {
		t.Fatal(err)
	}
	c.grant("row", "777788889999", "colour", "red")
	c.reconcile()
	if got := c.principals(); !slices.Equal(got, []string{rootC}) {
		t.Errorf("let in are %v", got)
	}
}

// A run that dies between its put and its record leaves nothing but what it recorded
// before the put.
func TestInvalidEditAfterWriteAndCrashKeepsAccess(t *testing.T) {
	ranges := map[string]any{"sourceIp": []any{"203.0.113.0/24"}}
	for name, test := range map[string]struct {
		reason string
		before func(c *cloud)
		valid  func(c *cloud)
		want   []string
		within string // of the policy
	}{
		"a new row": {
			"it was never recorded as valid", func(*cloud) {},
			func(c *cloud) { c.grant("row", "444455556666") }, []string{rootB}, "",
		},
		"a row that names another account": {
			"the account that it named before lost its access by the edit",
			func(c *cloud) { c.grant("row", "777788889999") },
			func(c *cloud) { c.grant("row", "444455556666") }, []string{rootB}, "",
		},
		"a row with a new condition": {
			"the condition stays",
			func(c *cloud) { c.grant("row", "444455556666") },
			func(c *cloud) { c.grant("row", "444455556666", "conditions", ranges) }, []string{rootB}, "203.0.113.0/24",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t)
			test.before(c)
			c.reconcileUntilSettled()
			test.valid(c)
			if err := c.run(c.hooked(&hooks{beforeRecord: func() error { return errCrash }})); !errors.Is(err, errCrash) {
				t.Fatalf("it ended with %v", err)
			}
			c.grant("row", "444455556666", "condition", "misspelt")
			for range 2 { // the second run decides by what the first recorded
				c.reconcileUntilSettled()
				if diff := cmp.Diff(test.want, c.principals()); diff != "" || !strings.Contains(c.text(), test.within) {
					t.Errorf("%s: -want +got\n%s\npolicy %s", test.reason, diff, c.text())
				}
			}
			if got := c.state().Grants[c.key("row")]; got.Phase != grant.PhaseInvalid || !slices.Equal(got.Admitted, test.want) {
				t.Errorf("%s: the row is %+v", test.reason, got)
			}
			c.revoke("row")
			c.reconcileUntilSettled()
			if got := c.principals(); len(got) > 0 {
				t.Errorf("with the row deleted, let in are %v", got)
			}
		})
	}
}

// What a write was to give, and did not, an Invalid row does not get.
func TestInvalidEditAfterCrashBeforePutGivesNothing(t *testing.T) {
	c := newCloud(t)
	c.grant("row", "444455556666")
	if err := c.run(c.hooked(&hooks{beforePut: func() error { return errCrash }, beforeRecord: func() error { return errCrash }})); !errors.Is(err, errCrash) {
		t.Fatalf("it ended with %v", err)
	}
	c.grant("row", "444455556666", "condition", "misspelt")
	c.reconcileUntilSettled()
	if got := c.principals(); len(got) > 0 {
		t.Errorf("let in: %v", got)
	}
}
