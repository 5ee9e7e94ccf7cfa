package storetest

import (
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
)

// keptViewsMatch holds what an account loses and still counts to the same
// queries as what it has.
func keptViewsMatch(t *testing.T, table AccountsTable) {
	moved := account("444455556666", []string{other}, "team=blue")
	moved.HeldSince = at(2)
	moved.Kept = []directory.Kept{
		{View: account("", []string{upper, lower}, "team=red").View(), LostSince: at(1)},
		{View: account("", []string{upper}, "team=green").View(), LostSince: at(2)},
	}
	write(t, table, moved)
	got, _, err := table.Account(t.Context(), moved.ID)
	must(t, err)
	same(t, "account", moved, got)
	selectors := []string{upper, upper + "/direct", lower, lower + "/direct", other, organization, "tag:team=red", "tag:team=green", "tag:team=blue", "tag:team=none"}
	same(t, "accounts that each selector matches", expected(t, []directory.Account{moved}, selectors), finds(t, table, selectors...))

	left := moved
	left.Kept, left.HeldSince, left.ReadAt = nil, moved.MissingSince, at(3)
	write(t, table, left)
	same(t, "accounts that each selector matches, once nothing is kept", expected(t, []directory.Account{left}, selectors), finds(t, table, selectors...))
}

func undecidedStays(t *testing.T, table AccountsTable) {
	stored := account("444455556666", []string{upper})
	write(t, table, stored)
	for _, id := range []string{stored.ID, "999999999999"} {
		changed, err := table.Update(t.Context(), id, func(was *directory.Account) (*directory.Account, bool) {
			if (was != nil) != (id == stored.ID) {
				t.Errorf("account %s was %v", id, was)
			}
			return nil, false
		})
		must(t, err)
		same(t, "changed", false, changed)
	}
	recorded, err := table.Recorded(t.Context())
	must(t, err)
	same(t, "accounts", []directory.Account{stored}, recorded)
}

// decisionsAreFresh lets many add to one account at once: none of what they add
// may be lost.
func decisionsAreFresh(t *testing.T, table AccountsTable) {
	const writers = 4
	write(t, table, account("444455556666", nil))
	done := make(chan error, writers)
	for i := range writers {
		go func() {
			_, err := table.Update(t.Context(), "444455556666", func(was *directory.Account) (*directory.Account, bool) {
				is := *was
				is.Kept = append(append([]directory.Kept(nil), was.Kept...), directory.Kept{View: account("", []string{upper}).View(), LostSince: at(i)})
				return &is, true
			})
			done <- err
		}()
	}
	for range writers {
		must(t, <-done)
	}
	got, _, err := table.Account(t.Context(), "444455556666")
	must(t, err)
	same(t, "how many views it keeps", writers, len(got.Kept))
}

func notesAreKept(t *testing.T, table AccountsTable) {
	notes := func(topic directory.Topic) []directory.Note {
		t.Helper()
		all, err := table.Notes(t.Context(), topic)
		must(t, err)
		return all
	}
	same(t, "notes of an empty table", 0, len(notes(directory.TopicRecheck)))
	first := directory.Note{Topic: directory.TopicRecheck, ID: "444455556666", At: at(1), Text: "0"}
	second := directory.Note{Topic: directory.TopicRecheck, ID: "777788889999", At: at(0)}
	elsewhere := directory.Note{Topic: directory.TopicDeparture, ID: "444455556666", At: at(2), Text: "Zürich 🙂"}
	for _, note := range []directory.Note{second, elsewhere, first} {
		must(t, table.PutNote(t.Context(), note))
	}
	same(t, "notes of a topic", []directory.Note{first, second}, notes(directory.TopicRecheck))
	same(t, "notes of another", []directory.Note{elsewhere}, notes(directory.TopicDeparture))

	later := first
	later.At = at(5)
	must(t, table.PutNote(t.Context(), later))
	for _, step := range []struct {
		note directory.Note
		want bool
	}{{first, false}, {later, true}, {later, false}} {
		deleted, err := table.DeleteNote(t.Context(), step.note)
		must(t, err)
		same(t, "deleted", step.want, deleted)
	}
	same(t, "notes that stay", []directory.Note{second}, notes(directory.TopicRecheck))
	ids, err := table.All(t.Context())
	must(t, err)
	same(t, "accounts that notes make", 0, len(ids))
}
