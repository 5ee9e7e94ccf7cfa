package dirsync_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
)

func TestAccountIsReadWithPathStateAndTags(t *testing.T) {
	for name, withoutPaths := range map[string]bool{
		"as Organizations says":                false,
		"by its parents where it says no path": true,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.grant(t, "tag:env=dev")
			w.organizations.withoutPaths = withoutPaths
			w.read(t, member)
			want := map[string]directory.Account{member: {
				ID: member, State: directory.StateActive, Organization: "o-exampleorgid",
				Path: []string{w.outer, w.inner}, Tags: map[string]string{"env": "prod"}, ReadAt: w.now,
			}}
			if diff := cmp.Diff(want, w.recorded(t)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestTagsThatNoGrantAsksForAreNotRead(t *testing.T) {
	w := newWorld(t)
	w.grant(t, w.outer)
	w.read(t, member)
	w.all(t)
	if w.organizations.tagCalls > 0 || w.recorded(t)[member].Tags != nil {
		t.Errorf("tags were read %d times: %v", w.organizations.tagCalls, w.recorded(t)[member].Tags)
	}
}

func TestAccountInRootIsInNoUnit(t *testing.T) {
	for _, withoutPaths := range []bool{false, true} {
		w := newWorld(t)
		w.organizations.withoutPaths = withoutPaths
		w.read(t, management)
		if path := w.recorded(t)[management].Path; path != nil {
			t.Errorf("without paths %v: path is %v", withoutPaths, path)
		}
	}
}

func TestParentsOfUnitAreReadOnce(t *testing.T) {
	w := newWorld(t)
	w.organizations.withoutPaths = true
	w.read(t, member)
	asked := w.organizations.parentCalls
	w.read(t, member)
	if again := w.organizations.parentCalls - asked; again != 1 {
		t.Errorf("asked %d times for parents on the second reading, want 1: the account's own", again)
	}
}

func TestMissingAccountIsRemovedOnSecondRead(t *testing.T) {
	w := newWorld(t)
	w.read(t, member)
	check(t, w.organizations.RemoveAccount(member))

	w.read(t, member)
	w.now = w.now.Add(30 * time.Second)
	w.read(t, member) // another event, too soon to confirm the first
	if got := w.recorded(t)[member]; got.MissingSince.IsZero() || got.Path == nil {
		t.Errorf("after readings without it, less than a minute apart: %+v, want it kept and marked missing", got)
	}
	w.pass(t, time.Minute)
	if _, known := w.recorded(t)[member]; known {
		t.Error("after two readings without it the account is still there")
	}
	w.pass(t, time.Hour)
	if notes, err := w.accounts.Notes(t.Context(), directory.TopicRecheck); err != nil || len(notes) > 0 {
		t.Errorf("it is still to be read again: %v, %v", notes, err)
	}
}

func TestAccountFoundAgainIsNotMissing(t *testing.T) {
	w := newWorld(t)
	w.read(t, member)
	w.organizations.lost = []string{member}
	w.read(t, member)
	w.organizations.lost = nil
	w.pass(t, time.Minute)
	if got := w.recorded(t)[member]; got.Leaving() {
		t.Errorf("still missing: %+v", got)
	}
	if notes, err := w.accounts.Notes(t.Context(), directory.TopicDeparture); err != nil || len(notes) > 0 {
		t.Errorf("it still counts as departing: %v, %v", notes, err)
	}
}

// What an account gains counts at once; what it loses, when two readings agree.
func TestMoveAddsAtOnceAndRemovesWhenCertain(t *testing.T) {
	w := newWorld(t)
	elsewhere, err := w.organizations.CreateUnit(w.organizations.Root())
	check(t, err)
	w.grant(t, w.inner)
	w.grant(t, elsewhere)
	w.all(t)
	check(t, w.organizations.MoveAccount(member, elsewhere))
	w.read(t, member)
	both := [][]string{w.selected(t, w.inner), w.selected(t, elsewhere)}
	if diff := cmp.Diff([][]string{{member}, {member}}, both); diff != "" {
		t.Errorf("at once: -want +got\n%s", diff)
	}
	w.pass(t, time.Minute)
	both = [][]string{w.selected(t, w.inner), w.selected(t, elsewhere)}
	if diff := cmp.Diff([][]string{nil, {member}}, both); diff != "" {
		t.Errorf("a minute later: -want +got\n%s", diff)
	}
}

func TestStateGoingBackDuringClosureLosesNothing(t *testing.T) {
	w := newWorld(t)
	w.grant(t, w.outer)
	w.all(t)
	check(t, w.organizations.CloseAccount(member))
	w.organizations.lost = []string{member}
	w.read(t, member)
	w.organizations.lost = nil
	if got := w.selected(t, w.outer); len(got) != 1 {
		t.Errorf("selected: %v", got)
	}
	w.pass(t, 30*time.Minute) // PENDING_CLOSURE all along
	if got := w.recorded(t)[member]; got.State != directory.StatePendingClosure || len(w.selected(t, w.outer)) > 0 {
		t.Errorf("after closure: %+v", got)
	}
}

// Organizations shows an account or its place later than its event reports it.
func TestLateOrganizationChangeIsReadAgain(t *testing.T) {
	w := newWorld(t)
	w.grant(t, w.outer)
	w.all(t)
	w.organizations.lost = []string{"777788889999"}
	check(t, w.organizations.CreateAccount("777788889999"))
	w.read(t, "777788889999") // an event before its time
	w.pass(t, 2*time.Minute)
	w.organizations.lost = nil
	w.pass(t, 4*time.Minute)
	if _, known := w.recorded(t)["777788889999"]; !known {
		t.Error("the account was not looked for again")
	}
}
