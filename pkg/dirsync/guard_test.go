package dirsync_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// held lists who is held.
func (w *world) held(t *testing.T) []string {
	t.Helper()
	var ids []string
	for id, account := range w.recorded(t) {
		if !account.HeldSince.IsZero() {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (w *world) approve(t *testing.T, ids ...string) {
	t.Helper()
	for _, id := range ids {
		check(t, w.grants.Approve(t.Context(), w.recorded(t)[id].Decision(), w.now, ""))
	}
}

func TestMassDeparturesAreHeldWhateverTheirKind(t *testing.T) {
	for name, depart := range map[string]func(*world, string) error{
		"they leave":        func(w *world, id string) error { return w.organizations.RemoveAccount(id) },
		"they are closed":   func(w *world, id string) error { return w.organizations.CloseAccount(id) },
		"they are moved":    func(w *world, id string) error { return w.organizations.MoveAccount(id, w.organizations.Root()) },
		"they are excluded": func(w *world, id string) error { return w.organizations.MoveAccount(id, w.inner) },
		"they are retagged": func(w *world, id string) error { return w.organizations.TagAccount(id, "env", "test") },
	} {
		for way, follow := range map[string]func(*testing.T, *world, string){
			"by event":   func(t *testing.T, w *world, id string) { t.Helper(); w.read(t, id) },
			"by listing": func(*testing.T, *world, string) {},
		} {
			t.Run(name+" "+way, func(t *testing.T) {
				w := newWorld(t)
				w.grant(t, w.outer, w.inner)
				w.grant(t, "tag:env=prod")
				ids := w.crowd(t, 40, w.outer)
				for _, id := range ids {
					check(t, w.organizations.TagAccount(id, "env", "prod"))
					w.read(t, id)
				}
				w.pass(t, 20*time.Minute)
				for _, id := range ids[:12] {
					check(t, depart(w, id))
					follow(t, w, id)
				}
				w.now = w.now.Add(7 * time.Hour)
				w.all(t)
				w.pass(t, 2*time.Minute)
				if diff := cmp.Diff(ids[:12], w.held(t)); diff != "" {
					t.Fatalf("held: -want +got\n%s", diff)
				}
				w.approve(t, ids[:11]...)
				w.pass(t, time.Minute)
				if diff := cmp.Diff(ids[11:12], w.held(t)); diff != "" {
					t.Errorf("after approval, held: -want +got\n%s", diff)
				}
				if got := w.recorded(t); got[ids[0]].Leaving() || !got[ids[11]].Leaving() {
					t.Errorf("after approval: %+v has still to lose, and %+v has not", got[ids[0]], got[ids[11]])
				}
			})
		}
	}
}

func TestFewDeparturesAreNotHeld(t *testing.T) {
	w := newWorld(t)
	w.grant(t, w.outer)
	ids := w.crowd(t, 40, w.outer)
	for _, id := range ids[:10] {
		check(t, w.organizations.RemoveAccount(id))
		w.read(t, id)
	}
	w.pass(t, 5*time.Minute)
	if got := w.recorded(t); len(got) != 32 || len(w.held(t)) > 0 {
		t.Errorf("%d accounts are left, held are %v", len(got), w.held(t))
	}
	// The eleventh within a day is one too many.
	w.now = w.now.Add(23 * time.Hour)
	check(t, w.organizations.RemoveAccount(ids[10]))
	w.read(t, ids[10])
	w.pass(t, 2*time.Minute)
	if diff := cmp.Diff(ids[10:11], w.held(t)); diff != "" {
		t.Errorf("the eleventh: -want +got\n%s", diff)
	}
	// The next day others may leave again; the eleventh still waits.
	w.now = w.now.Add(25 * time.Hour)
	check(t, w.organizations.RemoveAccount(ids[11]))
	w.read(t, ids[11])
	w.pass(t, 2*time.Minute)
	if diff := cmp.Diff(ids[10:11], w.held(t)); diff != "" || len(w.recorded(t)) != 31 {
		t.Errorf("the next day %d are left: -want +got\n%s", len(w.recorded(t)), diff)
	}
}

func TestMovesThatNoGrantMindsAreNoDepartures(t *testing.T) {
	w := newWorld(t)
	w.grant(t, "o-exampleorgid")
	ids := w.crowd(t, 40, w.outer)
	for _, id := range ids {
		check(t, w.organizations.MoveAccount(id, w.inner))
		w.read(t, id)
		if w.recorded(t)[id].Leaving() {
			t.Fatalf("%s loses something that it does not have", id)
		}
	}
}

func TestHeldAccountMayGainAndReturn(t *testing.T) {
	w := newWorld(t)
	elsewhere, err := w.organizations.CreateUnit(w.organizations.Root())
	check(t, err)
	w.grant(t, w.outer)
	w.grant(t, elsewhere)
	ids := w.crowd(t, 40, w.outer)
	for _, id := range ids[:20] {
		check(t, w.organizations.MoveAccount(id, w.organizations.Root()))
		w.read(t, id)
	}
	w.pass(t, 2*time.Minute)
	check(t, w.organizations.MoveAccount(ids[0], elsewhere))
	w.read(t, ids[0])
	check(t, w.organizations.MoveAccount(ids[1], w.outer))
	w.read(t, ids[1])
	if diff := cmp.Diff([]string{ids[0]}, w.selected(t, elsewhere)); diff != "" {
		t.Errorf("what it gains while held: -want +got\n%s", diff)
	}
	if held := w.held(t); slices.Contains(held, ids[1]) || !slices.Contains(held, ids[0]) {
		t.Errorf("held are %v", held)
	}
}

func TestApprovalIsOfWhatWasShown(t *testing.T) {
	w := newWorld(t)
	w.grant(t, w.outer)
	ids := w.crowd(t, 40, w.outer)
	for _, id := range ids[:20] {
		check(t, w.organizations.MoveAccount(id, w.organizations.Root()))
		w.read(t, id)
	}
	w.pass(t, 2*time.Minute)
	w.approve(t, ids[:2]...)
	check(t, w.organizations.CloseAccount(ids[1])) // after it was shown, before it is released
	last := w.pass(t, time.Minute)
	if diff := cmp.Diff([][]string{{ids[0]}, {ids[1]}}, [][]string{last.Approved, last.Outdated}); diff != "" {
		t.Errorf("approved and outdated: -want +got\n%s", diff)
	}
	if held := w.held(t); slices.Contains(held, ids[0]) || !slices.Contains(held, ids[1]) {
		t.Errorf("held are %v", held)
	}
	if next := w.pass(t, time.Minute); len(next.Approved)+len(next.Outdated) > 0 {
		t.Errorf("the approvals count again: %v, %v", next.Approved, next.Outdated)
	}
}
