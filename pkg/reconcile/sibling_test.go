package reconcile_test

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/store/memory"
)

// deployment is another deployment for the same gateway: with tables of its own, and
// with an installation id that may be its own or the same. Each has recorded the
// gateway, so that neither has to take it over.
func (c *cloud) deployment(installation string) *cloud {
	c.t.Helper()
	other := *c
	config := memory.Config{Now: func() time.Time { return c.now }}
	other.grants, other.accounts, other.states = memory.NewGrants(config), memory.NewAccounts(config), memory.NewStates(config)
	if err := errors.Join(other.grants.PutSentinel(c.t.Context()), other.accounts.PutListSentinels(c.t.Context())); err != nil {
		c.t.Fatal(err)
	}
	limits := plan.DefaultLimits()
	limits.Installation = installation
	other.notices = &notices{t: c.t, schemas: c.notices.schemas}
	other.reconciler = reconcile.New(reconcile.Dependencies{
		Gateways: other.gateways, Grants: other.grants, Directory: other.accounts, States: other.states, Notices: other.notices,
		Now: config.Now, Log: slog.New(slog.DiscardHandler),
	}, limits)
	c.reconcile()
	other.reconcile()
	other.notices.published = nil
	return &other
}

// bothStand has statements of the two installations in one policy, as earlier versions
// of the product made it.
func (c *cloud) bothStand(statements string) {
	c.t.Helper()
	c.reconcile()
	c.putByHand(statements)
	c.reconcile()
}

const (
	ofMain = `{"Sid":"GatewayGrantsmainX0123456789ab","Effect":"Allow","Principal":{"AWS":PRINCIPAL},"Action":"bedrock-agentcore:InvokeGateway","Resource":"GATEWAY"}`
	ofDev2 = `{"Sid":"GatewayGrantsdev2X0123456789ab","Effect":"Allow","Principal":{"AWS":PRINCIPAL},"Action":"bedrock-agentcore:InvokeGateway","Resource":"GATEWAY"}`
)

// naming has a statement name the principals.
func naming(statement string, principals ...string) string {
	return strings.Replace(statement, "PRINCIPAL", `["`+strings.Join(principals, `","`)+`"]`, 1)
}

func TestSecondInstallationWaitsForFirst(t *testing.T) {
	c := newCloud(t)
	c.grant("b", "444455556666")
	c.reconcile()
	dev2 := c.deployment("dev2")
	dev2.grant("c", "777788889999")
	result := dev2.reconcile()
	if result.Writes != 0 || result.Failure == nil || result.Failure.Code != grant.CodeOtherInstallation {
		t.Fatalf("beside main: %d writes, %v", result.Writes, result.Failure)
	}
	if got := dev2.state(); got.Grants[c.key("c")].Reason != grant.CodeOtherInstallation || got.Gateway.LastError != grant.CodeOtherInstallation {
		t.Errorf("recorded: %+v", got)
	}
	if again := dev2.reconcile(); again.Writes != 0 || !dev2.state().Gateway.Due.IsZero() {
		t.Errorf("at rest: %d writes, due %s", again.Writes, dev2.state().Gateway.Due)
	}
	c.revoke("b")
	c.reconcile()
	dev2.reconcileUntilSettled()
	if diff := cmp.Diff([]string{rootC}, c.principals()); diff != "" {
		t.Errorf("after main has detached from it: -want +got\n%s", diff)
	}
}

func TestConcurrentInstallationsNeverBothStand(t *testing.T) {
	c := newCloud(t)
	dev2 := c.deployment("dev2")
	c.grant("b", "444455556666")
	dev2.grant("c", "777788889999")
	first := true
	c.gateways.beforePut = func() error { // dev2 writes after main has read, and before it writes
		if first {
			first = false
			dev2.reconcile()
		}
		return nil
	}
	for range 4 {
		c.reconcile()
		dev2.reconcile()
		if got := c.principals(); len(got) != 1 {
			t.Fatalf("let in are %v", got)
		}
	}
}

func TestTwoInstallationsOnlyRemove(t *testing.T) {
	c := newCloud(t)
	dev2 := c.deployment("dev2")
	c.grant("b", "444455556666")
	c.grant("new", role(1))
	dev2.grant("c", "777788889999")
	dev2.grant("new", role(2))
	c.bothStand(naming(ofMain, rootB) + "," + naming(ofDev2, rootC))
	dev2.reconcile()
	if diff := cmp.Diff([]string{rootB, rootC}, c.principals()); diff != "" {
		t.Errorf("both: -want +got\n%s", diff)
	}
	c.revoke("b")
	c.reconcile()
	if diff := cmp.Diff([]string{rootC}, c.principals()); diff != "" {
		t.Errorf("after main's revocation: -want +got\n%s", diff)
	}
	dev2.reconcileUntilSettled()
	dev2.revoke("c")
	dev2.reconcile()
	if got := c.principals(); !slices.Equal(got, []string{role(2)}) {
		t.Errorf("dev2 has the gateway for itself, and let in are %v", got)
	}
}

func TestUniqueIDOfSiblingIsLeftToIt(t *testing.T) {
	c := newCloud(t)
	dev2 := c.deployment("dev2")
	c.grant("b", "444455556666")
	c.grant("old", "888899990000")
	dev2.grant("agent", role(1))
	c.bothStand(naming(ofMain, rootB, "arn:aws:iam::888899990000:root") + "," + naming(ofDev2, role(1)))
	dev2.reconcile()
	c.iam.missing[role(1)] = true
	c.revoke("old")
	result := c.reconcile()
	if result.Failure == nil || result.Failure.Code != reconcile.CodeBlockedByForeign || !strings.Contains(result.Failure.Hint, "installation dev2 takes out") {
		t.Fatalf("main: %v", result.Failure)
	}
	if !slices.ContainsFunc(c.principals(), policy.IsUniqueID) {
		t.Errorf("main touched the sibling's unique id: %v", c.principals())
	}
	dev2.reconcile()
	c.now = c.state().Gateway.Due
	c.reconcile()
	if diff := cmp.Diff([]string{rootB}, c.principals()); diff != "" {
		t.Errorf("in the end: -want +got\n%s", diff)
	}
	if got := dev2.state().Grants[c.key("agent")]; got.Reason != grant.CodeRecreated {
		t.Errorf("dev2's grant is %+v", got)
	}
}

func TestTwoInstallationsReportDeletedRole(t *testing.T) {
	c := newCloud(t)
	dev2 := c.deployment("dev2")
	c.grant("agent", role(1))
	dev2.grant("agent", role(1))
	c.bothStand(naming(ofMain, role(1), rootB) + "," + naming(ofDev2, role(1)))
	dev2.reconcile()
	c.iam.missing[role(1)] = true
	for name, each := range map[string]*cloud{"main": c, "dev2": dev2} {
		result := each.reconcile()
		if result.Failure == nil || result.Failure.Code != reconcile.CodeBlockedByForeign || !strings.Contains(result.Failure.Hint, "by hand") {
			t.Errorf("%s: %v", name, result.Failure)
		}
	}
	c.putByHand(naming(ofMain, rootB)) // as the hint says
	c.reconcileUntilSettled()
	if got := c.principals(); len(got) > 0 {
		t.Errorf("in the end let in are %v", got)
	}
}

func TestForeignStatementOfDeletedRoleIsNamed(t *testing.T) {
	partner := `{"Sid":"Partner","Effect":"Allow","Principal":{"AWS":"` + role(1) + `"},"Action":"bedrock-agentcore:InvokeGateway","Resource":"GATEWAY"}`
	for name, standing := range map[string]int{"one": 1, "three": 3, "more than one run can leave out": 60} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t, "principals-not-pinned")
			c.putByHand(partner)
			for i := range standing {
				c.grant("g"+role(i)[len(role(i))-3:], role(10+i))
			}
			c.reconcile()
			c.iam.missing[role(1)] = true
			c.grant("new", "444455556666")
			least := standing
			c.gateways.afterPut = func() error { least = min(least, len(c.principals())-1); return nil }
			var result reconcile.Result
			for range 4 {
				result = c.reconcile()
				c.now = c.state().Gateway.Due
			}
			if result.Failure == nil || result.Failure.Code != reconcile.CodeBlockedByForeign || !strings.Contains(result.Failure.Hint, "statement Partner") {
				t.Errorf("failure %v", result.Failure)
			}
			if got := c.state().Grants[c.key("new")]; got.Reason != reconcile.CodeBlockedByForeign {
				t.Errorf("the new grant is %+v", got)
			}
			if refused := c.state().Gateway.Refused; least < standing || len(refused) > 0 {
				t.Errorf("only %d of %d were in at a time, blamed %v", least, standing, refused)
			}
			delete(c.iam.missing, role(1))
			c.reconcile()
			if got := c.principals(); !slices.Contains(got, rootB) {
				t.Errorf("once the role is back: %v", got)
			}
		})
	}
}

func TestSearchFindsTwoBadStandingPrincipals(t *testing.T) {
	c := newCloud(t, "principals-not-pinned")
	for i := range 4 {
		c.grant("g"+role(i)[len(role(i))-3:], role(i))
	}
	c.reconcile()
	c.iam.missing[role(1)], c.iam.missing[role(3)] = true, true
	c.grant("new", "444455556666")
	if result := c.reconcile(); result.Failure != nil {
		t.Fatal(result.Failure)
	}
	if diff := cmp.Diff([]string{role(0), role(2), rootB}, c.principals()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestSameInstallationIDBacksOff(t *testing.T) {
	c := newCloud(t)
	other := c.deployment("main")
	c.grant("b", "444455556666")
	other.grant("c", "777788889999")
	for range 60 { // a minute each
		c.reconcile()
		other.reconcile()
		c.now = c.now.Add(time.Minute)
	}
	if c.gateways.writes > 20 {
		t.Errorf("%d puts in an hour", c.gateways.writes)
	}
	var published []string
	for _, notice := range slices.Concat(c.notices.published, other.notices.published) {
		if detail, ok := notice.Detail.(plan.OverwrittenDetail); ok {
			published = append(published, detail.Likely)
		}
	}
	if len(published) == 0 || !strings.Contains(published[0], "another deployment with the same installation id, main") {
		t.Errorf("notices named %q", published)
	}
}

func TestBackOffDoesNotHoldRevocation(t *testing.T) {
	for name, end := range map[string]func(c *cloud){
		"its row is deleted":  func(c *cloud) { c.revoke("b") },
		"its row is narrowed": func(c *cloud) { c.grant("b", role(1)) },
		"its row has expired": func(*cloud) {},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t)
			other := c.deployment("main")
			other.grant("c", "777788889999")
			other.grant("b", "444455556666")
			c.grant("b", "444455556666", "expires", c.now.Add(30*time.Minute).Format(time.RFC3339))
			for c.state().Gateway.BackOffUntil().IsZero() {
				other.reconcile()
				c.reconcile()
				c.now = c.now.Add(time.Minute)
			}
			other.reconcile()
			before := c.gateways.writes
			if result := c.reconcile(); result.Failure == nil || result.Failure.Code != grant.CodeOverwrittenByOther || c.gateways.writes != before {
				t.Fatalf("others overwrite its statements, and yet: %v", result.Failure)
			}
			if name == "its row has expired" {
				c.now = c.now.Add(time.Hour)
				other.reconcile()
			}
			end(c)
			c.reconcile()
			if got := c.principals(); slices.Contains(got, rootB) {
				t.Errorf("let in still: %v", got)
			}
			if c.gateways.writes == before {
				t.Error("nothing was written")
			}
		})
	}
}

func TestRevocationAfterCrashIsNotHeld(t *testing.T) {
	c := newCloud(t)
	other := c.deployment("main")
	other.grant("c", "777788889999")
	c.grant("b", "444455556666")
	for c.state().Gateway.BackOffUntil().IsZero() {
		other.reconcile()
		c.reconcile()
		c.now = c.now.Add(time.Minute)
	}
	c.grant("new", "888899990000")
	other.reconcile() // so that there is something to write over
	h := &hooks{beforeRecord: func() error { return errCrash }}
	if err := c.run(c.hooked(h)); !errors.Is(err, errCrash) {
		t.Fatalf("it ended with %v", err)
	}
	const added = "arn:aws:iam::888899990000:root"
	if got := c.principals(); !slices.Contains(got, added) {
		t.Fatalf("the crashed run let in %v", got)
	}
	document, err := c.gateways.Policy(t.Context(), c.gateway)
	if err != nil {
		t.Fatal(err)
	}
	c.putByHand(document.Statements[0].String() + "," + naming(ofMain, rootC)) // and others change it
	c.revoke("new")
	c.reconcile()
	if got := c.principals(); slices.Contains(got, added) {
		t.Errorf("let in still: %v", got)
	}
}
