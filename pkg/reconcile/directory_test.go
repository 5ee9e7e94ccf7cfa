package reconcile_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/store"
	"github.com/gateway-grants/gateway-grants/pkg/store/memory"
)

// unmarkedDirectory has lost the mark of a complete listing, as if there was none.
type unmarkedDirectory struct{}

func (unmarkedDirectory) Lookup(context.Context, []grant.Principal, []string) (directory.Snapshot, error) {
	return directory.Snapshot{}, nil
}

func (unmarkedDirectory) IsOwner(context.Context, string) (bool, error) {
	return false, errors.New("not asked for")
}

const rootOutside = "arn:aws:iam::999900001111:root"

func TestDirectoryWithoutMarkCountsAsUnreadable(t *testing.T) {
	c := newCloud(t)
	c.join("444455556666", "777788889999")
	c.grant("selected", "o-exampleorgid", "exclude", []any{"777788889999"})
	c.grant("explicit", "777788889999")
	c.reconcile()

	marked := c.reconciler.Directory
	c.reconciler.Directory = unmarkedDirectory{}
	c.grant("outside", "999900001111")
	c.reconcile()
	if diff := cmp.Diff([]string{rootB, rootC}, c.principals()); diff != "" {
		t.Errorf("without the mark: -want +got\n%s", diff)
	}
	state := c.state()
	if got := state.Grants[c.key("outside")]; got.Reason != grant.CodeDirectoryFailed {
		t.Errorf("the grant from outside is %+v", got)
	}
	if state.Gateway.LastError != grant.CodeDirectoryFailed || state.Gateway.Due.IsZero() {
		t.Errorf("recorded %+v", state.Gateway)
	}
	c.revoke("explicit")
	c.reconcile()
	if diff := cmp.Diff([]string{rootB}, c.principals()); diff != "" {
		t.Errorf("after a revocation: -want +got\n%s", diff)
	}

	c.reconciler.Directory = marked
	c.now = c.now.Add(time.Hour)
	c.reconcileUntilSettled()
	if got := c.state().Grants[c.key("outside")]; got.Reason != grant.CodeOutsideOrg {
		t.Errorf("with the mark back, the grant from outside is %+v", got)
	}
}

func TestWithoutDirectoryOutsideAccountsAreLetIn(t *testing.T) {
	c := newCloud(t)
	c.reconciler.Directory = unmarkedDirectory{}
	c.grant("outside", "999900001111")
	c.reconcileUntilSettled()
	if diff := cmp.Diff([]string{rootOutside}, c.principals()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// A list that was emptied by an admin ends access. One that reads empty because it is
// another table's, or lost its sentinel, does not, and lets in no new account.
func TestUnprovedTrustedListKeepsAccess(t *testing.T) {
	c := newCloud(t)
	c.join("777788889999")
	trusted := []directory.Note{{ID: "999900001111", At: c.now, Text: "an admin"}}
	if err := c.accounts.AddToList(t.Context(), directory.TopicTrusted, trusted); err != nil {
		t.Fatal(err)
	}
	c.grant("outside", "999900001111")
	c.reconcileUntilSettled()
	if diff := cmp.Diff([]string{rootOutside}, c.principals()); diff != "" {
		t.Fatalf("a trusted account: -want +got\n%s", diff)
	}

	proved := c.reconciler.Directory
	restored := memory.NewAccounts(memory.Config{Now: func() time.Time { return c.now }})
	if err := restored.MarkSynced(t.Context(), c.now); err != nil {
		t.Fatal(err)
	}
	c.reconciler.Directory = restored
	c.grant("another", "888899990000")
	c.reconcile()
	if diff := cmp.Diff([]string{rootOutside}, c.principals()); diff != "" {
		t.Errorf("without the list's sentinel: -want +got\n%s", diff)
	}
	if state := c.state(); state.Gateway.LastError != grant.CodeDirectoryFailed || state.Gateway.Due.IsZero() {
		t.Errorf("without the list's sentinel: recorded %+v", state.Gateway)
	}

	c.reconciler.Directory = proved
	if err := c.accounts.RemoveFromList(t.Context(), directory.TopicTrusted, trusted); err != nil {
		t.Fatal(err)
	}
	c.now = c.now.Add(time.Hour)
	c.reconcileUntilSettled()
	if got := c.principals(); len(got) > 0 {
		t.Errorf("an account that is trusted no longer is let in: %v", got)
	}
}

func TestOwnersOfLimitsAndList(t *testing.T) {
	const account = "111122223333" // of the gateway
	for name, test := range map[string]struct {
		reason string
		limits []string
		listed []string
		want   grant.Code
	}{
		"any":              {"no owners are named", nil, nil, ""},
		"of the limits":    {"a parameter names it", []string{account}, nil, ""},
		"of the list":      {"an admin added it", []string{"444455556666"}, []string{account, "777788889999"}, ""},
		"neither":          {"neither names it", []string{"444455556666"}, []string{"777788889999"}, grant.CodeNotListed},
		"an unproved list": {"it may be on the list", []string{"444455556666"}, nil, store.CodeNoListSentinel},
	} {
		c := newCloud(t)
		limits := plan.DefaultLimits()
		limits.Owners = test.limits
		d := c.reconciler.Dependencies
		if test.want == store.CodeNoListSentinel {
			d.Directory = memory.NewAccounts(memory.Config{})
		}
		c.reconciler = reconcile.New(d, limits)
		var listed []directory.Note
		for _, owner := range test.listed {
			listed = append(listed, directory.Note{ID: owner, At: c.now})
		}
		if err := c.accounts.AddToList(t.Context(), directory.TopicOwner, listed); err != nil {
			t.Fatal(err)
		}
		c.grant("b", "444455556666")
		c.reconcile()
		if got := c.state().Gateway.LastError; got != test.want || (len(c.principals()) == 1) != (test.want == "") {
			t.Errorf("%s: %q, principals %v: %s", name, got, c.principals(), test.reason)
		}
	}
}

// A list of owners that cannot be read any more holds up no removal from a gateway that
// the deployment has written to.
func TestUnreadableOwnersHoldUpNoRemoval(t *testing.T) {
	c := newCloud(t)
	c.grant("goes", "444455556666")
	c.grant("stays", "777788889999")
	c.reconcileUntilSettled()
	limits, d := plan.DefaultLimits(), c.reconciler.Dependencies
	limits.Owners = []string{"999900001111"}
	d.Directory = memory.NewAccounts(memory.Config{}) // without a sentinel
	c.reconciler = reconcile.New(d, limits)
	c.revoke("goes")
	c.reconcileUntilSettled()
	if got := c.principals(); !slices.Equal(got, []string{rootC}) {
		t.Errorf("let in are %v", got)
	}
	if recorded := c.state().Gateway; recorded.LastError != store.CodeNoListSentinel || recorded.Failures == 0 {
		t.Errorf("recorded: %s after %d failures", recorded.LastError, recorded.Failures)
	}
}

func TestStaleGrantsKeepSelectorAccess(t *testing.T) {
	for name, already := range map[string]bool{"of a new selector": false, "who joined": true} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t)
			c.join("777788889999")
			if already {
				c.grant("selected", "o-exampleorgid")
				c.reconcileUntilSettled()
			}
			done := false
			meanwhile := func() {
				if done {
					return
				}
				done = true // and this run does not know of it
				c.join("444455556666")
				if !already {
					c.grant("selected", "o-exampleorgid")
				}
				c.reconcile()
			}
			h := &hooks{afterPolicy: meanwhile}
			d := c.hooked(h)
			if already {
				h.afterPolicy = nil
				d.Directory = lookedUp{d.Directory, meanwhile}
			}
			if err := c.run(d); err != nil {
				t.Fatal(err)
			}
			c.reconciler.Directory = brokenDirectory{}
			c.reconcile()
			if diff := cmp.Diff([]string{rootB, rootC}, c.principals()); diff != "" {
				t.Errorf("with the directory down: -want +got\n%s", diff)
			}
		})
	}
}

// lookedUp has something happen after each lookup.
type lookedUp struct {
	reconcile.Directory
	after func()
}

func (l lookedUp) Lookup(ctx context.Context, selectors []grant.Principal, accounts []string) (directory.Snapshot, error) {
	snapshot, err := l.Directory.Lookup(ctx, selectors, accounts)
	l.after()
	return snapshot, err
}

// The mark is lost between the state that one run loads and its look at the directory,
// while another run records that there was one.
func TestDirectoryOfAnotherRunIsRemembered(t *testing.T) {
	c := newCloud(t)
	c.join("444455556666")
	c.grant("member", "444455556666")
	c.grant("outside", "999900001111")
	meanwhile := func() {
		c.reconcile()
		c.revoke("member") // the first run has something to write
	}
	d := c.reconciler.Dependencies
	d.Directory = lostMeanwhile(meanwhile)
	if err := c.run(reconcile.New(d, plan.DefaultLimits())); err != nil {
		t.Fatal(err)
	}
	if slices.Contains(c.principals(), rootOutside) {
		t.Errorf("an account outside the organization is let in: %v", c.principals())
	}
}

// lostMeanwhile is a directory that has lost its mark once something else has happened.
type lostMeanwhile func()

func (l lostMeanwhile) Lookup(context.Context, []grant.Principal, []string) (directory.Snapshot, error) {
	l()
	return directory.Snapshot{}, nil
}

func (lostMeanwhile) IsOwner(context.Context, string) (bool, error) {
	return false, errors.New("not asked for")
}

func (brokenDirectory) IsOwner(context.Context, string) (bool, error) {
	return false, errors.New("not asked for")
}
