package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// withHeld records two accounts that are held and one that is not.
func withHeld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.done("grant", gatewayARN, "ou-abcd-11112222")
	w.done("grant", "*", "777788889999")
	since := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	in := directory.View{State: directory.StateActive, Organization: "o-exampleorgid", Path: []string{"ou-abcd-11112222"}, Tags: map[string]string{"env": "prod"}}
	for _, account := range []directory.Account{
		{ID: "444455556666", State: directory.StateActive, Organization: "o-exampleorgid", HeldSince: since, Kept: []directory.Kept{{View: in, LostSince: since}}},
		{ID: "777788889999", State: directory.StateActive, Organization: "o-exampleorgid", Path: in.Path, HeldSince: since, MissingSince: since},
		{ID: "888899990000", State: directory.StateActive, Organization: "o-exampleorgid", Path: in.Path},
	} {
		_, err := w.accounts.Write(t.Context(), account)
		w.must(err)
		w.must(w.accounts.PutNote(t.Context(), directory.Note{Topic: directory.TopicDeparture, ID: account.ID, At: since, Text: directory.HeldText}))
	}
	return w
}

// approvals are the decisions about departures that admins approved, by account.
func (w *world) approvals() grant.Approvals {
	w.t.Helper()
	approved, err := w.grants.ApprovedDepartures(w.t.Context())
	w.must(err)
	return approved
}

// departure is the decision about an account that is held.
func (w *world) departure(id string) grant.Decision {
	w.t.Helper()
	account, _, err := w.accounts.Account(w.t.Context(), id)
	w.must(err)
	return account.Decision()
}

// squeezed has one space where a table has many.
func squeezed(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(lines, "\n")
}

func TestApproveListsWhatWaitsAndWhatItWouldDo(t *testing.T) {
	w := withHeld(t)
	want := w.departure("444455556666").ID() + ` account 444455556666 loses its place in ou-abcd-11112222 (now the root); tag env=prod, since 2026-11-20T09:00:00Z
- 444455556666
grant ou-abcd-11112222 on tools-abcdefghij
` + w.departure("777788889999").ID() + ` account 777788889999 loses its membership, since 2026-11-20T09:00:00Z
- 777788889999
grant 777788889999 on every gateway
grant ou-abcd-11112222 on tools-abcdefghij
`
	if diff := cmp.Diff(squeezed(want), squeezed(w.done("approve").out)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	var said approval
	w.must(json.Unmarshal([]byte(w.done("approve", "-o", "json").out), &said))
	if said.Approved || len(said.Waiting) != 2 || said.Waiting[1].Removes[0] != "777788889999" || len(said.Waiting[1].Grants) != 2 {
		t.Errorf("said %+v", said)
	}
	if approved := w.approvals(); len(approved) > 0 {
		t.Errorf("what was listed is approved: %v", approved)
	}
}

func TestApproveAsksFirst(t *testing.T) {
	w := withHeld(t)
	id := w.departure("444455556666").ID()
	for name, args := range map[string][]string{
		"no answer":         {"approve", id},
		"no answer, JSON":   {"approve", id, "-o", "json"},
		"all, no answer":    {"approve", "--all"},
		"an unknown id":     {"approve", "departure-00000000", "--yes"},
		"one id unknown":    {"approve", id, "departure-00000000", "--yes"},
		"the account's id":  {"approve", "444455556666", "--yes"},
		"an empty id":       {"approve", "", "--yes"},
		"ids, and all":      {"approve", id, "--all", "--yes"},
		"yes, and no names": {"approve", "--yes"},
	} {
		if got := w.run(args...); got.code != exitError && name != "yes, and no names" {
			t.Errorf("%s: exit %d: %s", name, got.code, got.out)
		}
		if approved := w.approvals(); len(approved) > 0 {
			t.Fatalf("%s: approved: %v", name, approved)
		}
	}
}

func TestWhatIsShownIsApproved(t *testing.T) {
	w := withHeld(t)
	one, other := w.departure("444455556666"), w.departure("777788889999")
	got := w.done("approve", "--yes", one.ID())
	if !strings.HasSuffix(got.out, "Approved 1 decision. It takes effect within about a minute.\n") || strings.Contains(got.out, "777788889999") {
		t.Errorf("said %s", got.out)
	}
	if approved := w.approvals(); len(approved) != 1 || !approved.Approve(one, w.now()) || approved.Approve(other, w.now()) {
		t.Errorf("approved: %v", approved)
	}
	var said approval
	w.must(json.Unmarshal([]byte(w.done("approve", "--all", "--yes", "-o", "json").out), &said))
	if approved := w.approvals(); !said.Approved || len(said.Waiting) != 2 || !approved.Approve(other, w.now()) {
		t.Errorf("said %+v, approved %v", said, approved)
	}
	if rows := w.rows(); len(rows) != 2 {
		t.Errorf("an approval is taken for a row: %v", rows)
	}
}

func TestWhereNothingWaitsThereIsNothingToApprove(t *testing.T) {
	w := newWorld(t)
	for _, args := range [][]string{{"approve"}, {"approve", "--all"}} {
		if got := w.done(args...); got.out != "Nothing waits for an admin.\n" {
			t.Errorf("said %s", got.out)
		}
	}
}

func TestOnlyAYesConfirms(t *testing.T) {
	for answer, want := range map[string]bool{"y\n": true, "YES\n": true, "\n": false, "n\n": false, "yesterday\n": false, "": false} {
		shown := "Sure? "
		if answer == "" {
			shown += "\n" // Ctrl-D leaves the cursor behind the question
		}
		var asked bytes.Buffer
		if got := confirmed(strings.NewReader(answer), &asked, "Sure? "); got != want || asked.String() != shown {
			t.Errorf("%q: %v, asked %q", answer, got, asked.String())
		}
	}
}
