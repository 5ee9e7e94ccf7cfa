package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
)

// listed are the accounts on a list of the table.
func (w *world) listed(list directory.Topic) []string {
	w.t.Helper()
	entries, err := w.accounts.List(w.t.Context(), list)
	w.must(err)
	ids := []string{}
	for _, entry := range entries {
		ids = append(ids, entry.ID)
	}
	return ids
}

func TestAccountsAreChangedTogether(t *testing.T) {
	w := newWorld(t)
	for _, step := range []struct {
		reason string
		args   []string
		code   int
		says   string
		want   []string
	}{
		{"several at once, each once", []string{"add", "--trusted", "777788889999", "888899990000", "777788889999"}, exitDone, "Added 2 accounts (trusted)", []string{"777788889999", "888899990000"}},
		{"what is there stays", []string{"add", "--trusted", "777788889999", "999900001111"}, exitDone, "Added 1 account (trusted). It takes effect within a minute.\n1 account: nothing to do", []string{"777788889999", "888899990000", "999900001111"}},
		{"one of them is no account", []string{"add", "--trusted", "123456789012", "12345"}, exitError, `"12345" is no account`, []string{"777788889999", "888899990000", "999900001111"}},
		{"one of them is no account", []string{"remove", "--trusted", "777788889999", "o-exampleorgid"}, exitError, "nothing was changed", []string{"777788889999", "888899990000", "999900001111"}},
		{"no list", []string{"add", "777788889999"}, exitError, "write --trusted or --owner", []string{"777788889999", "888899990000", "999900001111"}},
		{"two lists", []string{"remove", "--trusted", "--owner", "777788889999"}, exitError, "write --trusted or --owner", []string{"777788889999", "888899990000", "999900001111"}},
		{"no account", []string{"add", "--trusted"}, exitError, "take accounts", []string{"777788889999", "888899990000", "999900001111"}},
		{"the other list", []string{"remove", "--owner", "777788889999"}, exitDone, "1 account: nothing to do", []string{"777788889999", "888899990000", "999900001111"}},
		{"some of them", []string{"remove", "--trusted", "777788889999", "888899990000"}, exitDone, "Removed 2 accounts (trusted)", []string{"999900001111"}},
	} {
		got := w.run(append([]string{"account"}, step.args...)...)
		if got.code != step.code || !strings.Contains(got.out+got.err, step.says) {
			t.Errorf("%s: %v: exit %d\n%s%s", step.reason, step.args, got.code, got.out, got.err)
		}
		if diff := cmp.Diff(step.want, w.listed(directory.TopicTrusted)); diff != "" {
			t.Errorf("%s: %v: -want +got\n%s", step.reason, step.args, diff)
		}
	}
	if owners := w.listed(directory.TopicOwner); len(owners) > 0 {
		t.Errorf("owners %v", owners)
	}
}

func TestAccountListShowsSources(t *testing.T) {
	w := newWorld(t)
	t.Setenv("TRUSTED_ACCOUNTS", "777788889999,888899990000")
	w.done("account", "add", "--trusted", "888899990000", "999900001111")
	got := w.done("account", "list", "--trusted", "-o", "json")
	fits(t, "account", got.out)
	var rows []listedAccount
	w.must(json.Unmarshal([]byte(got.out), &rows))
	for i := range rows {
		if _, err := time.Parse(time.RFC3339, rows[i].Since); err != nil && rows[i].Since != "" {
			t.Errorf("added at %q", rows[i].Since)
		}
		rows[i].Since = ""
	}
	admin := "arn:aws:sts::111122223333:assumed-role/AdminRole/session"
	want := []listedAccount{
		{Account: "777788889999", List: "trusted", By: "parameter TrustedAccounts"},
		{Account: "888899990000", List: "trusted", By: admin},
		{Account: "999900001111", List: "trusted", By: admin},
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if got := w.done("account", "remove", "--trusted", "888899990000"); !strings.Contains(got.err, "Note: account 888899990000 stays trusted: parameter TrustedAccounts names it") {
		t.Errorf("removed:\n%s%s", got.out, got.err)
	}
}

func TestAccountAddAndRemoveThousand(t *testing.T) {
	w := newWorld(t)
	var ids []string
	for n := range 1000 {
		ids = append(ids, fmt.Sprintf("1000%08d", n))
	}
	w.done(append([]string{"account", "add", "--owner"}, ids...)...)
	if diff := cmp.Diff(ids, w.listed(directory.TopicOwner)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	w.done(append([]string{"account", "remove", "--owner"}, ids...)...)
	if left := w.listed(directory.TopicOwner); len(left) > 0 {
		t.Errorf("%d accounts are left", len(left))
	}
}

func TestAccountListShowsWhichOwnersHaveJoined(t *testing.T) {
	w := newWorld(t)
	w.done("account", "add", "--owner", "444455556666", "777788889999", "888899990000")
	since := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	w.must(w.states.SetOwner(t.Context(), "444455556666", ledger.Owner{JoinedAt: since}))
	w.must(w.states.SetOwner(t.Context(), "777788889999", ledger.Owner{JoinedAt: since, FailingSince: since, Message: "AccessDenied"}))
	var rows []listedAccount
	got := w.done("account", "list", "--owner", "-o", "json")
	fits(t, "account", got.out)
	w.must(json.Unmarshal([]byte(got.out), &rows))
	states := map[string]string{}
	for _, row := range rows {
		states[row.Account] = row.State
	}
	want := map[string]string{"111122223333": "Joined", "444455556666": "Joined", "777788889999": "Failing", "888899990000": "NotJoined"}
	if diff := cmp.Diff(want, states); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
