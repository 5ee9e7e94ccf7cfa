package reconcile_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

func TestARowThatBecomesInvalidKeepsItsAccessUntilItIsDeleted(t *testing.T) {
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

func TestWhatAnInvalidRowKeepsEndsAtItsExpiryOnTime(t *testing.T) {
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

func TestARunThatReadTheGrantsLongAgoBringsNoEndedAccessBack(t *testing.T) {
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
