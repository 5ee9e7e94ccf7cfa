package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// AccountsTable is the accounts table: what the reconciler reads, and what keeps
// it in line with the organization.
type AccountsTable interface {
	reconcile.Directory
	Account(ctx context.Context, id string) (account directory.Account, found bool, err error)
	All(ctx context.Context) (ids []string, err error)
	Recorded(ctx context.Context) ([]directory.Account, error)
	Update(ctx context.Context, id string, decide func(was *directory.Account) (is *directory.Account, change bool)) (changed bool, err error)
	Notes(ctx context.Context, topic directory.Topic) ([]directory.Note, error)
	PutNote(ctx context.Context, note directory.Note) error
	DeleteNote(ctx context.Context, note directory.Note) (deleted bool, err error)
	Write(ctx context.Context, account directory.Account) (changed bool, err error)
	Remove(ctx context.Context, id string, readAt time.Time) (removed bool, err error)
	MarkSynced(ctx context.Context, at time.Time) error
	Synced(ctx context.Context) (time.Time, error)
	List(ctx context.Context, list directory.Topic) ([]directory.Note, error)
	IsOwner(ctx context.Context, account string) (bool, error)
	AddToList(ctx context.Context, list directory.Topic, entries []directory.Note) error
	RemoveFromList(ctx context.Context, list directory.Topic, entries []directory.Note) error
	PutListSentinels(ctx context.Context) error
}

// Accounts holds an accounts table to its contract. Each table that open returns
// is empty.
func Accounts(t *testing.T, open func(t *testing.T) AccountsTable) {
	for name, holds := range map[string]func(*testing.T, AccountsTable){
		"until a listing has ended there is no directory":               noDirectory,
		"a listing that ended earlier does not count":                   listingsAdvance,
		"an account is read as it was written":                          accountsAreFaithful,
		"a list is proved by its sentinel":                              listsAreProved,
		"entries of a list come and go together":                        listsChangeWhole,
		"a list is longer than a transaction":                           listsAreLong,
		"a selector finds the accounts that it matches":                 selectorsMatch,
		"those asked for by id are found if they are members":           membersAreFound,
		"an older reading never replaces a newer":                       newerReadingsStay,
		"a reading that says nothing new writes nothing":                sameReadingsChangeNothing,
		"an account that changes is found only where it is":             changesLeaveNothingBehind,
		"an account may change every one of its tags at once":           everyTagChanges,
		"an account that was removed is found nowhere":                  removedIsGone,
		"of many who write one account the newest reading stays, whole": newestWriterStays,
		"accounts of many pages are all found":                          manyAccounts,
		"what an account keeps still selects it":                        keptViewsMatch,
		"a decision that changes nothing writes nothing":                undecidedStays,
		"a decision is made on what is there when it takes effect":      decisionsAreFresh,
		"notes are kept by topic, and deleted only as they were read":   notesAreKept,
		"a call that was cancelled is an error, and nothing besides":    accountsCancelled,
	} {
		t.Run(name, func(t *testing.T) { holds(t, open(t)) })
	}
}

// Places of a small organization: upper is below the root, lower below upper.
const (
	organization = "o-exampleorgid"
	upper        = "ou-abcd-11111111"
	lower        = "ou-abcd-22222222"
	other        = "ou-abcd-33333333"
)

func account(id string, path []string, tags ...string) directory.Account {
	a := directory.Account{ID: id, State: directory.StateActive, Organization: organization, Path: path, ReadAt: at(0)}
	for _, tag := range tags {
		key, value, _ := strings.Cut(tag, "=")
		if a.Tags == nil {
			a.Tags = make(map[string]string)
		}
		a.Tags[key] = value
	}
	return a
}

// write does not ask whether it changed anything: where an answer is lost the SDK
// writes twice, and moto does not know it for the same.
func write(t *testing.T, table AccountsTable, accounts ...directory.Account) {
	t.Helper()
	for _, account := range accounts {
		_, err := table.Write(t.Context(), account)
		must(t, err)
	}
}

// finds lists the accounts in the table that each selector matches.
func finds(t *testing.T, table AccountsTable, selectors ...string) map[string][]string {
	t.Helper()
	must(t, table.MarkSynced(t.Context(), at(0)))
	found := make(map[string][]string)
	parsed := principals(t, selectors...)
	snapshot, err := table.Lookup(t.Context(), parsed, nil)
	must(t, err)
	for i, selector := range parsed {
		ids, known := snapshot.Select(selector, grant.Exclusion{})
		if !known {
			t.Errorf("the snapshot does not know %s", selectors[i])
		}
		if len(ids) > 0 {
			found[selectors[i]] = ids
		}
	}
	return found
}

// everywhere lists the selectors that could ever match one of the accounts.
func everywhere(accounts ...directory.Account) []string {
	selectors := []string{organization}
	for _, a := range accounts {
		for _, unit := range a.Path {
			selectors = append(selectors, unit, unit+"/direct")
		}
		for key, value := range a.Tags {
			selectors = append(selectors, "tag:"+key+"="+value)
		}
	}
	slices.Sort(selectors)
	return slices.Compact(selectors)
}

// expected lists the accounts that each selector matches of the accounts, by the directory's
// own rules.
func expected(t *testing.T, accounts []directory.Account, selectors []string) map[string][]string {
	t.Helper()
	want := make(map[string][]string)
	for i, selector := range principals(t, selectors...) {
		for _, a := range accounts {
			if directory.Selects(selector, grant.Exclusion{}, a) {
				want[selectors[i]] = append(want[selectors[i]], a.ID)
			}
		}
		slices.Sort(want[selectors[i]])
	}
	maps.DeleteFunc(want, func(_ string, ids []string) bool { return len(ids) == 0 })
	return want
}

func noDirectory(t *testing.T, table AccountsTable) {
	write(t, table, account("444455556666", []string{upper}))
	lookup := func() directory.Availability {
		t.Helper()
		snapshot, err := table.Lookup(t.Context(), principals(t, upper), []string{"444455556666"})
		must(t, err)
		if snapshot.IsMember("444455556666") != (snapshot.Availability() == directory.Known) {
			t.Errorf("with availability %d the account is a member: %v", snapshot.Availability(), snapshot.IsMember("444455556666"))
		}
		return snapshot.Availability()
	}
	same(t, "availability before a listing", directory.Absent, lookup())
	must(t, table.MarkSynced(t.Context(), at(1)))
	same(t, "availability after a listing", directory.Known, lookup())
}

func listingsAdvance(t *testing.T, table AccountsTable) {
	for _, step := range []struct{ mark, want time.Time }{
		{mark: at(5), want: at(5)}, {mark: at(3), want: at(5)}, {mark: at(5), want: at(5)}, {mark: at(7).In(time.FixedZone("", 3600)), want: at(7)},
	} {
		must(t, table.MarkSynced(t.Context(), step.mark))
		synced, err := table.Synced(t.Context())
		must(t, err)
		same(t, "the end of the last listing", step.want, synced)
	}
}

func accountsAreFaithful(t *testing.T, table AccountsTable) {
	synced, err := table.Synced(t.Context())
	must(t, err)
	if !synced.IsZero() {
		t.Errorf("a table that nothing was listed into says %s", synced)
	}
	whole := filled[directory.Account]()
	whole.ID = "123456789012"
	accounts := []directory.Account{
		whole,
		{ID: "111122223333", State: directory.StateActive, ReadAt: at(0)},
		account("222233334444", []string{upper, lower}, "Équipe=Zürich 🙂", "empty="),
	}
	write(t, table, accounts...)
	for _, want := range accounts {
		got, found, err := table.Account(t.Context(), want.ID)
		must(t, err)
		same(t, "found", true, found)
		same(t, "account", want, got)
	}
	_, found, err := table.Account(t.Context(), "999999999999")
	must(t, err)
	same(t, "found", false, found)
	ids, err := table.All(t.Context())
	must(t, err)
	same(t, "ids", []string{"111122223333", "123456789012", "222233334444"}, ids)
}

func selectorsMatch(t *testing.T, table AccountsTable) {
	suspended := account("555566667777", []string{upper}, "team=red")
	suspended.State = directory.StateSuspended
	elsewhere := account("666677778888", []string{other})
	elsewhere.Organization = "o-anotherorgid"
	accounts := []directory.Account{
		account("111122223333", nil, "team=red"), account("222233334444", []string{upper}, "team=blue"),
		account("333344445555", []string{upper, lower}, "team=red", "stage=a=b"), account("444455556666", []string{upper, lower}, "Team=red", "team=Red"),
		suspended, elsewhere,
	}
	write(t, table, accounts...)
	selectors := append(everywhere(accounts...), "o-anotherorgid", "ou-abcd-99999999", "tag:team=green")
	same(t, "accounts that each selector matches", expected(t, accounts, selectors), finds(t, table, selectors...))

	snapshot, err := table.Lookup(t.Context(), principals(t, upper), nil)
	must(t, err)
	if !snapshot.IsMember("555566667777") || snapshot.IsMember("666677778888") {
		t.Error("a lookup holds all that a selector matches, whatever their state, and no other account")
	}
	snapshot, err = table.Lookup(t.Context(), nil, nil)
	must(t, err)
	same(t, "availability of a lookup of nothing", directory.Known, snapshot.Availability())
}

func membersAreFound(t *testing.T, table AccountsTable) {
	var members, asked []string
	for i := range 150 { // more than one batch holds
		id := fmt.Sprintf("%012d", i)
		asked = append(asked, id, id)
		if i%33 == 0 { // the 99th is among the last of a batch
			members = append(members, id)
			write(t, table, account(id, []string{upper}))
		}
	}
	must(t, table.MarkSynced(t.Context(), at(0)))
	for _, selectors := range [][]string{nil, {upper}, {other}} {
		snapshot, err := table.Lookup(t.Context(), principals(t, selectors...), asked)
		must(t, err)
		var found []string
		for _, id := range slices.Compact(slices.Clone(asked)) {
			if snapshot.IsMember(id) {
				found = append(found, id)
			}
		}
		same(t, "members", members, found)
	}
}

// manyAccounts are more than one page of a paged read.
func manyAccounts(t *testing.T, table AccountsTable) {
	var accounts []directory.Account
	var ids []string
	for i := range 20 {
		accounts = append(accounts, account(fmt.Sprintf("%012d", i), []string{upper, lower}))
		ids = append(ids, accounts[i].ID)
	}
	write(t, table, accounts...)
	all, err := table.All(t.Context())
	must(t, err)
	same(t, "ids", ids, all)
	want := map[string][]string{upper: ids, lower: ids, lower + "/direct": ids, organization: ids}
	same(t, "accounts that each selector matches", want, finds(t, table, upper, lower, lower+"/direct", organization, other))
}

func accountsCancelled(t *testing.T, table AccountsTable) {
	write(t, table, account("444455556666", []string{upper}))
	must(t, table.MarkSynced(t.Context(), at(0)))
	check := func(what string, nothing bool, err error) {
		t.Helper()
		if !errors.Is(err, context.Canceled) || grant.CodeOf(err) == "" || !nothing {
			t.Errorf("%s: want nothing but a coded error that wraps context.Canceled, got %v", what, err)
		}
	}
	snapshot, err := table.Lookup(cancelled(), principals(t, upper), nil)
	check("Lookup", snapshot.Availability() != directory.Known, err)
	got, found, err := table.Account(cancelled(), "444455556666")
	check("Account", !found && cmp.Equal(got, directory.Account{}), err)
	ids, err := table.All(cancelled())
	check("All", len(ids) == 0, err)
	changed, err := table.Write(cancelled(), account("444455556666", nil))
	check("Write", !changed, err)
	removed, err := table.Remove(cancelled(), "444455556666", at(1))
	check("Remove", !removed, err)
	changed, err = table.Update(cancelled(), "444455556666", func(*directory.Account) (*directory.Account, bool) { return nil, true })
	check("Update", !changed, err)
	recorded, err := table.Recorded(cancelled())
	check("Recorded", len(recorded) == 0, err)
	notes, err := table.Notes(cancelled(), directory.TopicRecheck)
	check("Notes", len(notes) == 0, err)
	check("PutNote", true, table.PutNote(cancelled(), directory.Note{Topic: directory.TopicRecheck, ID: "x"}))
	deleted, err := table.DeleteNote(cancelled(), directory.Note{Topic: directory.TopicRecheck, ID: "x"})
	check("DeleteNote", !deleted, err)
	check("MarkSynced", true, table.MarkSynced(cancelled(), at(1)))
	synced, err := table.Synced(cancelled())
	check("Synced", synced.IsZero(), err)

	same(t, "where it is found", map[string][]string{upper: {"444455556666"}}, finds(t, table, upper))
}
