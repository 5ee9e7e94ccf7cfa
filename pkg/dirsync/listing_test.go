package dirsync_test

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
	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

func TestCompleteListingIsRecorded(t *testing.T) {
	w := newWorld(t)
	if diff := cmp.Diff(dirsync.Summary{Accounts: 2, Changed: 2}, w.all(t)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff([]string{management, member}, slices.Sorted(maps.Keys(w.recorded(t)))); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if synced, err := w.accounts.Synced(t.Context()); err != nil || !synced.Equal(w.now) {
		t.Errorf("synced at %v, %v, want %v", synced, err, w.now)
	}
}

// What kept the first listing from ending, such as a delegation that was not there
// yet, must not keep the directory from beginning for an hour.
func TestListingIsDueUntilFirstComplete(t *testing.T) {
	w := newWorld(t)
	w.organizations.membersFail = errors.New("AccessDeniedException")
	if _, err := w.syncer.All(t.Context()); err == nil {
		t.Fatal("the listing was to fail")
	}
	w.now = w.now.Add(time.Minute)
	if _, err := w.syncer.Due(t.Context()); err == nil {
		t.Error("the failure is not shown while it lasts")
	}
	w.organizations.membersFail = nil
	w.now = w.now.Add(time.Minute)
	if _, err := w.syncer.Due(t.Context()); err != nil {
		t.Fatal(err)
	}
	if synced, err := w.accounts.Synced(t.Context()); err != nil || !synced.Equal(w.now) {
		t.Errorf("synced at %v, %v, want %v", synced, err, w.now)
	}
	w.organizations.listCalls = 0
	w.now = w.now.Add(time.Minute)
	if _, err := w.syncer.Due(t.Context()); err != nil || w.organizations.listCalls > 0 {
		t.Errorf("once it has ended it is not due: %d calls, %v", w.organizations.listCalls, err)
	}
}

func TestUnchangedListingWritesNoAccount(t *testing.T) {
	w := newWorld(t)
	w.grant(t, "tag:env=prod")
	w.all(t)
	w.accounts.writes = 0
	w.now = w.now.Add(time.Hour)
	if summary := w.all(t); summary.Changed > 0 || w.accounts.writes > 0 {
		t.Errorf("changed %d, wrote %d", summary.Changed, w.accounts.writes)
	}
}

// A listing has the names, so that neither the first one nor a new one costs a call
// for the account's tags.
func TestListingRecordsNamesWithoutReadingTags(t *testing.T) {
	w := newWorld(t)
	w.grant(t, "tag:env=prod")
	w.all(t)
	check(t, w.organizations.NameAccount(member, "Tools"))
	w.organizations.tagCalls = 0
	w.now = w.now.Add(time.Hour)
	summary := w.all(t)
	if got := w.recorded(t)[member]; got.Name != "Tools" || got.Tags["env"] != "prod" || len(got.Kept) > 0 {
		t.Errorf("recorded %+v", got)
	}
	if summary.Changed != 1 || w.organizations.tagCalls > 0 {
		t.Errorf("changed %d, %d calls for tags", summary.Changed, w.organizations.tagCalls)
	}
	check(t, w.organizations.NameAccount(member, "")) // as an answer without it would be
	if summary := w.all(t); summary.Changed > 0 || w.recorded(t)[member].Name != "Tools" {
		t.Errorf("an answer without a name changed %d, recorded %+v", summary.Changed, w.recorded(t)[member])
	}
}

func TestListingsMarkAndThenForgetWhoLeft(t *testing.T) {
	w := newWorld(t)
	w.all(t)
	check(t, w.organizations.RemoveAccount(member))

	w.now = w.now.Add(time.Hour)
	first := w.all(t)
	w.now = w.now.Add(time.Hour)
	second := w.all(t)
	want := []dirsync.Summary{
		{Accounts: 1, Changed: 1, Missing: []string{member}},
		{Accounts: 1, Removed: []string{member}},
	}
	if diff := cmp.Diff(want, []dirsync.Summary{first, second}); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestAccountJoinedDuringListingIsNotMissing(t *testing.T) {
	w := newWorld(t)
	joined := directory.Account{ID: "777788889999", State: directory.StateActive, ReadAt: w.now.Add(time.Second)}
	_, err := w.accounts.Write(t.Context(), joined)
	check(t, err)
	w.all(t)
	if diff := cmp.Diff(joined, w.recorded(t)[joined.ID]); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// Nothing that could not be read, or not wholly, may end anybody's access.
func TestIncompleteReadRemovesNothing(t *testing.T) {
	throttled := errors.New("TooManyRequestsException")
	cases := map[string]struct {
		reason string
		fault  func(*flaky, *accounts)
	}{
		"listing fails":      {"no list", func(o *flaky, _ *accounts) { o.membersFail = throttled }},
		"second page fails":  {"half a list is none", func(o *flaky, _ *accounts) { o.membersFail, o.failAt = throttled, "0/20" }},
		"listing is empty":   {"the management account is always a member", func(o *flaky, _ *accounts) { o.only = []string{} }},
		"listing is partial": {"the management account is always a member", func(o *flaky, _ *accounts) { o.only = []string{member} }},
		"no state":           {"an answer without a state is none", func(o *flaky, _ *accounts) { o.withoutState = true }},
		"tags fail":          {"an account without its tags is half an account", func(o *flaky, _ *accounts) { o.tagsFail = throttled }},
		"parents fail":       {"nor without its place", func(o *flaky, _ *accounts) { o.withoutPaths, o.parentFails = true, throttled }},
		"odd parents":        {"nor with an impossible one", func(o *flaky, _ *accounts) { o.withoutPaths, o.oddParent = true, "p-12345678" }},
		"endless parents":    {"nor with one too deep", func(o *flaky, _ *accounts) { o.withoutPaths, o.oddParent = true, "ou-ab12-99999999" }},
		"writing fails":      {"what was not recorded is not listed", func(_ *flaky, a *accounts) { a.writeFails = throttled }},
		"reading back fails": {"who is missing is not known", func(_ *flaky, a *accounts) { a.recordedFails = throttled }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.grant(t, "tag:env=prod")
			w.crowd(t, 30, w.inner)
			before := w.recorded(t)
			w.now = w.now.Add(24 * time.Hour)
			check(t, w.organizations.CreateAccount("777788889999"))
			check(t, w.organizations.RemoveAccount(member))
			c.fault(w.organizations, w.accounts)

			if _, err := w.syncer.All(t.Context()); err == nil {
				t.Errorf("%s: no error", c.reason)
			}
			after := w.recorded(t)
			if name != "tags fail" { // by when the listing itself was complete
				if _, gone := after[member]; !gone || after[member].Leaving() {
					t.Errorf("%s: counts as missing", c.reason)
				}
			}
			for id, account := range before {
				if account.ID != member && after[id].Leaving() {
					t.Errorf("%s: %s counts as missing", c.reason, id)
				}
			}
		})
	}
}

func TestBadAccountBlocksNoOther(t *testing.T) {
	w := newWorld(t)
	w.grant(t, "tag:env=prod")
	w.organizations.tagsFailFor = management
	_, err := w.syncer.All(t.Context())
	if err == nil || !strings.Contains(err.Error(), management) {
		t.Errorf("error %v does not name the account", err)
	}
	if _, recorded := w.recorded(t)[member]; !recorded {
		t.Error("the other account was not recorded")
	}
}

// hurried gives every run time for so many pages.
func (w *world) hurried(pages int) {
	w.syncer.Deadline = func(context.Context) (time.Time, bool) {
		if w.organizations.listCalls%pages == 0 {
			return w.now, true
		}
		return time.Time{}, false
	}
}

func TestInterruptedListingGoesOn(t *testing.T) {
	w := newWorld(t)
	w.crowd(t, 130, w.outer)
	w.now = w.now.Add(time.Hour)
	began := w.now
	check(t, w.organizations.RemoveAccount(member))
	w.organizations.listCalls = 0
	w.hurried(3)
	if summary := w.all(t); !summary.Unfinished {
		t.Fatalf("it ended at once: %+v", summary)
	}
	if synced, err := w.accounts.Synced(t.Context()); err != nil || !synced.Before(began) {
		t.Errorf("half a listing counts: %v, %v", synced, err)
	}
	last := w.pass(t, 2*time.Minute)
	if last.Unfinished || w.organizations.listCalls != 7 {
		t.Errorf("%d pages were read for 7: %+v", w.organizations.listCalls, last)
	}
	if synced, err := w.accounts.Synced(t.Context()); err != nil || !synced.Equal(began) {
		t.Errorf("synced at %v, %v, want when it began, %v", synced, err, began)
	}
	var missing []string
	for id, account := range w.recorded(t) {
		if account.Leaving() {
			missing = append(missing, id)
		}
	}
	if diff := cmp.Diff([]string{member}, missing); diff != "" {
		t.Errorf("missing: -want +got\n%s", diff)
	}
	if notes, err := w.accounts.Notes(t.Context(), directory.TopicListing); err != nil || len(notes) > 0 {
		t.Errorf("it left %d notes, %v", len(notes), err)
	}
}

func TestExpiredListingStartsOver(t *testing.T) {
	for name, spoil := range map[string]func(*world){
		"too long": func(w *world) { w.now = w.now.Add(13 * time.Hour) },
		"token":    func(w *world) { w.organizations.ForgetTokens() },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.crowd(t, 50, w.outer)
			w.organizations.listCalls = 0
			w.hurried(2)
			w.now = w.now.Add(time.Hour)
			w.all(t)
			spoil(w)
			w.syncer.Deadline = context.Context.Deadline
			again := w.now.Add(time.Minute)
			w.pass(t, time.Minute)
			if synced, err := w.accounts.Synced(t.Context()); err != nil || !synced.Equal(again) {
				t.Errorf("synced at %v, %v, want %v", synced, err, again)
			}
			if notes, err := w.accounts.Notes(t.Context(), directory.TopicListing); err != nil || len(notes) > 0 {
				t.Errorf("it left %d notes, %v", len(notes), err)
			}
		})
	}
}

func TestNewTagSelectorReadsAllTags(t *testing.T) {
	w := newWorld(t)
	w.crowd(t, 10, w.outer)
	w.pass(t, time.Minute)
	if w.organizations.tagCalls > 0 {
		t.Fatalf("tags were read %d times for no account", w.organizations.tagCalls)
	}
	w.grant(t, "tag:env=prod")
	w.pass(t, time.Minute)
	if diff := cmp.Diff([]string{member}, w.selected(t, "tag:env=prod")); diff != "" {
		t.Errorf("a minute after the grant: -want +got\n%s", diff)
	}
	calls := func(since time.Duration) int {
		w.organizations.tagCalls = 0
		w.now = w.now.Add(since)
		w.all(t)
		return w.organizations.tagCalls
	}
	if got := []int{calls(time.Hour), calls(time.Hour), calls(4 * time.Hour), calls(time.Hour)}; !slices.Equal(got, []int{0, 0, 12, 0}) {
		t.Errorf("tags were read %v times by four listings", got)
	}
}

// The row's last valid revision still counts, and no other row may name the tag.
func TestTagsOfInvalidRowStayRecorded(t *testing.T) {
	for name, faulty := range map[string]grant.Attributes{
		"the principal can be read": {"principal": "tag:env=prod", "colour": "red"},
		"and cannot":                {"principal": "tags:env=prod"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.grant(t, "tag:env=prod")
			w.pass(t, time.Minute)
			faulty["gateway"], faulty["grant"] = "*", "tag:env=prod"
			check(t, w.grants.Put(t.Context(), faulty, false))
			w.pass(t, 5*time.Hour)
			w.read(t, member)
			w.pass(t, 5*time.Hour)
			if diff := cmp.Diff([]string{member}, w.selected(t, "tag:env=prod")); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}
