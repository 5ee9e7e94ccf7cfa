package plan_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
)

// byNewer is the world as a newer version has recorded it, in a form of its own.
func byNewer(w plan.World) plan.World {
	w.Gateway.Recorded.Newer = ledger.Newer{Form: ledger.Form + 1, Product: "9.0"}
	return w
}

// unreadable has the record of a row be in words that this version does not know.
func unreadable(w *plan.World, id, expires string) {
	status := w.Gateway.Recorded.Grants[key(id)]
	status.LastValid = `{"form":2,"members":"everyone of the team"` + expires + `}`
	w.Gateway.Recorded.Grants[key(id)] = status
}

// inForm is a row that a newer version wrote.
func inForm(id, principal string) grant.Row {
	return rowOf(id, principal, "form", "2", "members", "team")
}

func TestOlderVersionKeepsNewerRecord(t *testing.T) {
	b, c := rowOf("b", "444455556666"), rowOf("c", "777788889999", "expires", "2026-12-01")
	later := now.Add(9 * 24 * time.Hour)
	for name, test := range map[string]struct {
		reason string
		newer  bool // the record has a newer form
		change func(w *plan.World)
		want   []string // principals of our statements
	}{
		"nothing changed": {"both are recorded", true, func(*plan.World) {}, []string{accountB, rootC}},
		"rows of a newer form": {
			"the record says what they gave", true,
			func(w *plan.World) { w.Rows = []grant.Row{inForm("b", "1"), inForm("c", "2")} }, []string{accountB, rootC},
		},
		"rows of a newer form, recorded in the form of this version": {
			"an older version of the functions may have recorded them last", false,
			func(w *plan.World) { w.Rows = []grant.Row{inForm("b", "1"), inForm("c", "2")} }, []string{accountB, rootC},
		},
		"a row that was deleted": {"a deletion revokes", true, func(w *plan.World) { w.Rows = w.Rows[:1] }, []string{accountB}},
		"every row was deleted":  {"a deletion revokes", true, func(w *plan.World) { w.Rows = nil }, nil},
		"a row of a newer form that was deleted": {
			"its last valid revision is not needed for that", true,
			func(w *plan.World) { unreadable(w, "b", ""); w.Rows = []grant.Row{inForm("c", "2")} }, []string{rootC},
		},
		"a record that cannot be read, beside a row that was deleted": {
			"its principal stands once, which is its access", true,
			func(w *plan.World) { unreadable(w, "b", ""); w.Rows = w.Rows[:1] }, []string{accountB},
		},
		"a recorded expiry that has passed": {"access is kept until then", true, func(w *plan.World) { w.Now = later }, []string{accountB}},
		"a recorded expiry that has passed, in a record that cannot be read": {
			"the expiry is read for itself", true,
			func(w *plan.World) { unreadable(w, "c", `,"expires":"2026-12-02T00:00:00Z"`); w.Now = later }, []string{accountB},
		},
		"an expiry that was put off": {
			"an edit may mean anything, and the recorded expiry counts", true,
			func(w *plan.World) {
				w.Now, w.Rows = later, []grant.Row{b, rowOf("c", "777788889999", "expires", "2027-12-01")}
			}, []string{accountB},
		},
		"a row that was edited": {
			"it waits for the newer version", true,
			func(w *plan.World) { w.Rows = []grant.Row{rowOf("b", "888899990000"), c} }, []string{accountB, rootC},
		},
		"a new row": {
			"nothing is added", true,
			func(w *plan.World) { w.Rows = append(w.Rows, rowOf("new", "888899990000")) }, []string{accountB, rootC},
		},
		"a new row beside one that was deleted": {
			"nothing is added", true,
			func(w *plan.World) { w.Rows = []grant.Row{b, rowOf("new", "888899990000")} }, []string{accountB},
		},
		"a row deleted and written again": {
			"what was taken out does not come back by the record", true,
			func(w *plan.World) { w.Gateway.Policy = mustMake(t, world(t, b)).Want }, []string{accountB},
		},
		"a write of the newer version that has not ended": {
			"the rows that it gave access to are not in their statuses yet", true,
			func(w *plan.World) {
				d := rowOf("d", "888899990000")
				written := mustMake(t, world(t, b, c, d))
				w.Rows = append(w.Rows, d)
				w.Gateway.Policy, w.Gateway.Recorded.Gateway.PendingHash = written.Want, "in its own words"
				w.Gateway.Recorded.Gateway.PendingRevisions = map[grant.Key]string{d.Key: d.Canonical()}
			}, []string{accountB, rootC, "arn:aws:iam::888899990000:root"},
		},
		"a row that has expired before what its write gave was recorded": {
			"its revision in flight says until when", true,
			func(w *plan.World) {
				w.Now = later
				delete(w.Gateway.Recorded.Grants, c.Key)
				w.Gateway.Recorded.Gateway.PendingHash = "in its own words"
				w.Gateway.Recorded.Gateway.PendingRevisions = map[grant.Key]string{c.Key: c.Canonical()}
			}, []string{accountB},
		},
		"a row deleted before what its write gave was recorded": {
			"the record of another row does not explain it", true,
			func(w *plan.World) {
				w.Rows = []grant.Row{c}
				w.Gateway.Recorded.Grants = map[grant.Key]grant.Status{}
				w.Gateway.Recorded.Gateway.PendingHash = "in its own words"
				w.Gateway.Recorded.Gateway.PendingRevisions = map[grant.Key]string{c.Key: c.Canonical()}
			}, []string{rootC},
		},
		"a row deleted during a write of the newer version": {
			"the deletion revokes, and what the write gave stays", true,
			func(w *plan.World) {
				d := rowOf("d", "888899990000")
				written := mustMake(t, world(t, b, c, d))
				w.Rows = []grant.Row{c, d}
				w.Gateway.Policy, w.Gateway.Recorded.Gateway.PendingHash = written.Want, "in its own words"
				w.Gateway.Recorded.Gateway.PendingRevisions = map[grant.Key]string{d.Key: d.Canonical()}
			}, []string{rootC, "arn:aws:iam::888899990000:root"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := settled(t, world(t, b, c))
			if test.newer {
				w = byNewer(w)
			}
			test.change(&w)
			p := mustMake(t, w)
			var got []string
			if p.Want != nil {
				for _, s := range p.Want.Statements {
					got = append(got, s.Principal.AWS...)
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s: -want +got\n%s", test.reason, diff)
			}
			if !test.newer {
				return
			}
			reported := p.Blocked
			if reported == nil {
				reported = p.Waits
			}
			if reported == nil || reported.Code != grant.CodeNewerVersion || !strings.Contains(reported.Hint, "9.0") || len(p.Notices) > 0 {
				t.Errorf("reported: %v, notices %v", reported, p.Notices)
			}
		})
	}
}

// The next run may find the directory without its mark of a complete listing.
func TestBlockedGatewayRecordsThatThereIsDirectory(t *testing.T) {
	known := directory.Complete(nil, []directory.Account{{ID: "444455556666", State: directory.StateActive}})
	for name, test := range map[string]struct {
		accounts directory.Snapshot
		recorded bool
		want     bool
	}{
		"it could be read":      {known, false, true},
		"it could be read once": {directory.Failed(), true, true},
		"there is none":         {directory.Snapshot{}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := byNewer(settled(t, world(t, rowOf("b", "444455556666"))))
			w.Accounts, w.Gateway.Recorded.Gateway.HadDirectory = test.accounts, test.recorded
			p := mustMake(t, w)
			if p.Blocked == nil || p.HadDirectory != test.want {
				t.Errorf("blocked by %v, it records %t", p.Blocked, p.HadDirectory)
			}
		})
	}
}

// A newer version finds what an older one did on top of its record: the record is as
// it left it, and everything that waited takes effect.
func TestNewerVersionContinuesAfterOlder(t *testing.T) {
	b, c, d := rowOf("b", "444455556666"), rowOf("c", "777788889999"), rowOf("d", "888899990000")
	before := byNewer(settled(t, world(t, b, c)))
	before.Rows = []grant.Row{c, d}
	older := mustMake(t, before)
	after := before
	after.Gateway.Policy = older.Want
	after.Gateway.Recorded.Newer = ledger.Newer{}
	after.Gateway.Recorded.Gateway.PendingHash = older.Hash
	p := mustMake(t, after)
	var got []string
	for _, change := range p.Changes {
		got = append(got, string(change.Verb)+" "+change.Principal)
	}
	want := []string{"Keep " + rootC, "Add arn:aws:iam::888899990000:root"}
	if diff := cmp.Diff(want, got); diff != "" || p.Drift {
		t.Errorf("drift %t, -want +got\n%s", p.Drift, diff)
	}
}
