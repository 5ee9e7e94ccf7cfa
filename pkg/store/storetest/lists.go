package storetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

var lists = []directory.Topic{directory.TopicTrusted, directory.TopicOwner}

func entry(list directory.Topic, id string) directory.Note {
	return directory.Note{Topic: list, ID: id, At: at(1), Text: "arn:aws:iam::111122223333:role/Admin"}
}

// trusts reports whether a lookup finds the account trusted, and whether that is known.
func trusts(t *testing.T, table AccountsTable, id string) (trusted, known bool) {
	t.Helper()
	snapshot, err := table.Lookup(t.Context(), nil, []string{id})
	must(t, err)
	return snapshot.Trusts(id)
}

func listsAreProved(t *testing.T, table AccountsTable) {
	must(t, table.MarkSynced(t.Context(), at(0)))
	for _, list := range lists {
		_, err := table.List(t.Context(), list)
		same(t, "a list without its sentinel", store.CodeNoListSentinel, grant.CodeOf(err))
	}
	_, err := table.IsOwner(t.Context(), "444455556666")
	same(t, "whether an account is an owner, without the sentinel", store.CodeNoListSentinel, grant.CodeOf(err))
	_, known := trusts(t, table, "444455556666")
	same(t, "whether trust is known without the sentinel", false, known)

	must(t, table.PutListSentinels(t.Context()))
	for _, list := range lists {
		entries, err := table.List(t.Context(), list)
		must(t, err)
		same(t, "entries of a proved list", []directory.Note{}, entries)
	}
	owner, err := table.IsOwner(t.Context(), "444455556666")
	must(t, err)
	same(t, "whether an account is an owner", false, owner)
	trusted, known := trusts(t, table, "444455556666")
	same(t, "trusted and known", []bool{false, true}, []bool{trusted, known})
}

func listsChangeWhole(t *testing.T, table AccountsTable) {
	must(t, table.MarkSynced(t.Context(), at(0)))
	must(t, table.PutListSentinels(t.Context()))
	one, two := entry(directory.TopicTrusted, "444455556666"), entry(directory.TopicTrusted, "777788889999")
	must(t, table.AddToList(t.Context(), directory.TopicTrusted, []directory.Note{one}))
	err := table.AddToList(t.Context(), directory.TopicTrusted, []directory.Note{two, one})
	same(t, "adding what is there", store.CodeListChanged, grant.CodeOf(err))
	entries := func(list directory.Topic) []directory.Note {
		t.Helper()
		found, err := table.List(t.Context(), list)
		must(t, err)
		return found
	}
	same(t, "entries after an addition that failed", []directory.Note{one}, entries(directory.TopicTrusted))
	same(t, "entries of the other list", []directory.Note{}, entries(directory.TopicOwner))
	trusted, _ := trusts(t, table, one.ID)
	stranger, _ := trusts(t, table, two.ID)
	same(t, "who is trusted", []bool{true, false}, []bool{trusted, stranger})

	other := one
	other.Text = "arn:aws:iam::111122223333:role/Another"
	must(t, table.AddToList(t.Context(), directory.TopicTrusted, []directory.Note{two}))
	err = table.RemoveFromList(t.Context(), directory.TopicTrusted, []directory.Note{two, other})
	same(t, "removing another entry than was read", store.CodeListChanged, grant.CodeOf(err))
	same(t, "entries after a removal that failed", []directory.Note{one, two}, entries(directory.TopicTrusted))
	must(t, table.RemoveFromList(t.Context(), directory.TopicTrusted, []directory.Note{one, two}))
	same(t, "entries after all were removed", []directory.Note{}, entries(directory.TopicTrusted))
	ids, err := table.All(t.Context())
	must(t, err)
	same(t, "accounts that lists make", 0, len(ids))
}

// listsAreLong reads more entries than one transaction writes, and finds each by itself.
func listsAreLong(t *testing.T, table AccountsTable) {
	var all []directory.Note
	for n := range 120 {
		all = append(all, entry(directory.TopicOwner, fmt.Sprintf("1000%08d", n)))
	}
	for some := range slices.Chunk(all, store.MostListed) {
		must(t, table.AddToList(t.Context(), directory.TopicOwner, some))
	}
	entries, err := table.List(t.Context(), directory.TopicOwner)
	must(t, err)
	same(t, "entries", all, entries)
	for id, want := range map[string]bool{all[0].ID: true, all[119].ID: true, "444455556666": false} {
		owner, err := table.IsOwner(t.Context(), id)
		must(t, err)
		same(t, "whether "+id+" is an owner", want, owner)
	}
}
