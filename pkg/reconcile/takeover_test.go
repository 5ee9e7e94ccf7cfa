package reconcile_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/store/memory"
)

// restored is the deployment of the same id with empty tables: renamed, made again, or
// a trial beside the real one.
func (c *cloud) restored() *cloud {
	c.t.Helper()
	other := *c
	config := memory.Config{Now: func() time.Time { return c.now }}
	other.grants, other.states = memory.NewGrants(config), memory.NewStates(config)
	if err := other.grants.PutSentinel(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	dependencies := c.reconciler.Dependencies
	other.notices = &notices{t: c.t, schemas: c.notices.schemas}
	dependencies.Grants, dependencies.States, dependencies.Notices = other.grants, other.states, other.notices
	other.reconciler = reconcile.New(dependencies, plan.DefaultLimits())
	return &other
}

// approve lets the deployment take the gateway over, as found.
func (c *cloud) approve(found string) {
	c.t.Helper()
	if err := c.grants.Approve(c.t.Context(), grant.TakeoverOf(c.gateway, found), c.now, "arn:aws:iam::111122223333:role/Admin"); err != nil {
		c.t.Fatal(err)
	}
}

func TestTakeoverWaitsForApproval(t *testing.T) {
	for name, rows := range map[string]map[string]string{
		"a table without rows":        {},
		"a table with some of them":   {"b": "444455556666"},
		"a table with others":         {"c": "888899990000"},
		"a table that says just this": {"b": "444455556666", "d": "777788889999"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t)
			c.grant("b", "444455556666")
			c.grant("d", "777788889999")
			c.reconcile()
			before, writes := c.text(), c.gateways.writes
			other := c.restored()
			for id, principal := range rows {
				other.grant(id, principal)
			}
			var result reconcile.Result
			for range 3 {
				result = other.reconcile()
				c.now = c.now.Add(time.Hour)
			}
			if c.text() != before || c.gateways.writes != writes {
				t.Fatalf("a policy was written: %s", c.text())
			}
			if result.Failure == nil || result.Failure.Code != grant.CodeTakeoverNeeded || result.Plan.TakeoverOf == "" || result.Plan.NotApplied == nil {
				t.Fatalf("reported: %v, %+v", result.Failure, result.Plan.NotApplied)
			}
			if types := other.notices.types(); len(types) != 1 || types[0] != plan.PolicyNotApplied {
				t.Errorf("notices: %v", types)
			}

			other.approve(result.Plan.TakeoverOf)
			other.reconcileUntilSettled()
			var want []string
			for _, principal := range rows {
				want = append(want, "arn:aws:iam::"+principal+":root")
			}
			slices.Sort(want)
			if diff := cmp.Diff(want, other.principals(), cmp.Transformer("nil", func(s []string) string { return strings.Join(s, " ") })); diff != "" {
				t.Errorf("taken over: -want +got\n%s", diff)
			}
			for id := range rows {
				other.revoke(id)
			}
			other.reconcileUntilSettled()
			if in := other.principals(); len(in) > 0 {
				t.Errorf("once it is taken over, a revocation waits: %v", in)
			}
		})
	}
}

func TestTakeoverIsOfWhatWasShown(t *testing.T) {
	for name, test := range map[string]struct {
		reason string
		change func(c, other *cloud)
	}{
		"the statements changed since": {"what was approved was another policy", func(c, _ *cloud) { c.grant("new", "888899990000"); c.reconcile() }},
		"the rows changed since":       {"what was approved would have removed another account", func(_, other *cloud) { other.grant("b", "444455556666") }},
		"a week has passed":            {"a table that is restored brings back old approvals", func(c, _ *cloud) { c.now = c.now.Add(7 * 24 * time.Hour) }},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t)
			c.grant("b", "444455556666")
			c.reconcile()
			other := c.restored()
			other.approve(other.reconcile().Plan.TakeoverOf)
			test.change(c, other)
			other.now = c.now
			before := c.text()
			if result := other.reconcile(); result.Failure == nil || result.Failure.Code != grant.CodeTakeoverNeeded || c.text() != before {
				t.Errorf("%s: %v", test.reason, result.Failure)
			}
		})
	}
}

func TestTakeoverWaitsWhileApprovalIsUnreadable(t *testing.T) {
	c := newCloud(t)
	c.grant("b", "444455556666")
	c.reconcile()
	other := c.restored()
	other.approve(other.reconcile().Plan.TakeoverOf)
	dependencies := other.reconciler.Dependencies
	dependencies.Grants = unreadApprovals{other.grants}
	other.reconciler = reconcile.New(dependencies, plan.DefaultLimits())
	before := c.text()
	if result := other.reconcile(); result.Failure == nil || result.Failure.Code != "ReadFailed" || c.text() != before {
		t.Errorf("an approval that cannot be read: %v", result.Failure)
	}
}

// unreadApprovals cannot read what admins approved.
type unreadApprovals struct{ *memory.Grants }

func (unreadApprovals) Approvals(context.Context, grant.Gateway) (grant.Approvals, error) {
	return nil, &grant.Error{Code: reconcile.CodeReadFailed, Op: "read what admins approved"}
}
