package handler_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/dirsync"
	"github.com/gateway-grants/gateway-grants/pkg/eventtest"
	"github.com/gateway-grants/gateway-grants/pkg/handler"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/store/memory"
)

func TestOnlyManagementAccountIsTrusted(t *testing.T) {
	for name, sender := range map[string]string{"a member": member, "a stranger": "999999999999", "no account": ""} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			check(t, w.organization.CreateAccount(member))
			raw := strings.Replace(string(eventtest.Payload(t, "organizations-move-account")), `"account": "111122223333"`, `"account": "`+sender+`"`, 1)
			_, err := invoke(t.Context(), w.organizationEvents().Handle, []byte(raw))
			check(t, err)
			if got := w.changed(t); len(got) > 0 || !strings.Contains(w.log.String(), "does not come from the management account") {
				t.Errorf("the directory holds %v, the log %s", got, w.log.String())
			}
		})
	}
}

func TestMalformedEventKeepsDirectory(t *testing.T) {
	for name, raw := range map[string]string{
		"empty":     `{}`,
		"no object": `"MoveAccount"`,
		"a sweep":   `{"sweep":"accounts"}`,
		"large":     `{"source":"aws.organizations","detail":{"eventName":"MoveAccount","requestParameters":{"accountId":"` + strings.Repeat("4", 1<<20) + `"}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			check(t, w.organization.CreateAccount(member))
			_, err := invoke(t.Context(), w.organizationEvents().Handle, []byte(raw))
			check(t, err)
			if got := w.changed(t); len(got) > 0 || w.log.Len() == 0 || w.log.Len() > 1500 {
				t.Errorf("the directory holds %v, the log %.2000s", got, w.log.String())
			}
		})
	}
}

// AWS may have changed the event: the account that it was about is found by listing.
func TestUnknownEventListsAllAccounts(t *testing.T) {
	raw := strings.ReplaceAll(string(eventtest.Payload(t, "organizations-move-account")), `"accountId": "444455556666"`, `"accountId": 444455556666`)
	for sender, want := range map[string][]string{management: {management, member}, "999999999999": {management}} {
		w := newWorld(t)
		w.run(t, "organization", eventtest.Payload(t, "schedule-organization"))
		check(t, w.organization.CreateAccount(member))
		sent := strings.Replace(raw, `"account": "111122223333"`, `"account": "`+sender+`"`, 1)
		for range 3 {
			_, err := invoke(t.Context(), w.organizationEvents().Handle, []byte(sent))
			check(t, err)
		}
		if got := w.changed(t); len(got) > 1 || w.metrics.counts[handler.CountMalformed] != 3 {
			t.Errorf("%s: at once the directory holds %v, counts are %v", sender, got, w.metrics.counts)
		}
		got := w.run(t, "organization", eventtest.Payload(t, "schedule-rechecks"))
		if diff := cmp.Diff(want, got.Directory); diff != "" {
			t.Errorf("%s: -want +got\n%s", sender, diff)
		}
		if asked, err := w.accounts.Notes(t.Context(), directory.TopicListing); err != nil || len(asked) > 0 {
			t.Errorf("%s: still asked for: %v, %v", sender, asked, err)
		}
	}
}

func TestHeldDeparturesAreReported(t *testing.T) {
	w := newWorld(t)
	organization := w.organizationEvents()
	organization.Directory = holding{organization.Directory}
	_, err := invoke(t.Context(), organization.Handle, eventtest.Payload(t, "schedule-rechecks"))
	check(t, err)
	want := []plan.Notice{{Type: plan.DeparturesHeld, Gateway: "*", Detail: plan.DeparturesDetail{
		Accounts: []string{member}, Held: 1, Since: at.Format(time.RFC3339),
		Message: "more accounts than usual would lose access: they keep it until gateway-grants approve releases them",
	}}}
	if diff := cmp.Diff(want, w.notices.Published()); diff != "" || w.metrics.counts[handler.GaugeHeld] != 7 {
		t.Errorf("counts are %v, -want +got\n%s", w.metrics.counts, diff)
	}
}

type holding struct{ handler.Directory }

func (holding) Due(context.Context) (dirsync.Summary, error) {
	return dirsync.Summary{Held: []string{member}, Holding: 7}, nil
}

func TestScheduleListsTheOrganization(t *testing.T) {
	for _, source := range []string{"aws.events", "aws.scheduler"} {
		w := newWorld(t)
		_, err := invoke(t.Context(), w.organizationEvents().Handle, []byte(`{"source":"`+source+`","detail-type":"Scheduled Event","account":"111122223333","detail":{}}`))
		check(t, err)
		if diff := cmp.Diff([]string{management}, slices.Collect(maps.Keys(w.changed(t)))); diff != "" {
			t.Errorf("%s: -want +got\n%s", source, diff)
		}
		if synced, err := w.accounts.Synced(t.Context()); err != nil || !synced.Equal(at) {
			t.Errorf("%s: synced at %v, %v", source, synced, err)
		}
	}
}

func TestFailedReadIsRetried(t *testing.T) {
	for _, name := range []string{"organizations-move-account", "schedule-organization"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			organization := w.organizationEvents()
			_, err := invoke(t.Context(), organization.Handle, eventtest.Payload(t, "schedule-organization"))
			check(t, err)
			w.metrics.counts = nil
			organization.Directory = dirsync.New(throttled{w.organization}, w.accounts, w.grants, func() time.Time { return at })
			if _, err := invoke(t.Context(), organization.Handle, eventtest.Payload(t, name)); err == nil {
				t.Error("no error, so the event would not be tried again")
			}
			if got := w.changed(t); len(got) != 1 || w.metrics.counts[handler.CountUnrecorded] != 1 {
				t.Errorf("the directory holds %v, counts are %v", got, w.metrics.counts)
			}
		})
	}
}

// Before the delegation is there nothing lets the product read the organization. That is
// how a first deployment begins, and each minute's sweep tries again.
func TestOrganizationNeverReadableIsNoFault(t *testing.T) {
	w := newWorld(t)
	organization := w.organizationEvents()
	reads := organization.Directory
	organization.Directory = dirsync.New(throttled{w.organization}, w.accounts, w.grants, func() time.Time { return at })
	for _, sweep := range []string{"schedule-organization", "schedule-rechecks"} {
		if _, err := invoke(t.Context(), organization.Handle, eventtest.Payload(t, sweep)); err != nil {
			t.Errorf("%s: %v", sweep, err)
		}
	}
	if unread, published := w.metrics.counts[handler.GaugeUnreadOrg]; unread != 0 || !published || !strings.Contains(w.log.String(), "organization-events.yaml") {
		t.Errorf("gauges %v, log %s", w.metrics.counts, w.log.String())
	}
	organization.Directory = reads
	_, err := invoke(t.Context(), organization.Handle, eventtest.Payload(t, "schedule-rechecks"))
	check(t, err)
	if got := w.changed(t); len(got) != 1 {
		t.Errorf("with the delegation there, the directory holds %v", got)
	}
}

type twin = memory.Organization // by another name, since it has a method of this one

// throttled is an organization that says no more than who manages it.
type throttled struct{ *twin }

func (throttled) Member(context.Context, string) (dirsync.Member, bool, error) {
	return dirsync.Member{}, false, errors.New("TooManyRequestsException")
}

func (throttled) Members(context.Context, string) (dirsync.Page, error) {
	return dirsync.Page{}, errors.New("TooManyRequestsException")
}
