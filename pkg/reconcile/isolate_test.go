package reconcile_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

func role(i int) string { return fmt.Sprintf("arn:aws:iam::444455556666:role/Agent%03d", i) }

func TestBadPrincipalsAreFoundAmongTheGood(t *testing.T) {
	for _, test := range []struct{ n, k int }{{1, 1}, {2, 1}, {8, 1}, {64, 1}, {64, 3}, {128, 5}, {16, 16}} {
		t.Run(fmt.Sprintf("%d of %d", test.k, test.n), func(t *testing.T) {
			c := newCloud(t)
			c.grant("standing", "777788889999")
			c.reconcile()
			var bad []string
			for i := range test.n {
				c.grant(fmt.Sprintf("g%03d", i), role(i))
				if i%(test.n/test.k) == test.n/test.k-1 && len(bad) < test.k {
					bad = append(bad, role(i))
					c.iam.missing[role(i)] = true
				}
			}
			before := c.gateways.writes
			cut := false
			c.gateways.afterPut = func() error {
				cut = cut || !slices.Contains(c.principals(), rootC)
				return nil
			}
			result := c.reconcileThroughTrials()
			puts := c.gateways.writes - before
			if most := 4 + 2*test.k*int(math.Ceil(math.Log2(float64(test.n))+1)); puts > most {
				t.Errorf("%d puts, more than %d", puts, most)
			}
			if cut || result.Failure != nil {
				t.Errorf("standing access was cut: %t; failure %v", cut, result.Failure)
			}
			if got := len(c.principals()); got != 1+test.n-test.k {
				t.Errorf("%d principals are in", got)
			}
			for i := range test.n {
				status := c.state().Grants[c.key(fmt.Sprintf("g%03d", i))]
				wantReason := grant.Code("")
				if slices.Contains(bad, role(i)) {
					wantReason = grant.CodeQuarantined
				}
				if status.Reason != wantReason {
					t.Errorf("%s: %+v", role(i), status)
				}
			}
		})
	}
}

// reconcileThroughTrials runs until no principal is being looked for any more.
func (c *cloud) reconcileThroughTrials() reconcile.Result {
	c.t.Helper()
	for range 20 {
		result := c.reconcile()
		if result.Failure == nil || result.Failure.Code != reconcile.CodeIsolating {
			return result
		}
		c.now = c.state().Gateway.Due
	}
	c.t.Fatal("the search does not end")
	return reconcile.Result{}
}

func TestQuarantineEndsOncePrincipalExists(t *testing.T) {
	c := newCloud(t)
	c.iam.missing[role(1)] = true
	c.grant("late", role(1))
	c.reconcile()
	first := c.state()
	if got := first.Grants[c.key("late")]; got.Reason != grant.CodeQuarantined {
		t.Fatalf("%+v", got)
	}
	if first.Gateway.Due.Sub(c.now) > 2*time.Minute {
		t.Errorf("tried again only at %s", first.Gateway.Due)
	}
	delete(c.iam.missing, role(1))
	c.now = c.now.Add(3 * time.Minute)
	c.reconcile()
	if diff := cmp.Diff([]string{role(1)}, c.principals()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if left := c.state().Gateway.Refused; len(left) > 0 {
		t.Errorf("still known as refused: %+v", left)
	}
}

func TestQuarantineBacksOff(t *testing.T) {
	c := newCloud(t)
	c.iam.missing[role(1)] = true
	c.grant("never", role(1))
	var waits []time.Duration
	for range 8 {
		c.reconcile()
		next := c.state().Gateway.Refused[role(1)].NextTry
		waits = append(waits, next.Sub(c.now))
		c.now = next
	}
	for i := 1; i < len(waits); i++ {
		if waits[i] < waits[i-1] || waits[i] > time.Hour {
			t.Fatalf("waits %v", waits)
		}
	}
}

func TestDeletedRoleIsHeldUntilApproved(t *testing.T) {
	c := newCloud(t)
	c.grant("agent", role(1))
	c.grant("other", role(2))
	c.reconcile()

	// The role is deleted: AWS shows its unique id, and takes no document with it.
	c.iam.missing[role(1)] = true
	c.grant("third", role(3))
	c.reconcile()
	if diff := cmp.Diff([]string{role(2), role(3)}, c.principals()); diff != "" {
		t.Errorf("after the deletion: -want +got\n%s", diff)
	}
	if got := c.state().Grants[c.key("agent")]; got.Reason != grant.CodeRecreated {
		t.Errorf("the grant is %+v", got)
	}

	// Someone else creates a role of that name: it is not let in by itself, however
	// long one waits.
	delete(c.iam.missing, role(1))
	for range 5 {
		c.now = c.now.Add(2 * time.Hour)
		c.reconcile()
	}
	if slices.Contains(c.principals(), role(1)) {
		t.Error("the new role took over the old one's access")
	}
	if !slices.Contains(c.notices.types(), plan.GrantQuarantined) {
		t.Errorf("notices %v", c.notices.types())
	}
}

func TestRoleByNameSurvivesRecreation(t *testing.T) {
	c := newCloud(t)
	c.iam.missing[role(1)] = true
	c.grant("agent", role(1), "follow", "name")
	c.reconcile()
	if diff := cmp.Diff([]string{"arn:aws:iam::444455556666:root"}, c.principals()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// notPinned keeps roles by name, so that a role that is gone does not show.
func TestSearchFindsBadStandingPrincipal(t *testing.T) {
	c := newCloud(t, "principals-not-pinned")
	for i := range 6 {
		c.grant(fmt.Sprintf("g%d", i), role(i))
	}
	c.reconcile()
	c.iam.missing[role(4)] = true
	c.grant("new", role(7))
	least := 6
	c.gateways.afterPut = func() error { least = min(least, len(c.principals())); return nil }
	if result := c.reconcile(); result.Failure != nil {
		t.Fatal(result.Failure)
	}
	want := []string{role(0), role(1), role(2), role(3), role(5), role(7)}
	if diff := cmp.Diff(want, c.principals()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if least < 5 {
		t.Errorf("only %d principals were in at a time", least)
	}
	if got := c.state().Grants[c.key("g4")]; got.Reason != grant.CodeRecreated {
		t.Errorf("the grant is %+v", got)
	}
}

func TestOnlyRevocationInterruptsGroups(t *testing.T) {
	c := newCloud(t, "principals-not-pinned")
	for i := range 8 {
		c.grant(fmt.Sprintf("g%d", i), role(i))
	}
	c.reconcile()
	c.iam.missing[role(2)], c.iam.missing[role(6)] = true, true
	c.grant("new", role(9))
	result := c.reconcile()
	if result.Failure == nil || result.Failure.Code != reconcile.CodePrincipalRejected || len(c.principals()) != 8 {
		t.Errorf("an addition: %v, %d principals are in", result.Failure, len(c.principals()))
	}

	c.revoke("g0")
	if result := c.reconcileThroughTrials(); result.Failure != nil {
		t.Fatal(result.Failure)
	}
	want := []string{role(1), role(3), role(4), role(5), role(7), role(9)}
	if diff := cmp.Diff(want, c.principals()); diff != "" {
		t.Errorf("a revocation: -want +got\n%s", diff)
	}
	var interrupted []string
	for _, notice := range c.notices.published {
		if detail, ok := notice.Detail.(plan.AppliedDetail); ok {
			interrupted = append(interrupted, detail.Interrupted...)
		}
	}
	if len(interrupted) == 0 {
		t.Error("no notice says who was out meanwhile")
	}
}

func TestRefusedForeignStatementIsNamed(t *testing.T) {
	c := newCloud(t)
	c.putByHand(`{"Sid":"Partner","Effect":"Allow","Principal":{"AWS":"` + role(1) + `"},"Action":"bedrock-agentcore:InvokeGateway","Resource":"GATEWAY"}`)
	c.iam.missing[role(1)] = true
	c.grant("account-b", "444455556666")
	result := c.reconcile()
	if result.Failure == nil || result.Failure.Code != reconcile.CodeBlockedByForeign {
		t.Fatalf("failure %v", result.Failure)
	}
	if state := c.state().Gateway; state.LastError != reconcile.CodeBlockedByForeign || state.Due.IsZero() {
		t.Errorf("recorded %+v", state)
	}
	if len(c.state().Gateway.Refused) > 0 {
		t.Errorf("our own principals were blamed: %v", c.state().Gateway.Refused)
	}
}

func TestRepairsBackOffAfterOverwrites(t *testing.T) {
	c := newCloud(t)
	c.grant("account-b", "444455556666")
	c.reconcile()
	deleteByHand := func() {
		if err := c.gateways.service.DeleteResourcePolicy(owner, c.gateway.ARN()); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		c.now = c.now.Add(time.Minute)
		deleteByHand()
		if result := c.reconcile(); result.Writes == 0 {
			t.Fatal("an overwrite was not repaired")
		}
	}
	if !slices.Contains(c.notices.types(), plan.OverwrittenByOther) {
		t.Errorf("notices %v", c.notices.types())
	}
	deleteByHand()
	result := c.reconcile()
	if result.Writes != 0 || result.Failure == nil || result.Failure.Code != grant.CodeOverwrittenByOther {
		t.Fatalf("%d writes, %v", result.Writes, result.Failure)
	}
	if got := c.state().Grants[c.key("account-b")]; got.Phase != grant.PhaseLeftOut || got.Reason != grant.CodeOverwrittenByOther {
		t.Errorf("the grant is %+v", got)
	}
	for range 3 {
		c.now = c.state().Gateway.Due
		c.reconcile()
	}
	if diff := cmp.Diff([]string{rootB}, c.principals()); diff != "" {
		t.Errorf("in the end: -want +got\n%s", diff)
	}
}

func TestSearchClearsSuspectOfPassingTrouble(t *testing.T) {
	c := newCloud(t, "principals-not-pinned")
	for i := range 4 {
		c.grant(fmt.Sprintf("g%d", i), role(i))
	}
	c.reconcile()
	c.iam.missing[role(3)] = true
	c.grant("new", role(7))
	puts := 0
	c.gateways.beforePut = func() error {
		// The plan, its standing part, and then the part without the first suspect,
		// which is a good one, by when the missing role is back.
		if puts++; puts == 3 {
			delete(c.iam.missing, role(3))
		}
		return nil
	}
	if result := c.reconcile(); result.Failure != nil {
		t.Fatal(result.Failure)
	}
	want := []string{role(0), role(1), role(2), role(3), role(7)}
	if diff := cmp.Diff(want, c.principals()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if held := c.state().Gateway.Refused; len(held) > 0 {
		t.Errorf("held in spite of it: %+v", held)
	}
}

func TestPassingTroubleQuarantinesNone(t *testing.T) {
	for name, test := range map[string]struct {
		quirks  []model.Quirk
		prepare func(c *cloud) (want []string)
		passes  int // it has passed by this put
	}{
		"of two that are new": {nil, func(c *cloud) []string {
			c.grant("g1", role(1))
			c.grant("g2", role(2))
			c.iam.missing[role(1)] = true
			return []string{role(1), role(2)}
		}, 2}, // the plan, and then the first
		"of two that stand while a revocation waits": {[]model.Quirk{"principals-not-pinned"}, func(c *cloud) []string {
			c.grant("g1", role(1))
			c.grant("g2", role(2))
			c.grant("old", role(3))
			c.reconcile()
			c.revoke("old")
			c.iam.missing[role(1)] = true
			return []string{role(1), role(2)}
		}, 3}, // the plan, its standing part, and then the first
	} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t, test.quirks...)
			want := test.prepare(c)
			puts := 0
			c.gateways.beforePut = func() error {
				if puts++; puts == test.passes {
					delete(c.iam.missing, role(1))
				}
				return nil
			}
			c.reconcile()
			if diff := cmp.Diff(want, c.principals()); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if blamed := c.state().Gateway.Refused; len(blamed) > 0 {
				t.Errorf("blamed: %+v", blamed)
			}
		})
	}
}

func TestSearchFindsPrincipalsThatGoBadMeanwhile(t *testing.T) {
	for name, test := range map[string]struct {
		standing, added, missing string
		want                     grant.Code // of the standing one
	}{
		"an account among roles": {rootC, role(1), role(3), grant.CodeQuarantined},
		"a role among accounts":  {role(2), rootC, "arn:aws:iam::888899990000:root", grant.CodeRecreated},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t)
			c.grant("standing", test.standing)
			c.reconcile()
			c.grant("added", test.added)
			c.grant("missing", test.missing)
			c.iam.missing[test.missing] = true
			puts := 0
			c.gateways.beforePut = func() error {
				// The plan, its standing part, and then that with the first addition.
				if puts++; puts == 3 {
					c.iam.missing[test.standing] = true
				}
				return nil
			}
			if result := c.reconcileThroughTrials(); result.Failure != nil {
				t.Fatal(result.Failure)
			}
			if diff := cmp.Diff([]string{test.added}, c.principals()); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			for id, want := range map[string]grant.Code{"standing": test.want, "added": "", "missing": grant.CodeQuarantined} {
				if got := c.state().Grants[c.key(id)]; got.Reason != want {
					t.Errorf("%s: %+v", id, got)
				}
			}
		})
	}
}

func TestUnfinishedSearchKeepsFindings(t *testing.T) {
	c := newCloud(t)
	c.grant("standing", "777788889999")
	c.reconcile()
	for i := range 100 {
		c.grant(fmt.Sprintf("g%03d", i), role(i))
		c.iam.missing[role(i)] = true
	}
	result := c.reconcile()
	if result.Failure == nil || result.Failure.Code != reconcile.CodeIsolating {
		t.Fatalf("failure %v", result.Failure)
	}
	if found := len(c.state().Gateway.Refused); found < 20 {
		t.Errorf("%d of 100 were found", found)
	}
}
