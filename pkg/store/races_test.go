package store_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

const (
	here  = "ou-abcd-11111111"
	there = "ou-abcd-22222222"
)

func TestRacesOnMoto(t *testing.T) {
	moto := &server{endpoint: cloudtest.Moto(t).Endpoint()}
	for name, holds := range map[string]func(*testing.T, *server){
		"an account that moves during a lookup is not missed":            aMoveDuringALookup,
		"a writer who loses a race decides again":                        aLostRace,
		"a removal that loses a race leaves a newer reading":             aLostRemoval,
		"a change of all tags that breaks off is taken up again":         aBrokenChange,
		"rows of more than a megabyte come in pages, and all of them do": manyPages,
		"of two records in several steps only one goes on":               aRecordInSteps,
		"a record during a load is loaded whole":                         aRecordDuringALoad,
		"an overflow during a load is loaded whole":                      anOverflowDuringALoad,
	} {
		t.Run(name, func(t *testing.T) { holds(t, moto) })
	}
}

// reading is what was read of an account some minutes after now.
func reading(minutes int, unit, tag string) directory.Account {
	return directory.Account{
		ID: "444455556666", State: directory.StateActive, Organization: "o-exampleorgid",
		Path: []string{unit}, Tags: map[string]string{"reading": tag}, ReadAt: now.Add(time.Duration(minutes) * time.Minute),
	}
}

func selectors(t *testing.T, texts ...string) []grant.Principal {
	t.Helper()
	parsed := make([]grant.Principal, len(texts))
	for i, text := range texts {
		selector, err := grant.ParsePrincipal(text)
		if err != nil {
			t.Fatal(err)
		}
		parsed[i] = selector
	}
	return parsed
}

// chosen lists, by selector, the accounts that a lookup finds.
func chosen(t *testing.T, table *store.Accounts, texts ...string) map[string][]string {
	t.Helper()
	parsed := selectors(t, texts...)
	snapshot, err := table.Lookup(t.Context(), parsed, nil)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string][]string)
	for i, selector := range parsed {
		if ids, _ := snapshot.Select(selector, grant.Exclusion{}); len(ids) > 0 {
			found[texts[i]] = ids
		}
	}
	return found
}

func write(t *testing.T, table *store.Accounts, account directory.Account) {
	t.Helper()
	if _, err := table.Write(t.Context(), account); err != nil {
		t.Fatal(err)
	}
}

// rivals opens an accounts table that a listing has ended for, for one who is
// alone and for one before whose n-th call of an operation, from 1, something
// happens.
func rivals(t *testing.T, s *server, name string, happen func(n int, rival *store.Accounts)) (rival, table *store.Accounts) {
	t.Helper()
	client, plain, names := s.openTwice(t, counted(name, func(n int) { happen(n, rival) }))
	rival, table = store.NewAccounts(plain, names.Accounts), store.NewAccounts(client, names.Accounts)
	if err := rival.MarkSynced(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	return rival, table
}

func aMoveDuringALookup(t *testing.T, s *server) {
	rival, table := rivals(t, s, "Query", func(n int, rival *store.Accounts) {
		if n == 2 { // between the two selectors' partitions, from the one not yet read to the one read
			write(t, rival, reading(1, here, "second"))
		}
	})
	write(t, rival, reading(0, there, "first"))
	want := map[string][]string{here: {"444455556666"}}
	if diff := cmp.Diff(want, chosen(t, table, here, there)); diff != "" {
		t.Errorf("accounts that the selectors match (-want +got):\n%s", diff)
	}
}

func TestLookupFailsIfAccountsKeepMoving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queries := 0
		table := store.NewAccounts(answering(func(operation string) *http.Response {
			if operation == "GetItem" {
				return answer(map[string]any{"Item": map[string]any{"syncedAt": map[string]any{"S": "2026-11-20T09:00:00Z"}}})
			}
			queries++
			if (queries-1)/2%2 == 0 { // every other pass of two queries
				return answer(map[string]any{"Items": []any{}})
			}
			return answer(map[string]any{"Items": []any{map[string]any{"pk": map[string]any{"S": "OU#" + here}, "sk": map[string]any{"S": "444455556666"}}}})
		}), "a")
		snapshot, err := table.Lookup(t.Context(), selectors(t, here, there), nil)
		if grant.CodeOf(err) != reconcile.CodeReadFailed || snapshot.Availability() != directory.Unreadable {
			t.Errorf("want a failed read and an unreadable directory, got %d, %v", snapshot.Availability(), err)
		}
	})
}

func aLostRace(t *testing.T, s *server) {
	cases := map[string]struct {
		reason       string
		ours, theirs directory.Account
		want         map[string][]string
		changed      bool
	}{
		"to a newer reading": {
			reason: "never older over newer",
			ours:   reading(1, here, "ours"), theirs: reading(2, there, "rival"),
			want: map[string][]string{there: {"444455556666"}, "tag:reading=rival": {"444455556666"}},
		},
		"to an older reading": {
			reason: "what the other left is taken away too",
			ours:   reading(2, here, "ours"), theirs: reading(1, there, "rival"),
			want: map[string][]string{here: {"444455556666"}, "tag:reading=ours": {"444455556666"}}, changed: true,
		},
	}
	for name, c := range cases {
		for _, first := range []string{"known", "unknown"} {
			t.Run(first+" account, "+name, func(t *testing.T) {
				begun := false
				rival, table := rivals(t, s, "TransactWriteItems", func(n int, rival *store.Accounts) {
					if begun && n == 1 {
						write(t, rival, c.theirs)
					}
				})
				if first == "known" {
					write(t, rival, reading(0, "ou-abcd-33333333", "before"))
				}
				begun = true
				changed, err := table.Write(t.Context(), c.ours)
				if err != nil || changed != c.changed {
					t.Errorf("%s: want changed %v, got %v, %v", c.reason, c.changed, changed, err)
				}
				got := chosen(t, table, here, there, "ou-abcd-33333333", "tag:reading=before", "tag:reading=ours", "tag:reading=rival")
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("%s: accounts that the selectors match (-want +got):\n%s", c.reason, diff)
				}
			})
		}
	}
}

func aLostRemoval(t *testing.T, s *server) {
	rival, table := rivals(t, s, "TransactWriteItems", func(n int, rival *store.Accounts) {
		if n == 1 {
			write(t, rival, reading(3, there, "back"))
		}
	})
	write(t, rival, reading(0, here, "before"))
	removed, err := table.Remove(t.Context(), "444455556666", now.Add(time.Minute))
	if err != nil || removed {
		t.Errorf("want nothing removed, got %v, %v", removed, err)
	}
	want := map[string][]string{there: {"444455556666"}}
	if diff := cmp.Diff(want, chosen(t, rival, here, there)); diff != "" {
		t.Errorf("accounts that the selectors match (-want +got):\n%s", diff)
	}
}

// A change of more tags than fit in one transaction is two, and each leaves the
// account and its memberships in agreement.
func aBrokenChange(t *testing.T, s *server) {
	tagged := func(minutes int, value string) directory.Account {
		a := reading(minutes, here, value)
		for i := range 49 {
			a.Tags[fmt.Sprintf("key-%d", i)] = value
		}
		return a
	}
	broken := true
	client, plain, names := s.openTwice(t, breaking("TransactWriteItems", 2, &broken))
	rival, table := store.NewAccounts(plain, names.Accounts), store.NewAccounts(client, names.Accounts)
	if err := rival.MarkSynced(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	before, after := tagged(0, "before"), tagged(1, "after")
	write(t, rival, before)
	if _, err := table.Write(t.Context(), after); err == nil || strings.Contains(err.Error(), "100") {
		t.Fatalf("want the refusal of the second transaction, got %v", err)
	}
	between, _, err := rival.Account(t.Context(), after.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := before
	want.Tags = nil
	if diff := cmp.Diff(want, between); diff != "" {
		t.Errorf("account between the two (-want +got):\n%s", diff)
	}
	asked := []string{here, "tag:key-0=before", "tag:key-48=before", "tag:key-0=after", "tag:key-48=after"}
	if diff := cmp.Diff(map[string][]string{here: {after.ID}}, chosen(t, rival, asked...)); diff != "" {
		t.Errorf("accounts that the selectors match between the two (-want +got):\n%s", diff)
	}

	broken = false
	write(t, table, after)
	end := map[string][]string{here: {after.ID}, "tag:key-0=after": {after.ID}, "tag:key-48=after": {after.ID}}
	if diff := cmp.Diff(end, chosen(t, rival, asked...)); diff != "" {
		t.Errorf("accounts that the selectors match in the end (-want +got):\n%s", diff)
	}
}

func manyPages(t *testing.T, s *server) {
	queries := 0
	client, names := s.open(t, before("Query", func(*http.Request) *http.Response {
		queries++
		return nil
	}))
	grants := store.NewGrants(client, names.Grants)
	if err := grants.PutSentinel(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		row := grant.Attributes{"gateway": "*", "grant": strconv.Itoa(i), "principal": "444455556666", "reason": strings.Repeat("x", 390_000)}
		if err := grants.Put(t.Context(), row, true); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := grants.ForGateway(t.Context(), alpha(t))
	if err != nil || len(rows) != 4 || queries < 3 {
		t.Errorf("want 4 rows in 3 queries or more, got %d in %d, %v", len(rows), queries, err)
	}
}

const agent = "arn:aws:iam::444455556666:role/One"

// begins is a write that names the agent by identity.
var begins = ledger.BeginWrite{Until: now, WriteAhead: ledger.WriteAhead{InFlight: map[string][]string{"": {agent}}}}
