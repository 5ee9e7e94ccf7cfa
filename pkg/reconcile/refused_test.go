package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

// measuring is a reconciler like the cloud's that takes AWS to measure policies so.
func (c *cloud) measuring(accounting plan.Accounting) {
	limits := plan.DefaultLimits()
	limits.Accounting = accounting
	c.reconciler = reconcile.New(c.reconciler.Dependencies, limits)
}

func account(i int) string { return fmt.Sprintf("%012d", i+1) }

func TestFullPolicyUnderEitherAccounting(t *testing.T) {
	for _, test := range []struct {
		reason     string
		quirks     []model.Quirk
		accounting plan.Accounting
		least      int
	}{
		{"AWS measures as the deployment does", nil, plan.SubmittedSize, 1300},
		{"the deployment is careful", nil, plan.ExpandedSize, 600},
		{"the deployment is right to be careful", []model.Quirk{model.SizeExpanded}, plan.ExpandedSize, 600},
		{"the deployment is wrong, and learns it", []model.Quirk{model.SizeExpanded}, plan.SubmittedSize, 600},
	} {
		t.Run(test.reason, func(t *testing.T) {
			c := newCloud(t, test.quirks...)
			c.measuring(test.accounting)
			for i := range 1500 {
				c.grant(fmt.Sprintf("g%04d", i), account(i))
			}
			c.reconcileUntilSettled()
			if got := len(c.principals()); got < test.least {
				t.Fatalf("only %d are let in", got)
			}
			admitted, full := 0, 0
			for _, status := range c.state().Grants {
				switch {
				case status.Phase == grant.PhaseAdmitted:
					admitted++
				case status.Reason == grant.CodePolicyFull:
					full++
				}
			}
			if admitted != len(c.principals()) || admitted+full != 1500 {
				t.Errorf("%d are let in, %d are Admitted, and %d PolicyFull", len(c.principals()), admitted, full)
			}

			c.revoke("g0000")
			c.reconcileUntilSettled()
			if slices.Contains(c.principals(), "arn:aws:iam::000000000001:root") {
				t.Error("who was revoked is still let in")
			}
			writes := c.gateways.writes
			c.reconcile()
			if c.gateways.writes != writes {
				t.Error("what was settled is tried again")
			}
		})
	}
}

// picky is an AWS that refuses documents with a principal, and does not say so.
type picky struct {
	*gateways
	principal string
}

func (p picky) PutPolicy(ctx context.Context, gateway grant.Gateway, document *policy.Document) error {
	if strings.Contains(document.String(), p.principal) {
		return &grant.Error{Code: reconcile.CodeInvalidPolicy, Op: "put the resource policy", Err: errors.New("it does not please")}
	}
	return p.gateways.PutPolicy(ctx, gateway, document)
}

func TestUnexpectedSizeQuarantinesNone(t *testing.T) {
	c := newCloud(t, model.SizeExpanded)
	c.measuring(plan.SubmittedSize)
	for i := range 600 {
		c.grant(fmt.Sprintf("g%03d", i), account(i))
	}
	c.reconcileUntilSettled()
	for i := range 60 {
		c.grant(fmt.Sprintf("role%02d", i), role(i))
	}
	c.iam.missing[role(59)] = true // the search for it meets the limit
	c.reconcileUntilSettled()
	for i := range 59 {
		if got := c.state().Grants[c.key(fmt.Sprintf("role%02d", i))]; got.Reason != "" && got.Reason != grant.CodePolicyFull {
			t.Fatalf("role %d: %+v", i, got)
		}
	}
}

func TestUnexplainedRefusalIsolatesOnePrincipal(t *testing.T) {
	c := newCloud(t)
	d := c.reconciler.Dependencies
	d.Gateways = picky{c.gateways, role(1)}
	c.reconciler = reconcile.New(d, plan.DefaultLimits())
	c.grant("old", role(0))
	c.reconcile()
	c.revoke("old")
	for i := range 5 {
		c.grant(fmt.Sprintf("g%d", i), role(i+1))
	}
	if result := c.reconcile(); result.Failure != nil {
		t.Fatal(result.Failure)
	}
	if diff := cmp.Diff([]string{role(2), role(3), role(4), role(5)}, c.principals()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	status := c.state().Grants[c.key("g0")]
	if status.Reason != grant.CodePolicyRefused || !strings.Contains(status.Message, role(1)) || !c.state().Gateway.Due.After(c.now) {
		t.Errorf("%+v", status)
	}
}

func TestUnappliedGrantHasReason(t *testing.T) {
	for _, code := range []grant.Code{reconcile.CodeThrottled, reconcile.CodeAccessDenied, reconcile.CodeBusy, reconcile.CodeUnknown} {
		c := newCloud(t)
		c.grant("standing", "777788889999")
		c.reconcile()
		c.grant("new", "444455556666")
		c.revoke("standing")
		c.grant("standing-too", "777788889999")
		c.gateways.beforePut = func() error { return &grant.Error{Code: code, Op: "put the resource policy", Hint: "test"} }
		c.reconcile()
		statuses := c.state().Grants
		if got := statuses[c.key("new")]; got.Phase != grant.PhaseLeftOut || got.Reason != code || !strings.Contains(got.Message, "test") {
			t.Errorf("%s: who is new is %+v", code, got)
		}
		if got := statuses[c.key("standing-too")]; got.Phase != grant.PhaseAdmitted {
			t.Errorf("%s: who is in force is %+v", code, got)
		}
		c.gateways.beforePut = nil
		c.reconcile()
		if got := c.state().Grants[c.key("new")]; got.Phase != grant.PhaseAdmitted || got.Reason != "" {
			t.Errorf("%s, and then it went well: %+v", code, got)
		}
	}
}

func TestSearchRereadsAfterLostAnswer(t *testing.T) {
	c := newCloud(t)
	for i := range 8 {
		c.grant(fmt.Sprintf("g%d", i), role(i))
	}
	c.iam.missing[role(7)] = true
	c.gateways.afterPut = once(reconcile.CodeUnknownOutcome)
	result := c.reconcile()
	if result.Failure != nil || len(c.principals()) != 7 {
		t.Errorf("failure %v, and %d are let in", result.Failure, len(c.principals()))
	}
}

func TestFailedRetryPublishesNothing(t *testing.T) {
	c := newCloud(t)
	c.grant("standing", "777788889999")
	c.grant("missing", role(1))
	c.iam.missing[role(1)] = true
	c.reconcile()
	published := len(c.notices.published)
	since := c.state().Grants[c.key("missing")].Since
	for range 3 {
		c.now = c.state().Gateway.Refused[role(1)].NextTry
		if result := c.reconcile(); result.Writes != 0 || !result.Applied.IsZero() {
			t.Errorf("%d writes, applied at %s", result.Writes, result.Applied)
		}
	}
	if more := c.notices.published[published:]; len(more) > 0 {
		t.Errorf("notices: %+v", more)
	}
	if got := c.state().Grants[c.key("missing")].Since; !got.Equal(since) {
		t.Errorf("left out since %s, and now since %s", since, got)
	}
}

func TestUntaggedDuringRunKeepsAccess(t *testing.T) {
	c := newCloud(t)
	c.grant("account-b", "444455556666")
	c.gateways.afterPut = func() error {
		return c.gateways.service.UntagResource(owner, c.gateway.ARN(), []string{plan.ManagedTag})
	}
	result := c.reconcile()
	if result.Failure == nil || result.Failure.Code != grant.CodeNotManaged || !result.Applied.IsZero() {
		t.Errorf("failure %v, applied at %s", result.Failure, result.Applied)
	}
	for _, notice := range c.notices.published {
		if detail, ok := notice.Detail.(plan.AppliedDetail); ok && len(detail.Removed) > 0 {
			t.Errorf("Removed is %v", detail.Removed)
		}
	}
}

func TestSearchStopsBeforeDeadline(t *testing.T) {
	c := newCloud(t)
	c.grant("standing", "777788889999")
	c.reconcile()
	c.grant("missing", role(1))
	c.iam.missing[role(1)] = true
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	result, err := c.reconciler.Reconcile(ctx, c.gateway, reconcile.Cause{Text: "test"})
	if err != nil || result.Failure == nil || result.Failure.Code != reconcile.CodeIsolating {
		t.Fatalf("failure %v, %v", result.Failure, err)
	}
	if got := c.state(); got.Gateway.Due.Sub(c.now) != time.Minute || got.Grants[c.key("missing")].Reason != reconcile.CodeIsolating {
		t.Errorf("recorded %+v", got)
	}
}

func TestUnfinishedSearchReportsInterrupted(t *testing.T) {
	c := newCloud(t, model.PrincipalsNotPinned)
	for i := range 120 {
		c.grant(fmt.Sprintf("g%03d", i), role(i))
	}
	c.reconcile()
	for i := range 40 {
		c.iam.missing[role(i*3)] = true
	}
	c.revoke("g001")
	result := c.reconcile()
	if result.Failure == nil || result.Failure.Code != reconcile.CodeIsolating {
		t.Fatalf("failure %v", result.Failure)
	}
	in := c.principals()
	for i := range 120 {
		status := c.state().Grants[c.key(fmt.Sprintf("g%03d", i))]
		if admitted := status.Phase == grant.PhaseAdmitted; i != 1 && admitted != slices.Contains(in, role(i)) {
			t.Errorf("%s is let in: %t, and is %+v", role(i), !admitted, status)
		}
	}
	interrupted := 0
	for _, notice := range c.notices.published {
		if detail, ok := notice.Detail.(plan.AppliedDetail); ok {
			interrupted = max(interrupted, len(detail.Interrupted))
		}
	}
	if interrupted == 0 {
		t.Error("no notice says so")
	}
}

func TestSearchJournalHasEachReplacedPolicy(t *testing.T) {
	c := newCloud(t)
	c.grant("standing", "777788889999")
	c.reconcile()
	for i := range 4 {
		c.grant(fmt.Sprintf("g%d", i), role(i))
	}
	c.iam.missing[role(3)] = true
	c.reconcile()
	entries, err := c.states.History(t.Context(), c.gateway, 100)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(entries)
	for n := 1; n < len(entries); n++ {
		if entries[n].Observed != entries[n-1].Written {
			t.Errorf("entry %d found %s, and the one before wrote %s", n, entries[n].Observed, entries[n-1].Written)
		}
	}
	last := entries[len(entries)-1]
	if applied := c.state().Gateway.AppliedHash; last.PlanHash != applied {
		t.Errorf("the last was written under %s, and applied is %s", last.PlanHash, applied)
	}
}

func TestFailureKeepsWriteInFlightOfAnotherRun(t *testing.T) {
	c := newCloud(t)
	c.grant("account-b", "444455556666")
	mark := ledger.BeginWrite{Until: c.now.Add(4 * time.Minute), Hash: "of another run"}
	marked := false
	h := &hooks{
		beforePut: func() error { return &grant.Error{Code: reconcile.CodeThrottled, Op: "test"} },
		beforeRecord: func() error {
			if marked {
				return nil
			}
			marked = true
			return c.update(mark)
		},
	}
	if err := c.run(c.hooked(h)); err != nil {
		t.Fatal(err)
	}
	if got := c.state().Gateway.InFlightUntil; !got.Equal(mark.Until) {
		t.Errorf("the write is in flight until %s", got)
	}
}

func TestSearchUnderStaleReadsTakesNoMorePuts(t *testing.T) {
	c := newCloud(t, model.PolicyReadsStale)
	c.grant("standing", "777788889999")
	c.grant("old", "888899990000")
	c.reconcileUntilSettled()
	c.revoke("old")
	for i := range 64 {
		c.grant(fmt.Sprintf("g%02d", i), role(i))
	}
	for _, i := range []int{5, 30, 60} {
		c.iam.missing[role(i)] = true
	}
	before := c.gateways.writes
	c.reconcileUntilSettled()
	if puts := c.gateways.writes - before; puts > 60 {
		t.Errorf("%d puts", puts)
	}
	if got := len(c.principals()); got != 1+61 {
		t.Errorf("%d are let in", got)
	}
}

func TestIsolationUnderQuirks(t *testing.T) {
	eachQuirk(t, func(c *cloud) {
		c.putByHand(foreignReader)
		c.now = c.now.Add(time.Minute) // a statement that AWS does not show yet cannot be kept
		for i := range 20 {
			c.grant(fmt.Sprintf("g%02d", i), role(i))
		}
		c.grant("account-d", "555566667777")
		c.iam.missing[role(3)], c.iam.missing[role(17)] = true, true
		c.settleFor(2)
		c.expect(18, "in spite of two that do not exist")

		c.revoke("g05")
		c.iam.missing[role(7)] = true // a role that stands is deleted
		c.grant("new", role(30))
		c.settleFor(3)
		c.expect(17, "after a revocation, a deletion and an addition")

		delete(c.iam.missing, role(3))
		delete(c.iam.missing, role(7))
		c.iam.recreated[role(7)] = true // someone else has created one of its name
		c.settleFor(5)
		c.expect(18, "once one exists, and another was created again")
		for id, want := range map[string]grant.Code{"g03": "", "g07": grant.CodeRecreated, "g17": grant.CodeQuarantined} {
			if got := c.state().Grants[c.key(id)].Reason; got != want {
				c.t.Errorf("%s is left out because of %q, want %q", id, got, want)
			}
		}
		writes := c.gateways.writes
		c.now = c.state().Gateway.Refused[role(17)].NextTry.Add(-time.Minute)
		c.reconcile()
		if c.gateways.writes != writes {
			c.t.Error("what was settled is written again")
		}
	})
}

// expect holds the policy to the number of roles that it lets in, the account, and
// the statement of others, and the statuses to the policy.
func (c *cloud) expect(roles int, when string) {
	c.t.Helper()
	in := c.principals()
	for _, root := range []string{rootC, "arn:aws:iam::555566667777:root"} {
		if !slices.Contains(in, root) {
			c.t.Errorf("%s: %s is out", when, root)
		}
	}
	if got := len(in) - 2; got != roles {
		c.t.Errorf("%s: %d roles are let in, want %d", when, got, roles)
	}
	for key, status := range c.state().Grants {
		for _, arn := range status.Admitted {
			if !slices.Contains(in, arn) {
				c.t.Errorf("%s: %s is Admitted for %s", when, key.ID, arn)
			}
		}
	}
}
