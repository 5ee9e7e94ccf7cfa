package handler_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
)

// turmoil is everything that events speak of, each kind at least once, on an
// estate that had settled.
func turmoil(t *testing.T, e *estate) []grant.Gateway {
	t.Helper()
	ctx := context.Background()
	one, two, three := e.gateway("one", true), e.gateway("two", true), e.gateway("three", true)
	late, never := e.gateway("late", false), e.gateway("never", false)
	check(t, e.organization.CreateAccount(member))
	unit, err := e.organization.CreateUnit(e.organization.Root())
	check(t, err)
	check(t, e.organization.CreateAccount("222233334444"))
	check(t, e.organization.MoveAccount("222233334444", unit))
	e.grant(one.ARN(), "stays", member)
	e.grant(one.ARN(), "goes", management)
	e.grant(two.ARN(), "unit", unit)
	e.grant(three.ARN(), "ends", member, "expires", at.Add(10*time.Hour).Format(time.RFC3339))
	e.settle()
	e.round()
	e.round()

	_, err = e.grants.Delete(ctx, grant.Key{Gateway: one.ARN(), ID: "goes"})
	check(t, err)
	e.grant("*", "everywhere", "o-exampleorgid")
	e.grant(never.ARN(), "in-vain", member)
	check(t, e.organization.CreateAccount("777788889999")) // joins
	check(t, e.organization.MoveAccount(member, unit))
	check(t, e.organization.CloseAccount("222233334444")) // is in the unit no more
	check(t, e.service.DeleteResourcePolicy(owner, two.ARN()))
	check(t, e.service.TagResource(owner, late.ARN(), map[string]string{plan.ManagedTag: plan.ManagedValue}))
	e.settle()
	check(t, e.clock.Sleep(ctx, 12*time.Hour)) // a grant expires
	return []grant.Gateway{one, two, three, late, never}
}

func TestSweepAloneReachesSameResult(t *testing.T) {
	outcome := func(deaf bool) map[string][]string {
		e := newEstate(t, &stepped{now: at}, nil)
		e.deaf = deaf
		gateways := turmoil(t, e)
		if before := e.admitted(gateways[1]); deaf == slices.Contains(before, "arn:aws:iam::777788889999:root") {
			t.Errorf("events lost: %v, and before any sweep %v were let in", deaf, before)
		}
		e.round()
		e.round() // an account that is gone has to be missed twice
		got := map[string][]string{}
		for i, gateway := range gateways {
			got[[]string{"one", "two", "three", "late", "never"}[i]] = e.admitted(gateway)
		}
		return got
	}
	heard, deaf := outcome(false), outcome(true)
	if diff := cmp.Diff(heard, deaf); diff != "" {
		t.Errorf("-with events +without\n%s", diff)
	}
	everyone := []string{"arn:aws:iam::111122223333:root", "arn:aws:iam::444455556666:root", "arn:aws:iam::777788889999:root"}
	want := map[string][]string{"one": everyone, "two": everyone, "three": everyone, "late": everyone, "never": {}}
	if diff := cmp.Diff(want, deaf); diff != "" {
		t.Errorf("-want +without events\n%s", diff)
	}
}

func TestDriftNoticeNamesCaller(t *testing.T) {
	e := newEstate(t, &stepped{now: at}, nil)
	gateway := e.gateway("one", true)
	e.grant(gateway.ARN(), "account-b", member)
	e.settle()
	repairs := func() (all []plan.AppliedDetail) {
		for _, notice := range e.notices.Published() {
			if notice.Type == plan.DriftRepaired {
				all = append(all, notice.Detail.(plan.AppliedDetail))
			}
		}
		return all
	}
	if len(e.notices.Published()) == 0 || len(repairs()) > 0 {
		t.Fatalf("after the product's own put, whose event came back: %v", e.notices.Published())
	}
	check(t, e.service.DeleteResourcePolicy(owner, gateway.ARN()))
	e.settle()
	got := repairs()
	if len(got) != 1 || got[0].By != owner.ARN || !strings.HasPrefix(got[0].Cause, "DeleteResourcePolicy (CloudTrail event ") {
		t.Errorf("got %+v", got)
	}
	if diff := cmp.Diff([]string{"arn:aws:iam::444455556666:root"}, e.admitted(gateway)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestUntaggedGatewayWithAccessIsAlarmed(t *testing.T) {
	for _, deaf := range []bool{false, true} {
		e := newEstate(t, &stepped{now: at}, nil)
		gateway, empty := e.gateway("one", true), e.gateway("empty", true)
		check(t, e.organization.CreateAccount(member))
		e.grant(gateway.ARN(), "account-b", member)
		e.settle()
		e.round()
		e.deaf = deaf
		alarmed := func(gateway grant.Gateway) bool {
			wants, err := e.states.Attention(t.Context())
			check(t, err)
			return wants[gateway.ARN()].LetsIn
		}
		if alarmed(gateway) {
			t.Fatal("alarmed too early")
		}
		check(t, e.service.UntagResource(owner, gateway.ARN(), []string{plan.ManagedTag}))
		check(t, e.service.UntagResource(owner, empty.ARN(), []string{plan.ManagedTag}))
		e.settle()
		if alarmed(gateway) == deaf {
			t.Errorf("events lost: %v, alarmed by an event: %v", deaf, alarmed(gateway))
		}
		e.round()
		if !alarmed(gateway) || alarmed(empty) {
			t.Errorf("events lost: %v, after a round alarmed: %v, and of one that admits no principal: %v", deaf, alarmed(gateway), alarmed(empty))
		}
	}
}
