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
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

const (
	rootC = "arn:aws:iam::777788889999:root"
	roleB = "arn:aws:iam::444455556666:role/Agent"
	unit  = "ou-abcd-11112222"
)

// misspelt is the row after an edit that cannot be understood: it has an attribute
// that is none.
func misspelt(row grant.Row, principal string, pairs ...any) grant.Row {
	attributes := grant.Attributes{"gateway": row.Gateway, "grant": row.ID, "principal": principal, "colour": "red"}
	for i := 0; i < len(pairs); i += 2 {
		attributes[pairs[i].(string)] = pairs[i+1]
	}
	return grant.Parse(attributes)
}

// settled is the world after the plan for it was applied and recorded.
func settled(t *testing.T, w plan.World) plan.World {
	t.Helper()
	p := mustMake(t, w)
	w.Gateway.Policy = p.Want
	if p.Want != nil {
		w.Gateway.Policy = parse(t, p.Want.String())
	}
	w.Gateway.Recorded = ledger.State{
		Gateway: ledger.Ledger{AppliedHash: p.Hash, Refused: p.Refused, Pinned: p.Pinned, WriteAhead: p.WriteAhead},
		Grants:  p.Status,
	}
	return w
}

func TestInvalidEdit(t *testing.T) {
	valid := rowOf("row", "444455556666", "expires", "2026-12-01")
	inUnit := rowOf("row", unit)
	members := func(t *testing.T, ids ...string) directory.Snapshot {
		t.Helper()
		units := map[string]string{}
		for _, id := range ids {
			units[id] = unit
		}
		return members(t, []string{unit}, units)
	}
	both := []string{accountB, rootC}
	for name, test := range map[string]struct {
		reason string
		before plan.World
		edit   func(t *testing.T, w *plan.World) // after the valid revision was applied and recorded
		want   []string
		says   string // in the message of the row
	}{
		"keeps the access": {
			"a tool stamped an attribute onto the row", world(t, valid),
			func(_ *testing.T, w *plan.World) { w.Rows = []grant.Row{misspelt(valid, "444455556666")} },
			[]string{accountB}, "kept until 2026-12-02T00:00:00Z",
		},
		"keeps what the last valid revision says": {
			"the principal of the faulty revision counts for nothing", world(t, valid),
			func(_ *testing.T, w *plan.World) { w.Rows = []grant.Row{misspelt(valid, "777788889999")} },
			[]string{accountB}, `read attribute "colour"`,
		},
		"ends at the recorded expiry": {
			"a fault does not prolong a grant", world(t, valid),
			func(_ *testing.T, w *plan.World) {
				w.Rows, w.Now = []grant.Row{misspelt(valid, "444455556666", "expires", "2027-12-01")}, now.Add(9*24*time.Hour)
			}, nil, "",
		},
		"ends with the row": {
			"a deletion is a revocation, whatever the row was", world(t, valid),
			func(_ *testing.T, w *plan.World) { w.Rows = nil }, nil, "",
		},
		"gives nothing to a row that was never valid": {
			"there is no record of it", world(t),
			func(_ *testing.T, w *plan.World) { w.Rows = []grant.Row{misspelt(valid, "444455556666")} }, nil, "",
		},
		"gives nothing to a row of another key": {
			"a change of the key is a deletion and a new row", world(t, valid),
			func(_ *testing.T, w *plan.World) {
				w.Rows = []grant.Row{misspelt(rowOf("other", "444455556666"), "444455556666")}
			}, nil, "",
		},
		"of a row for every gateway counts on each by its record": {
			"the record of this gateway says what the row gave here", world(t, everywhere(valid)),
			func(_ *testing.T, w *plan.World) { w.Rows = []grant.Row{misspelt(everywhere(valid), "444455556666")} },
			[]string{accountB}, "is kept",
		},
		"does not hide that the access was taken by hand": {
			"drift is repaired as for every grant", world(t, valid),
			func(_ *testing.T, w *plan.World) {
				w.Rows, w.Gateway.Policy = []grant.Row{misspelt(valid, "444455556666")}, nil
			},
			[]string{accountB}, "is kept",
		},
		"admits no account that a selector means since": {
			"only the accounts that the row had admitted keep access", inDirectory(world(t, inUnit), members(t, "444455556666")),
			func(t *testing.T, w *plan.World) {
				t.Helper()
				w.Rows, w.Accounts = []grant.Row{misspelt(inUnit, unit)}, members(t, "444455556666", "777788889999")
			},
			[]string{accountB}, "is kept",
		},
		"keeps no account that the selector means no more": {
			"the last valid revision gives it nothing now", inDirectory(world(t, inUnit), members(t, "444455556666", "777788889999")),
			func(t *testing.T, w *plan.World) {
				t.Helper()
				w.Rows, w.Accounts = []grant.Row{misspelt(inUnit, unit)}, members(t, "777788889999")
			},
			[]string{rootC}, "is kept",
		},
		"while the directory is down keeps the accounts": {
			"what the selector meant is recorded", inDirectory(world(t, inUnit), members(t, "444455556666", "777788889999")),
			func(_ *testing.T, w *plan.World) {
				w.Rows, w.Accounts = []grant.Row{misspelt(inUnit, unit)}, directory.Failed()
			},
			both, "is kept",
		},
		"keeps a role out that was created again": {
			"the policy shows the unique id of the one that was deleted", world(t, rowOf("row", roleB)),
			func(t *testing.T, w *plan.World) {
				t.Helper()
				w.Rows = []grant.Row{misspelt(valid, roleB)}
				w.Gateway.Policy = parse(t, strings.ReplaceAll(w.Gateway.Policy.String(), roleB, "AROA0000000000000001"))
			}, nil, "gives no access now",
		},
		"keeps what an older version recorded": {
			"only the policy shows what the row gave", world(t, valid),
			func(_ *testing.T, w *plan.World) {
				w.Rows = []grant.Row{misspelt(valid, "444455556666")}
				forgetLastValid(w, "")
			},
			[]string{accountB}, "kept until 2026-12-02T00:00:00Z", // the end stands in the policy
		},
		"keeps what a newer version recorded": {
			"after a rollback, the record of an attribute that this version does not know", world(t, valid),
			func(_ *testing.T, w *plan.World) {
				w.Rows = []grant.Row{misspelt(valid, "444455556666")}
				forgetLastValid(w, `{"gateway":"*","grant":"row","principal":"444455556666","colour":"red","expires":"2026-11-25T00:00:00Z"}`)
			},
			[]string{accountB}, "kept until 2026-11-25T00:00:00Z",
		},
		"keeps nothing of an older version that may be of another row": {
			"a grant of the same account was revoked at the same time", world(t, valid, rowOf("other", "444455556666", "conditions", map[string]any{"sourceIp": []any{"203.0.113.0/24"}})),
			func(_ *testing.T, w *plan.World) {
				w.Rows = []grant.Row{misspelt(valid, "444455556666")}
				forgetLastValid(w, "")
			}, nil, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := settled(t, test.before)
			test.edit(t, &w)
			p := mustMake(t, w)
			if diff := cmp.Diff(test.want, principalsOf(p.Want)); diff != "" {
				t.Errorf("%s: principals -want +got\n%s", test.reason, diff)
			}
			for _, row := range w.Rows {
				if status := p.Status[row.Key]; status.Phase != grant.PhaseInvalid || !strings.Contains(status.Message, test.says) {
					t.Errorf("status %+v", status)
				}
			}
			w = settled(t, w)
			if again := mustMake(t, w); again.Write || !cmp.Equal(p.Status, again.Status) || len(again.Notices) > 0 {
				t.Errorf("a second run finds more to do: %s", cmp.Diff(p.Status, again.Status))
			}
		})
	}
}

func everywhere(row grant.Row) grant.Row {
	row.Gateway = grant.EveryGateway
	return row
}

func TestInvalidRowWithNothingToKeepIsRecordedOnce(t *testing.T) {
	of := func(ids ...string) directory.Snapshot {
		units := map[string]string{}
		for _, id := range ids {
			units[id] = unit
		}
		return members(t, []string{unit}, units)
	}
	for name, valid := range map[string]grant.Row{"an account": rowOf("row", "444455556666"), "a selector": rowOf("row", unit)} {
		t.Run(name, func(t *testing.T) {
			w := settled(t, inDirectory(world(t, valid), of("444455556666")))
			w.Rows, w.Accounts = []grant.Row{misspelt(valid, "444455556666")}, of("777788889999") // and the account has left
			w = settled(t, w)
			again := mustMake(t, w)
			for key, status := range again.Status {
				if recorded := w.Gateway.Recorded.Grants[key]; !status.Same(recorded) {
					t.Errorf("recorded was %+v, and then %+v", recorded, status)
				}
			}
			if diff := cmp.Diff(w.Gateway.Recorded.Gateway.WriteAhead, again.WriteAhead); diff != "" {
				t.Errorf("-recorded +then\n%s", diff)
			}
		})
	}
}

func inDirectory(w plan.World, accounts directory.Snapshot) plan.World {
	w.Accounts = accounts
	return w
}

// forgetLastValid has the record say something else of the last valid revisions.
func forgetLastValid(w *plan.World, text string) {
	for key, status := range w.Gateway.Recorded.Grants {
		status.LastValid = text
		w.Gateway.Recorded.Grants[key] = status
	}
}

func principalsOf(document *policy.Document) []string {
	if document == nil {
		return nil
	}
	var all []string
	for _, s := range document.Statements {
		all = append(all, s.Principal.AWS...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func TestInvalidRowKeepsWaitingAccess(t *testing.T) {
	valid := rowOf("row", "444455556666")
	for name, trouble := range map[string]func(*plan.World){
		"the gateway was not managed for a while": func(w *plan.World) { w.Gateway.Managed = false },
		"AWS refused the principal for a while": func(w *plan.World) {
			w.Gateway.Recorded.Gateway.Refused = map[string]ledger.Refusal{accountB: {Code: grant.CodePolicyRefused, Since: now, Tries: 1, NextTry: now.Add(time.Hour)}}
			w.Gateway.Policy = nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := settled(t, world(t, valid))
			kept := w.Gateway.Policy
			trouble(&w)
			p := mustMake(t, w)
			w.Gateway.Recorded.Grants = p.Status
			if got := w.Gateway.Recorded.Grants[valid.Key]; got.Phase != grant.PhaseLeftOut || !slices.Equal(got.Withheld, []string{accountB}) {
				t.Fatalf("meanwhile it is %+v", got)
			}
			w.Rows = []grant.Row{misspelt(valid, "444455556666")}
			w.Gateway.Recorded.Grants = mustMake(t, w).Status
			w.Gateway.Managed, w.Now = true, now.Add(2*time.Hour)
			if got := mustMake(t, w); !policy.Equal(got.Want, kept) {
				t.Errorf("afterwards the policy is %v", got.Want)
			}
		})
	}
}

func TestInvalidRevisionIsNotifiedOnce(t *testing.T) {
	valid := rowOf("row", "444455556666")
	w := settled(t, world(t, valid))
	w.Rows = []grant.Row{misspelt(valid, "444455556666")}
	published := func() (types []plan.NoticeType) {
		for _, notice := range mustMake(t, w).Notices {
			types = append(types, notice.Type)
		}
		return types
	}
	if diff := cmp.Diff([]plan.NoticeType{plan.GrantInvalid}, published()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	w = settled(t, w)
	w.Rows = []grant.Row{misspelt(valid, "777788889999")} // the same fault in another revision
	if got := published(); len(got) > 0 {
		t.Errorf("again: %v", got)
	}
}

// A row was edited to name another account, and the write was not recorded before the
// row got a fault: its record is that of the revision before.
func TestInvalidRowRestoresNoRemovedAccess(t *testing.T) {
	before := rowOf("row", "444455556666")
	w := settled(t, world(t, before))
	w.Rows = []grant.Row{rowOf("row", "777788889999")}
	p := mustMake(t, w)
	w.Gateway.Policy, w.Gateway.Recorded.Gateway.PendingHash = parse(t, p.Want.String()), p.Hash

	w.Rows = []grant.Row{misspelt(before, "777788889999")}
	if want := mustMake(t, w).Want; want != nil && strings.Contains(want.String(), "444455556666") {
		t.Errorf("the account that the edit took out is let in again: %s", want)
	}
}

// What a row gave before an edit is not what the edit waits to give.
func TestEditThatWaitsWithholdsItsOwnPrincipals(t *testing.T) {
	w := settled(t, world(t, rowOf("row", "444455556666")))
	edited := rowOf("row", "777788889999")
	w.Rows, w.Accounts = []grant.Row{edited}, directory.Failed()
	if got := mustMake(t, w).Status[edited.Key]; got.Reason != grant.CodeDirectoryFailed || len(got.Withheld) > 0 {
		t.Errorf("the row is %+v", got)
	}
}

func TestSuperseded(t *testing.T) {
	valid, other, faulty := rowOf("a", "444455556666"), rowOf("a", "777788889999"), rowOf("a", "444455556666")
	faulty.Grant, faulty.Fault = nil, &grant.Error{Code: grant.CodeUnknownAttribute}
	for name, test := range map[string]struct {
		reason string
		rows   []grant.Row
		want   bool
	}{
		"the same":  {"the write gives what the row says", []grant.Row{valid}, false},
		"another":   {"a valid edit is the last valid revision, whatever it gives", []grant.Row{other}, true},
		"a fault":   {"the revision that the write gives may be the last valid one", []grant.Row{faulty}, false},
		"no row":    {"a deletion always revokes, also from a row that is written again", nil, true},
		"other row": {"each row has a revision of its own", []grant.Row{rowOf("b", "444455556666")}, true},
	} {
		t.Run(name, func(t *testing.T) {
			pending := ledger.Ledger{PendingRevisions: map[grant.Key]string{valid.Key: valid.Canonical()}}
			if got := plan.Superseded(test.rows, pending); (got[valid.Key] != "") != test.want {
				t.Errorf("%s: %v, want %v", test.reason, got, test.want)
			}
		})
	}
}
