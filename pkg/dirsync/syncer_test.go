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
	"github.com/gateway-grants/gateway-grants/pkg/memory"
)

const (
	management = "111122223333"
	member     = "444455556666"
)

func TestAnAccountIsReadWithPlaceStateAndTags(t *testing.T) {
	for name, withoutPaths := range map[string]bool{
		"as Organizations says":                false,
		"by its parents where it says no path": true,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.organizations.withoutPaths = withoutPaths
			check(t, w.syncer.Account(t.Context(), member))
			want := map[string]directory.Account{member: {
				ID: member, State: directory.StateActive, Organization: "o-exampleorgid",
				Path: []string{w.outer, w.inner}, Tags: map[string]string{"env": "prod"}, ReadAt: w.now,
			}}
			if diff := cmp.Diff(want, w.accounts.recorded); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestAnAccountInTheRootIsInNoUnit(t *testing.T) {
	for _, withoutPaths := range []bool{false, true} {
		w := newWorld(t)
		w.organizations.withoutPaths = withoutPaths
		check(t, w.syncer.Account(t.Context(), management))
		if path := w.accounts.recorded[management].Path; path != nil {
			t.Errorf("without paths %v: path is %v", withoutPaths, path)
		}
	}
}

func TestTheParentsOfAUnitAreAskedForOnce(t *testing.T) {
	w := newWorld(t)
	w.organizations.withoutPaths = true
	check(t, w.syncer.Account(t.Context(), member))
	asked := w.organizations.parentCalls
	check(t, w.syncer.Account(t.Context(), member))
	if again := w.organizations.parentCalls - asked; again != 1 {
		t.Errorf("asked %d times for parents on the second reading, want 1: the account's own", again)
	}
}

func TestAnAccountThatIsGoneIsForgottenOnTheSecondReading(t *testing.T) {
	w := newWorld(t)
	check(t, w.syncer.Account(t.Context(), member))
	check(t, w.organizations.RemoveAccount(member))

	check(t, w.syncer.Account(t.Context(), member))
	if got := w.accounts.recorded[member]; !got.MissingSince.Equal(w.now) || got.Path == nil {
		t.Errorf("after one reading without it: %+v, want it kept and marked missing", got)
	}
	check(t, w.syncer.Account(t.Context(), member))
	if _, known := w.accounts.recorded[member]; known {
		t.Error("after two readings without it the account is still there")
	}
	check(t, w.syncer.Account(t.Context(), member))
}

func TestAnAccountThatIsFoundAgainIsNotMissing(t *testing.T) {
	w := newWorld(t)
	check(t, w.syncer.Account(t.Context(), member))
	check(t, w.organizations.RemoveAccount(member))
	check(t, w.syncer.Account(t.Context(), member))
	check(t, w.organizations.CreateAccount(member))
	check(t, w.syncer.Account(t.Context(), member))
	if got := w.accounts.recorded[member]; !got.MissingSince.IsZero() {
		t.Errorf("still missing: %+v", got)
	}
}

func TestACompleteListingRecordsEveryAccountAndSaysSo(t *testing.T) {
	w := newWorld(t)
	summary, err := w.syncer.All(t.Context())
	check(t, err)
	if diff := cmp.Diff(dirsync.Summary{Accounts: 2, Changed: 2}, summary); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff([]string{management, member}, slices.Sorted(maps.Keys(w.accounts.recorded))); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if !w.accounts.syncedAt.Equal(w.now) {
		t.Errorf("synced at %v, want %v", w.accounts.syncedAt, w.now)
	}
}

func TestListingsMarkAndThenForgetWhoLeft(t *testing.T) {
	w := newWorld(t)
	_, err := w.syncer.All(t.Context())
	check(t, err)
	check(t, w.organizations.RemoveAccount(member))

	first, err := w.syncer.All(t.Context())
	check(t, err)
	second, err := w.syncer.All(t.Context())
	check(t, err)
	want := []dirsync.Summary{
		{Accounts: 1, Changed: 1, Missing: []string{member}},
		{Accounts: 1, Changed: 1, Removed: []string{member}},
	}
	if diff := cmp.Diff(want, []dirsync.Summary{first, second}); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestAnAccountThatJoinedDuringAListingIsNotMissing(t *testing.T) {
	w := newWorld(t)
	joined := directory.Account{ID: "777788889999", State: directory.StateActive, ReadAt: w.now.Add(time.Second)}
	w.accounts.recorded[joined.ID] = joined
	_, err := w.syncer.All(t.Context())
	check(t, err)
	if diff := cmp.Diff(joined, w.accounts.recorded[joined.ID]); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// Nothing that could not be read, or not wholly, may end anybody's access.
func TestAnIncompleteReadingNeitherRemovesNorCounts(t *testing.T) {
	throttled := errors.New("TooManyRequestsException")
	cases := map[string]struct {
		reason string
		fault  func(*flaky, *accounts)
	}{
		"listing fails":      {"no list", func(o *flaky, _ *accounts) { o.membersFail = throttled }},
		"listing is empty":   {"the management account is always a member", func(o *flaky, _ *accounts) { o.only = []string{} }},
		"listing is partial": {"the management account is always a member", func(o *flaky, _ *accounts) { o.only = []string{member} }},
		"no state":           {"an answer without a state is none", func(o *flaky, _ *accounts) { o.withoutState = true }},
		"tags fail":          {"an account without its tags is half an account", func(o *flaky, _ *accounts) { o.tagsFail = throttled }},
		"parents fail":       {"nor without its place", func(o *flaky, _ *accounts) { o.withoutPaths, o.parentFails = true, throttled }},
		"odd parents":        {"nor with an impossible one", func(o *flaky, _ *accounts) { o.withoutPaths, o.oddParent = true, "p-12345678" }},
		"endless parents":    {"nor with one too deep", func(o *flaky, _ *accounts) { o.withoutPaths, o.oddParent = true, "ou-ab12-99999999" }},
		"writing fails":      {"what was not recorded is not listed", func(_ *flaky, a *accounts) { a.writeFails = throttled }},
		"reading back fails": {"who is missing is not known", func(_ *flaky, a *accounts) { a.allFails = throttled }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			_, err := w.syncer.All(t.Context())
			check(t, err)
			before, syncedAt := maps.Clone(w.accounts.recorded), w.accounts.syncedAt
			w.now = w.now.Add(time.Hour)
			c.fault(w.organizations, w.accounts)

			if _, err := w.syncer.All(t.Context()); err == nil {
				t.Errorf("%s: no error", c.reason)
			}
			for id, account := range before {
				got := w.accounts.recorded[id]
				got.ReadAt = account.ReadAt
				if diff := cmp.Diff(account, got); diff != "" {
					t.Errorf("%s: -want +got\n%s", c.reason, diff)
				}
			}
			if !w.accounts.syncedAt.Equal(syncedAt) {
				t.Errorf("%s: counts as complete", c.reason)
			}
		})
	}
}

func TestOneBadAccountKeepsNoOtherBack(t *testing.T) {
	w := newWorld(t)
	w.organizations.tagsFailFor = management
	_, err := w.syncer.All(t.Context())
	if err == nil || !strings.Contains(err.Error(), management) {
		t.Errorf("error %v does not name the account", err)
	}
	if _, recorded := w.accounts.recorded[member]; !recorded {
		t.Error("the other account was not recorded")
	}
}

type world struct {
	now           time.Time
	outer, inner  string
	organizations *flaky
	accounts      *accounts
	syncer        *dirsync.Syncer
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{now: time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return w.now }
	o := memory.NewOrganization("o-exampleorgid", management, clock)
	var err error
	w.outer, err = o.CreateUnit(o.Root())
	check(t, err)
	w.inner, err = o.CreateUnit(w.outer)
	check(t, err)
	check(t, o.CreateAccount(member))
	check(t, o.MoveAccount(member, w.inner))
	check(t, o.TagAccount(member, "env", "prod"))
	w.organizations = &flaky{twin: o}
	w.accounts = &accounts{recorded: make(map[string]directory.Account)}
	w.syncer = dirsync.New(w.organizations, w.accounts, clock)
	return w
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type twin = memory.Organization // by another name, since it has a method of this one

// flaky is an organization that answers as badly as a case asks for.
type flaky struct {
	*twin
	withoutPaths, withoutState         bool
	only                               []string // if not nil, who is listed
	membersFail, tagsFail, parentFails error
	oddParent, tagsFailFor             string
	parentCalls                        int
}

func (f *flaky) Member(ctx context.Context, id string) (dirsync.Member, bool, error) {
	m, found, err := f.twin.Member(ctx, id)
	return f.spoil(m), found, err
}

func (f *flaky) Members(ctx context.Context) ([]dirsync.Member, error) {
	members, err := f.twin.Members(ctx)
	var answer []dirsync.Member
	for _, m := range members {
		if f.only == nil || slices.Contains(f.only, m.ID) {
			answer = append(answer, f.spoil(m))
		}
	}
	return answer, errors.Join(err, f.membersFail)
}

func (f *flaky) spoil(m dirsync.Member) dirsync.Member {
	if f.withoutPaths {
		m.Paths = nil
	}
	if f.withoutState {
		m.State = ""
	}
	return m
}

func (f *flaky) Parent(ctx context.Context, child string) (string, error) {
	f.parentCalls++
	if f.oddParent != "" {
		return f.oddParent, f.parentFails
	}
	parent, err := f.twin.Parent(ctx, child)
	return parent, errors.Join(err, f.parentFails)
}

func (f *flaky) Tags(ctx context.Context, id string) (map[string]string, error) {
	if id == f.tagsFailFor {
		return nil, errors.New("TooManyRequestsException")
	}
	tags, err := f.twin.Tags(ctx, id)
	return tags, errors.Join(err, f.tagsFail)
}

// accounts is as much of an accounts table as these tests look at.
type accounts struct {
	recorded             map[string]directory.Account
	syncedAt             time.Time
	writeFails, allFails error
}

func (a *accounts) Account(_ context.Context, id string) (directory.Account, bool, error) {
	account, known := a.recorded[id]
	return account, known, nil
}

func (a *accounts) All(context.Context) ([]string, error) {
	return slices.Sorted(maps.Keys(a.recorded)), a.allFails
}

func (a *accounts) Write(_ context.Context, account directory.Account) (bool, error) {
	if a.writeFails != nil || a.recorded[account.ID].ReadAt.After(account.ReadAt) {
		return false, a.writeFails
	}
	a.recorded[account.ID] = account
	return true, nil
}

func (a *accounts) Remove(_ context.Context, id string, readAt time.Time) (bool, error) {
	if a.recorded[id].ReadAt.After(readAt) {
		return false, nil
	}
	delete(a.recorded, id)
	return true, nil
}

func (a *accounts) MarkSynced(_ context.Context, at time.Time) error {
	a.syncedAt = at
	return nil
}
