package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// The interleavings in here were found by the simulation.

func TestRecreatedRoleIsHeldBeforeFirstPass(t *testing.T) {
	c := newCloud(t)
	c.grant("agent", role(1))
	c.grant("other", role(2))
	c.reconcile()
	c.iam.recreated[role(1)] = true
	for range 3 {
		c.reconcile()
		if diff := cmp.Diff([]string{role(2)}, c.principals()); diff != "" {
			t.Fatalf("-want +got\n%s", diff)
		}
		c.now = c.now.Add(3 * time.Minute)
	}
	if got := c.state().Grants[c.key("agent")]; got.Reason != grant.CodeRecreated {
		t.Errorf("the grant is %+v", got)
	}
}

func TestRecreatedRoleIsHeldAfterCrash(t *testing.T) {
	for name, crash := range map[string]func(c *cloud) *hooks{
		"after it took the unique id out": func(c *cloud) *hooks {
			c.reconcile()
			c.iam.recreated[role(1)] = true
			return &hooks{beforeRecord: func() error { return errCrash }, beforePut: func() error {
				if c.gateways.writes > 1 {
					return errCrash // the second pass
				}
				return nil
			}}
		},
		"before it recorded which accounts it let in": func(c *cloud) *hooks {
			return &hooks{beforeRecord: func() error {
				c.iam.recreated[role(1)] = true
				return errCrash
			}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t)
			c.grant("agent", role(1))
			if err := c.run(c.hooked(crash(c))); !errors.Is(err, errCrash) {
				t.Fatalf("it ended with %v", err)
			}
			c.reconcile()
			if got := c.principals(); len(got) > 0 {
				t.Errorf("let in: %v", got)
			}
		})
	}
}

func TestMarksOfOtherRunsAreKept(t *testing.T) {
	c := newCloud(t)
	c.grant("account-b", "444455556666")
	c.reconcile()
	c.now = c.now.Add(3 * time.Minute)
	mark := ledger.BeginWrite{Until: c.now.Add(2 * time.Minute), Hash: "of another run", WriteAhead: ledger.WriteAhead{
		Selected: map[string][]string{"o-exampleorgid": {"777788889999"}},
	}}
	marked := false
	h := &hooks{beforeRecord: func() error {
		if marked {
			return nil
		}
		marked = true
		return c.update(mark)
	}}
	if err := c.run(c.hooked(h)); err != nil {
		t.Fatal(err)
	}
	if got := c.state().Gateway; !marked || !got.Due.Equal(mark.Until) || got.PendingHash != mark.Hash {
		t.Errorf("recorded %+v", got)
	}
}

func TestOverdueGatewayIsDueDuringWrite(t *testing.T) {
	c := newCloud(t)
	c.grant("account-b", "444455556666")
	c.reconcile() // due in two minutes
	c.now = c.now.Add(3 * time.Minute)
	mark := ledger.BeginWrite{Until: c.now.Add(2 * time.Minute), Hash: "of another run"}
	if err := c.update(mark); err != nil {
		t.Fatal(err)
	}
	c.reconcile()
	if got := c.state().Gateway.Due; !got.Equal(mark.Until) {
		t.Errorf("due %s, want %s", got, mark.Until)
	}
	c.now = mark.Until
	c.reconcile()
	if got := c.state().Gateway; !got.Due.IsZero() || got.PendingHash != "" {
		t.Errorf("once looked at: %+v", got)
	}
}

func TestWriteAheadIsSeenWithTheWrite(t *testing.T) {
	c := newCloud(t)
	c.join("444455556666", "777788889999")
	c.grant("all", "o-exampleorgid")
	h, down := &hooks{}, false
	h.afterPolicy = func() {
		if !down { // the other run is done by the time that this one goes on
			down = true
			c.reconcile()
		}
	}
	r := c.hooked(h)
	r.Directory = brokenDirectory{}
	for range 2 {
		if err := c.run(r); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{rootB, rootC}, c.principals()); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	}
}

// join lists accounts as the whole organization.
func (c *cloud) join(accounts ...string) {
	c.t.Helper()
	for _, id := range accounts {
		account := directory.Account{ID: id, State: directory.StateActive, Organization: "o-exampleorgid", ReadAt: c.now}
		if _, err := c.accounts.Write(c.t.Context(), account); err != nil {
			c.t.Fatal(err)
		}
	}
	if err := c.accounts.MarkSynced(c.t.Context(), c.now); err != nil {
		c.t.Fatal(err)
	}
}

func TestDirectoryDownKeepsEditedGrantAndHold(t *testing.T) {
	c := newCloud(t)
	c.join("444455556666", "777788889999")
	c.grant("edited", "777788889999")
	c.grant("agent", role(1))
	c.reconcile()
	c.iam.recreated[role(1)] = true
	c.reconcile()

	working := c.reconciler.Directory
	c.reconciler.Directory = brokenDirectory{}
	c.grant("edited", "777788889999", "conditions", map[string]any{"sourceVpce": []any{"vpce-0123456789abcdef0"}})
	c.reconcile()
	if diff := cmp.Diff([]string{rootC}, c.principals()); diff != "" {
		t.Errorf("while it is down: -want +got\n%s", diff)
	}
	c.reconciler.Directory = working
	c.reconcile()
	if diff := cmp.Diff([]string{rootC}, c.principals()); diff != "" {
		t.Errorf("when it is back: -want +got\n%s", diff)
	}
}

// AWS may answer with an older policy more than once, so to read it again before a role
// is held is not enough.
func TestPolicyReadOutdatedTwiceHoldsNoNewRole(t *testing.T) {
	c := newCloud(t)
	c.grant("gone", role(1))
	c.reconcile()
	c.iam.recreated[role(1)] = true
	c.grant("new", role(2))
	d := c.reconciler.Dependencies
	d.Gateways = &outdatedTwice{Gateways: d.Gateways, meanwhile: func() { c.reconcile() }}
	if err := c.run(reconcile.New(d, plan.DefaultLimits())); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{role(2)}, c.principals()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// outdatedTwice answers the second read of the policy as the first, whatever happens in
// between.
type outdatedTwice struct {
	reconcile.Gateways
	meanwhile func()
	reads     int
	first     *policy.Document
}

func (o *outdatedTwice) Policy(ctx context.Context, g grant.Gateway) (_ *policy.Document, err error) {
	switch o.reads++; o.reads {
	case 1:
		o.first, err = o.Gateways.Policy(ctx, g)
		o.meanwhile()
		return o.first, err
	case 2:
		return o.first, nil
	default:
		return o.Gateways.Policy(ctx, g)
	}
}

func TestRefusedForeignStatementBlocksRevocation(t *testing.T) {
	c := newCloud(t)
	c.grant("account-b", "444455556666")
	c.putByHand(`{"Sid":"Partner","Effect":"Allow","Principal":{"AWS":"` + role(1) + `"},"Action":"bedrock-agentcore:InvokeGateway","Resource":"GATEWAY"}`)
	c.reconcile()
	c.iam.missing[role(1)] = true
	c.revoke("account-b")
	if result := c.reconcile(); result.Failure == nil || result.Failure.Code != reconcile.CodeBlockedByForeign {
		t.Errorf("failure %v", result.Failure)
	}
}

func TestSearchKeepsRespelledForeignStatement(t *testing.T) {
	c := newCloud(t)
	statement := `{"Sid":"Partner","Effect":"Allow","Principal":{"AWS":%s},"Action":"bedrock-agentcore:InvokeGateway","Resource":"GATEWAY"}`
	scalar, list := fmt.Sprintf(statement, `"`+rootC+`"`), fmt.Sprintf(statement, `["`+rootC+`"]`)
	c.putByHand(scalar)
	c.grant("good", role(1))
	c.grant("bad", role(2))
	c.iam.missing[role(2)] = true
	puts := 0
	c.gateways.beforePut = func() error {
		if puts++; puts == 1 { // refused as a whole, and then changed by hand
			defer c.putByHand(list)
			return &grant.Error{Code: reconcile.CodePrincipalRejected, Op: "test"}
		}
		return nil
	}
	c.reconcile()
	text, err := c.gateways.service.GetResourcePolicy(owner, c.gateway.ARN())
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.ReplaceAll(list, "GATEWAY", c.gateway.ARN()); !strings.Contains(text, want) {
		t.Errorf("%s is not in %s", want, text)
	}
}

func TestHoldOfAnotherRunIsKept(t *testing.T) {
	c := newCloud(t)
	c.iam.missing[role(1)] = true
	c.grant("agent", role(1))
	held := ledger.BeginWrite{Held: map[string]ledger.Refusal{role(1): {Code: grant.CodeRecreated, Since: c.now}}}
	put := false
	h := &hooks{beforePut: func() error {
		if put {
			return nil
		}
		put = true // this run is about to learn only that AWS refuses the role
		return c.update(held)
	}}
	if err := c.run(c.hooked(h)); err != nil {
		t.Fatal(err)
	}
	if got := c.state().Gateway.Refused[role(1)]; !got.Held() {
		t.Errorf("recorded %+v", got)
	}
}

func TestPrincipalsInFlightStayKnown(t *testing.T) {
	c := newCloud(t)
	c.grant("agent", role(1))
	c.reconcile()
	h := &hooks{beforePut: func() error {
		c.revoke("agent") // another run neither sees this one's write nor wants it
		c.reconcile()
		c.grant("agent", role(1))
		return nil
	}}
	if err := c.gateways.service.DeleteResourcePolicy(owner, c.gateway.ARN()); err != nil {
		t.Fatal(err)
	}
	h.beforeRecord = func() error { return errCrash }
	if err := c.run(c.hooked(h)); !errors.Is(err, errCrash) {
		t.Fatalf("it ended with %v", err)
	}
	c.iam.recreated[role(1)] = true
	c.reconcile()
	if got := c.principals(); len(got) > 0 {
		t.Errorf("let in: %v", got)
	}
}

func TestRoleBeingLetInIsNotHeld(t *testing.T) {
	for name, revoked := range map[string]bool{"whose grant stands": false, "whose grant is revoked": true} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t)
			c.grant("gone", role(1))
			c.reconcile()
			c.iam.recreated[role(1)] = true
			if revoked {
				c.revoke("gone")
			}
			c.grant("new", role(2))
			done := false
			h := &hooks{beforePut: func() error {
				if !done { // another run finds the unique id, and this one's mark
					done = true
					c.reconcile()
				}
				return nil
			}}
			if err := c.run(c.hooked(h)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{role(2)}, c.principals()); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestRecreatedRoleIsHeldBesideKnownUniqueID(t *testing.T) {
	c := newCloud(t)
	c.grant("agent", role(1))
	unrecorded := &hooks{beforeRecord: func() error { return errCrash }}
	if err := c.run(c.hooked(unrecorded)); !errors.Is(err, errCrash) {
		t.Fatalf("it ended with %v", err)
	}
	c.iam.recreated[role(1)] = true
	c.revoke("agent")
	c.grant("other", role(2))
	marked := &hooks{beforePut: func() error { return errCrash }} // it has read no grant for the role
	if err := c.run(c.hooked(marked)); err != nil {
		t.Fatal(err)
	}
	c.grant("agent", role(1))
	c.reconcile()
	if diff := cmp.Diff([]string{role(2)}, c.principals()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestRoleByNameIsNotHeldAsRecreated(t *testing.T) {
	c := newCloud(t)
	c.iam.missing[role(1)] = true
	c.grant("by-name", role(1), "follow", "name")
	c.grant("by-identity", role(1))
	c.reconcile()
	c.now = c.state().Gateway.Refused[role(1)].NextTry
	c.reconcile() // it is known as let in by name now
	delete(c.iam.missing, role(1))
	c.now = c.now.Add(time.Hour)
	c.reconcile()
	if got := c.state().Grants[c.key("by-identity")]; got.Phase != grant.PhaseAdmitted {
		t.Errorf("the grant is %+v", got)
	}
}

func TestStalePolicyHoldsNoNewRole(t *testing.T) {
	c := newCloud(t)
	c.grant("gone", role(1))
	c.reconcile()
	c.iam.recreated[role(1)] = true
	c.grant("new", role(2))
	done := false
	h := &hooks{afterPolicy: func() {
		if !done { // this run has seen the unique id, which is taken out by now
			done = true
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
