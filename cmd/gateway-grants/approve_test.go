package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
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

func (w *world) approvals() map[string]string {
	w.t.Helper()
	notes, err := w.accounts.Notes(w.t.Context(), directory.TopicApproval)
	w.must(err)
	approved := make(map[string]string)
	for _, note := range notes {
		approved[note.ID] = note.Text
	}
	return approved
}

func (w *world) departure(id string) string {
	w.t.Helper()
	account, _, err := w.accounts.Account(w.t.Context(), id)
	w.must(err)
	return account.Departure()
}

const heldTable = `ACCOUNT LOSES GRANTS HELD SINCE
444455556666 its place in ou-abcd-11112222 (now the root); tag env=prod ou-abcd-11112222 on tools-abcdefghij 2026-11-20T09:00:00Z
777788889999 its membership 777788889999 on every gateway, ou-abcd-11112222 on tools-abcdefghij 2026-11-20T09:00:00Z
`

// squeezed has one space where a table has many.
func squeezed(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(lines, "\n")
}

func TestNothingIsApprovedUnlessSomebodySaysSo(t *testing.T) {
	w := withHeld(t)
	got := w.run("approve")
	if diff := cmp.Diff(squeezed(heldTable), squeezed(got.out)); diff != "" || got.code != exitError || !strings.Contains(got.err, "--yes") {
		t.Errorf("exit %d, %s: -want +got\n%s", got.code, got.err, diff)
	}
	if got = w.run("approve", "-o", "json"); got.code != exitError || !strings.Contains(got.out, `"approved": false`) {
		t.Errorf("exit %d: %s", got.code, got.out)
	}
	if got = w.run("approve", "888899990000", "--yes"); got.code != exitError || !strings.Contains(got.err, "is not held") {
		t.Errorf("exit %d: %s", got.code, got.err)
	}
	if approved := w.approvals(); len(approved) > 0 {
		t.Errorf("approved: %v", approved)
	}
}

func TestWhatIsShownIsApproved(t *testing.T) {
	w := withHeld(t)
	got := w.done("approve", "--yes", "444455556666")
	if !strings.HasSuffix(got.out, "Approved 1 departure; it takes effect within about a minute\n") || strings.Contains(got.out, "777788889999") {
		t.Errorf("said %s", got.out)
	}
	if diff := cmp.Diff(map[string]string{"444455556666": w.departure("444455556666")}, w.approvals()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}

	var said struct {
		Held []struct {
			Account, Departure string
			Grants, Loses      []string
		}
		Approved bool
	}
	w.must(json.Unmarshal([]byte(w.done("approve", "--yes", "-o", "json").out), &said))
	if !said.Approved || len(said.Held) != 2 || said.Held[1].Departure != w.departure("777788889999") || len(said.Held[1].Grants) != 2 {
		t.Errorf("said %+v", said)
	}
	if len(w.approvals()) != 2 {
		t.Errorf("approved: %v", w.approvals())
	}
}

func TestWithoutDeparturesThereIsNothingToApprove(t *testing.T) {
	w := newWorld(t)
	if got := w.done("approve"); got.out != "No departures are held, and no takeover waits.\n" {
		t.Errorf("said %s", got.out)
	}
}

func TestOnlyAYesConfirms(t *testing.T) {
	for answer, want := range map[string]bool{"y\n": true, "YES\n": true, "\n": false, "n\n": false, "yesterday\n": false, "": false} {
		var asked bytes.Buffer
		if got := confirmed(strings.NewReader(answer), &asked, "Sure? "); got != want || asked.String() != "Sure? " {
			t.Errorf("%q: %v, asked %q", answer, got, asked.String())
		}
	}
}
