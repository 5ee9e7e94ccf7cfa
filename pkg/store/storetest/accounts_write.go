package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
)

func newerReadingsStay(t *testing.T, table AccountsTable) {
	newer := account("444455556666", []string{upper})
	newer.ReadAt = at(10)
	older := account("444455556666", []string{other}, "team=red")
	older.ReadAt = at(9)
	write(t, table, newer)
	changed, err := table.Write(t.Context(), older)
	must(t, err)
	same(t, "changed", false, changed)
	got, _, err := table.Account(t.Context(), newer.ID)
	must(t, err)
	same(t, "account", newer, got)
	same(t, "where it is found", expected(t, []directory.Account{newer}, everywhere(older, newer)), finds(t, table, everywhere(older, newer)...))

	removed, err := table.Remove(t.Context(), newer.ID, at(9))
	must(t, err)
	same(t, "removed", false, removed)
	moved := older
	moved.ReadAt = newer.ReadAt // of the same moment the later word counts
	write(t, table, moved)
}

func sameReadingsChangeNothing(t *testing.T, table AccountsTable) {
	first := account("444455556666", []string{upper, lower}, "team=red")
	write(t, table, first)
	again := first
	again.ReadAt = at(5)
	changed, err := table.Write(t.Context(), again)
	must(t, err)
	same(t, "changed", false, changed)
	got, _, err := table.Account(t.Context(), first.ID)
	must(t, err)
	same(t, "account", first, got)
	for name, change := range map[string]func(*directory.Account){
		"state":        func(a *directory.Account) { a.State = directory.StateSuspended },
		"organization": func(a *directory.Account) { a.Organization = "o-anotherorgid" },
		"path":         func(a *directory.Account) { a.Path = []string{lower, upper} },
		"tags":         func(a *directory.Account) { a.Tags = map[string]string{"team": "Red"} },
		"name":         func(a *directory.Account) { a.Name = "Tools" },
		"missing":      func(a *directory.Account) { a.MissingSince = at(5) },
	} {
		again.ReadAt = again.ReadAt.Add(time.Second)
		next := again
		change(&next)
		changed, err := table.Write(t.Context(), next)
		must(t, err)
		same(t, "changed by "+name, true, changed)
	}
}

func changesLeaveNothingBehind(t *testing.T, table AccountsTable) {
	states := []directory.Account{
		account("444455556666", []string{upper, lower}, "team=red", "stage=test"),
		account("444455556666", []string{other}, "team=red", "stage=prod"),
		account("444455556666", nil),
		account("444455556666", []string{other, upper}, "team=blue", "stage=test"),
		account("444455556666", []string{upper}),
	}
	bystander := account("777788889999", []string{upper, lower}, "team=red")
	write(t, table, bystander)
	selectors := everywhere(append(states, bystander)...)
	for i, state := range states {
		state.ReadAt = at(i)
		write(t, table, state)
		same(t, fmt.Sprintf("accounts that each selector matches after change %d", i),
			expected(t, []directory.Account{state, bystander}, selectors), finds(t, table, selectors...))
	}
}

// everyTagChanges needs more writes than one transaction takes: an account has 50
// tags at most.
func everyTagChanges(t *testing.T, table AccountsTable) {
	tagged := func(value string, path ...string) directory.Account {
		a := account("444455556666", path)
		a.Tags = make(map[string]string)
		for i := range 50 {
			a.Tags[fmt.Sprintf("key-%d", i)] = value
		}
		return a
	}
	before := tagged("before", upper, lower, "ou-abcd-44444444", "ou-abcd-55555555", "ou-abcd-66666666")
	after := tagged("after", other, "ou-abcd-77777777", "ou-abcd-88888888", "ou-abcd-99999999", "ou-abcd-aaaaaaaa")
	after.ReadAt = at(1)
	write(t, table, before, after)
	got, _, err := table.Account(t.Context(), after.ID)
	must(t, err)
	same(t, "account", after, got)
	selectors := []string{organization, upper, "ou-abcd-66666666", other, "ou-abcd-aaaaaaaa/direct", "tag:key-0=before", "tag:key-49=before", "tag:key-0=after", "tag:key-49=after"}
	same(t, "where it is found", expected(t, []directory.Account{after}, selectors), finds(t, table, selectors...))
}

func removedIsGone(t *testing.T, table AccountsTable) {
	gone, stays := account("444455556666", []string{upper, lower}, "team=red"), account("777788889999", []string{upper}, "team=red")
	write(t, table, gone, stays)
	for _, want := range []bool{true, false} {
		removed, err := table.Remove(t.Context(), gone.ID, at(0))
		must(t, err)
		same(t, "removed", want, removed)
	}
	_, found, err := table.Account(t.Context(), gone.ID)
	must(t, err)
	same(t, "found", false, found)
	selectors := everywhere(gone, stays)
	same(t, "accounts that each selector matches", expected(t, []directory.Account{stays}, selectors), finds(t, table, selectors...))
	snapshot, err := table.Lookup(t.Context(), nil, []string{gone.ID, stays.ID})
	must(t, err)
	if snapshot.IsMember(gone.ID) || !snapshot.IsMember(stays.ID) {
		t.Error("the wrong account was removed")
	}
	write(t, table, gone) // it may come back
}

func newestWriterStays(t *testing.T, table AccountsTable) {
	readings := make([]directory.Account, 8)
	for i := range readings {
		readings[i] = account("444455556666", []string{fmt.Sprintf("ou-abcd-0000000%d", i%3)}, fmt.Sprintf("reading=%d", i), fmt.Sprintf("odd=%d", i%2))
		readings[i].ReadAt = at(i)
	}
	var writers sync.WaitGroup
	for _, reading := range readings {
		writers.Go(func() {
			if _, err := table.Write(t.Context(), reading); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	newest := readings[len(readings)-1]
	got, _, err := table.Account(t.Context(), newest.ID)
	must(t, err)
	same(t, "account", newest, got)
	selectors := everywhere(readings...)
	same(t, "where it is found", expected(t, []directory.Account{newest}, selectors), finds(t, table, selectors...))
}
