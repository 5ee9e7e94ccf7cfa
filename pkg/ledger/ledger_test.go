package ledger_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
)

const (
	agent   = "arn:aws:iam::444455556666:role/Agent"
	account = "arn:aws:iam::777788889999:root"
)

var now = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

func at(minutes int) time.Time { return now.Add(time.Duration(minutes) * time.Minute) }

var (
	held      = ledger.Refusal{Code: grant.CodeRecreated, Since: at(-9)}
	rejected  = ledger.Refusal{Code: grant.CodeQuarantined, Since: at(-9), Tries: 1, NextTry: at(9)}
	failure   = &grant.Error{Code: grant.CodePolicyFull, Op: "test", Hint: "no room"}
	one       = grant.Key{Gateway: "*", ID: "one"}
	two       = grant.Key{Gateway: "*", ID: "two"}
	admitted  = grant.Status{Phase: grant.PhaseAdmitted, Since: at(-5), Admitted: []string{agent, account}}
	leftOut   = grant.Status{Phase: grant.PhaseLeftOut, Reason: grant.CodePolicyFull, Since: at(-5)}
	accountsA = []string{"444455556666", "777788889999"}
)

func refused(principal string, refusal ledger.Refusal) map[string]ledger.Refusal {
	return map[string]ledger.Refusal{principal: refusal}
}

func TestTransitions(t *testing.T) {
	type ledgers = ledger.Ledger
	for name, test := range map[string]struct {
		reason string
		from   ledgers
		by     ledger.Transition
		to     ledgers
	}{
		"a write begins": {
			"a crash in the middle is seen when the gateway is due",
			ledgers{Due: at(60), AppliedHash: "old"},
			ledger.BeginWrite{Until: at(2), Hash: "new", Revisions: map[grant.Key]string{one: "{}"}, Held: refused(agent, held), WriteAhead: ledger.WriteAhead{HadDirectory: true, Selected: map[string][]string{"o-example": {"444455556666"}}}},
			ledgers{Due: at(2), InFlightUntil: at(2), AppliedHash: "old", PendingHash: "new", PendingRevisions: map[grant.Key]string{one: "{}"}, Refused: refused(agent, held), WriteAhead: ledger.WriteAhead{HadDirectory: true, Selected: map[string][]string{"o-example": {"444455556666"}}}},
		},
		"a write begins beside another": {
			"the other run finds all that it recorded",
			ledgers{Due: at(1), InFlightUntil: at(1), PendingHash: "theirs", PendingRevisions: map[grant.Key]string{two: "{}"}, Refused: refused(agent, held), WriteAhead: ledger.WriteAhead{HadDirectory: true, Selected: map[string][]string{"o-example": {"444455556666"}}, InFlight: map[string][]string{"": {agent}}}},
			ledger.BeginWrite{Until: at(2), Hash: "ours", Revisions: map[grant.Key]string{one: "{}"}, WriteAhead: ledger.WriteAhead{Selected: map[string][]string{"o-example": {"333344445555", "444455556666"}}, InFlight: map[string][]string{"AROA1": {agent}}}},
			ledgers{Due: at(1), InFlightUntil: at(2), PendingHash: "ours", PendingRevisions: map[grant.Key]string{one: "{}", two: "{}"}, Refused: refused(agent, held), WriteAhead: ledger.WriteAhead{HadDirectory: true, Selected: map[string][]string{"o-example": {"333344445555", "444455556666"}}, InFlight: map[string][]string{"": {agent}, "AROA1": {agent}}}},
		},
		"a write begins at the same moment as another": {
			"it makes a version, so that the other run does not take it for its own",
			ledgers{Due: at(2), InFlightUntil: at(2), PendingHash: "new"},
			ledger.BeginWrite{Until: at(2), Hash: "new"},
			ledgers{Due: at(2), InFlightUntil: at(2).Add(time.Nanosecond), PendingHash: "new"},
		},
		"a write begins after a row was edited whose revision another write gives": {
			"a revision that a third run recorded since stays",
			ledgers{PendingRevisions: map[grant.Key]string{one: "old", two: "newer"}},
			ledger.BeginWrite{Until: at(2), Hash: "ours", Superseded: map[grant.Key]string{one: "old", two: "old"}},
			ledgers{Due: at(2), InFlightUntil: at(2), PendingHash: "ours", PendingRevisions: map[grant.Key]string{two: "newer"}},
		},
		"a write begins beside that of a run with a fast clock": {
			"the other's write may be in flight for longer",
			ledgers{Due: at(5), InFlightUntil: at(5)},
			ledger.BeginWrite{Until: at(2), Hash: "ours"},
			ledgers{Due: at(2), InFlightUntil: at(5).Add(1), PendingHash: "ours"},
		},
		"a write is verified": {
			"what was applied is known, and the gateway is due no more",
			ledgers{Version: 7, Due: at(-1), InFlightUntil: at(-1), PendingHash: "new", PendingRevisions: map[grant.Key]string{one: "{}"}, LastError: "X", LastMessage: "x", Failures: 3, ExpandedSizeObserved: true},
			ledger.Settled{On: 7, At: now, Hash: "new", Authorizer: "AWS_IAM", Pinned: []string{agent}},
			ledgers{Version: 7, Authorizer: "AWS_IAM", AppliedHash: "new", Pinned: []string{agent}, ExpandedSizeObserved: true},
		},
		"a write is verified while it may be carried out late": {
			"AWS may carry out a write after its answer",
			ledgers{Due: at(1), InFlightUntil: at(1), PendingHash: "new", PendingRevisions: map[grant.Key]string{one: "{}"}},
			ledger.Settled{At: now, Wrote: true, Hash: "new", Due: at(90)},
			ledgers{Due: at(1), InFlightUntil: at(1), AppliedHash: "new", PendingHash: "new", PendingRevisions: map[grant.Key]string{one: "{}"}},
		},
		"a run settles that wrote": {
			"a write of others may undo it within moments",
			ledgers{},
			ledger.Settled{At: now, Wrote: true, Hash: "new"},
			ledgers{AppliedHash: "new", Due: now.Add(ledger.LookAgainAfter)},
		},
		"a run settles with something left to do": {
			"people look for the reason, and for when it is tried again",
			ledgers{Failures: 1, LastError: "X"},
			ledger.Settled{At: now, Hash: "new", Failure: failure, Again: true},
			ledgers{AppliedHash: "new", LastError: grant.CodePolicyFull, LastMessage: "no room", Failures: 2, Due: at(2)},
		},
		"a gateway may not be written to": {
			"what was applied is still in force",
			ledgers{AppliedHash: "old", PendingHash: "new"},
			ledger.Settled{At: now, Hash: "found", Untouched: true, Failure: failure},
			ledgers{AppliedHash: "old", PendingHash: "new", LastError: grant.CodePolicyFull, LastMessage: "no room"},
		},
		"the policy drifted": {
			"the third overwrite in a row makes repairs back off",
			ledgers{Overwritten: 2, OverwrittenAt: at(-59)},
			ledger.Settled{At: now, Hash: "new", Drifted: true},
			ledgers{AppliedHash: "new", Overwritten: 3, OverwrittenAt: now},
		},
		"the policy drifted long after": {
			"an overwrite a day is no fight",
			ledgers{Overwritten: 2, OverwrittenAt: at(-61)},
			ledger.Settled{At: now, Hash: "new", Drifted: true},
			ledgers{AppliedHash: "new", Overwritten: 1, OverwrittenAt: now},
		},
		"a run fails": {
			"each failure in a row waits longer",
			ledgers{Failures: 2, Due: at(1), AppliedHash: "old", PendingHash: "new"},
			ledger.Failed{At: now, Code: "X", Message: "x"},
			ledgers{Failures: 3, Due: at(4), AppliedHash: "old", PendingHash: "new", LastError: "X", LastMessage: "x"},
		},
		"a run fails with a write in flight": {
			"the write is looked at when it has ended",
			ledgers{Failures: 5, InFlightUntil: at(2)},
			ledger.Failed{At: now, Code: "X"},
			ledgers{Failures: 6, InFlightUntil: at(2), Due: at(2), LastError: "X"},
		},
		"a run fails that began a write and made none": {
			"nothing is in flight",
			ledgers{Version: 3, InFlightUntil: at(2)},
			ledger.Failed{On: 3, At: now, Code: "X", WroteNothing: true},
			ledgers{Version: 3, Failures: 1, Due: at(1), LastError: "X"},
		},
		"a run fails that began a write beside another": {
			"the other's write may be in flight",
			ledgers{Version: 4, InFlightUntil: at(2)},
			ledger.Failed{On: 3, At: now, Code: "X", WroteNothing: true},
			ledgers{Version: 4, Failures: 1, Due: at(1), InFlightUntil: at(2), LastError: "X"},
		},
		"a search does not end in one run": {
			"it goes on in a minute, however often",
			ledgers{Failures: 7},
			ledger.Failed{At: now, Code: "X", Soon: true, Rejected: ledger.Rejected{Principals: refused(account, rejected), Learned: ledger.Learned{ExpandedSize: true}}},
			ledgers{Failures: 8, Due: at(1), LastError: "X", Refused: refused(account, rejected), ExpandedSizeObserved: true},
		},
		"a row is edited while a write of what it gave before is in flight": {
			"what it gave before is not its last valid revision, should the next edit have a fault",
			ledgers{InFlightUntil: at(1), PendingHash: "new", PendingRevisions: map[grant.Key]string{one: "{}", two: "{}"}},
			ledger.Settled{At: now, Hash: "old", Superseded: map[grant.Key]string{one: "{}"}},
			ledgers{InFlightUntil: at(1), Due: at(1), AppliedHash: "old", PendingHash: "new", PendingRevisions: map[grant.Key]string{two: "{}"}},
		},
		"AWS rejects lists of principals": {
			"every later plan writes a statement for each",
			ledgers{},
			ledger.Settled{At: now, Hash: "new", Learned: ledger.Learned{ListsRefused: true}},
			ledgers{AppliedHash: "new", ListsRefused: true},
		},
		"a principal is rejected": {
			"it is tried again later",
			ledgers{},
			ledger.Rejected{Principals: refused(agent, rejected)},
			ledgers{Refused: refused(agent, rejected)},
		},
		"a held principal is rejected": {
			"another run knows that it was deleted",
			ledgers{Refused: refused(agent, held)},
			ledger.Rejected{Principals: refused(agent, rejected)},
			ledgers{Refused: refused(agent, held)},
		},
		"a principal is held": {
			"its deletion says more than a rejection",
			ledgers{Refused: refused(agent, rejected)},
			ledger.BeginWrite{Until: at(2), Held: refused(agent, held)},
			ledgers{Refused: refused(agent, held), Due: at(2), InFlightUntil: at(2)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			next, err := test.by.Apply(ledger.State{Gateway: test.from})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.to, next.Gateway); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}

func TestStatuses(t *testing.T) {
	from := ledger.State{Gateway: ledger.Ledger{Version: 3, Accounts: accountsA}, Grants: map[grant.Key]grant.Status{one: admitted, two: leftOut}}
	again := admitted
	again.Since = now
	for name, test := range map[string]struct {
		reason   string
		by       ledger.Transition
		want     map[grant.Key]grant.Status
		accounts []string
	}{
		"settled": {
			"one row is as before, and the other is gone",
			ledger.Settled{On: 3, Statuses: map[grant.Key]grant.Status{one: again}},
			map[grant.Key]grant.Status{one: admitted}, accountsA,
		},
		"settled without access": {
			"no account is let in",
			ledger.Settled{On: 3, Statuses: map[grant.Key]grant.Status{one: leftOut}},
			map[grant.Key]grant.Status{one: leftOut}, nil,
		},
		"failed alone": {
			"a row that the run did not see stays",
			ledger.Failed{On: 3, Statuses: map[grant.Key]grant.Status{two: again}},
			map[grant.Key]grant.Status{one: admitted, two: again}, accountsA,
		},
		"failed beside another run": {
			"the other run knows better",
			ledger.Failed{On: 2, Statuses: map[grant.Key]grant.Status{one: leftOut}},
			from.Grants, accountsA,
		},
		"failed before it decided": {
			"the run knows nothing of the rows",
			ledger.Failed{On: 3},
			from.Grants, accountsA,
		},
	} {
		t.Run(name, func(t *testing.T) {
			next, err := test.by.Apply(from)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, next.Grants); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
			if diff := cmp.Diff(test.accounts, next.Gateway.Accounts); diff != "" {
				t.Errorf("%s: accounts (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}

func TestSettlingDependsOnTheVersion(t *testing.T) {
	for _, recorded := range []int{0, 6, 8} {
		next, err := ledger.Settled{On: 7}.Apply(ledger.State{Gateway: ledger.Ledger{Version: recorded}})
		if grant.CodeOf(err) != ledger.CodeVersionConflict || cmp.Diff(ledger.State{}, next) != "" {
			t.Errorf("decided on 7, recorded %d: got %+v, %v", recorded, next, err)
		}
	}
}

func TestBeginWriteConflictsWithAnotherRevision(t *testing.T) {
	read := map[grant.Key]ledger.Read{one: {Revision: "ours", Recorded: "before"}}
	for recorded, conflict := range map[string]bool{"before": false, "ours": false, "theirs": true, "": true} {
		state := ledger.State{Grants: map[grant.Key]grant.Status{one: {Revision: recorded}}}
		_, err := ledger.BeginWrite{Read: read}.Apply(state)
		if got := grant.CodeOf(err) == ledger.CodeVersionConflict; got != conflict {
			t.Errorf("where revision %q is recorded: %v", recorded, err)
		}
	}
}

// A transition may be applied again to newer state, so it must change nothing that it
// is given.
func TestTransitionsKeepTheirArguments(t *testing.T) {
	state := func() ledger.State {
		return ledger.State{
			Gateway: ledger.Ledger{
				Refused:    map[string]ledger.Refusal{agent: held, account: rejected},
				WriteAhead: ledger.WriteAhead{Selected: map[string][]string{"o-example": {"444455556666"}}, InFlight: map[string][]string{"": {agent}}},
			},
			Grants: map[grant.Key]grant.Status{one: admitted},
		}
	}
	for _, by := range []ledger.Transition{
		ledger.BeginWrite{Held: refused(account, held), WriteAhead: ledger.WriteAhead{Selected: map[string][]string{"o-example": {"111122223333"}}, InFlight: map[string][]string{"": {account}}}},
		ledger.Settled{Statuses: map[grant.Key]grant.Status{two: leftOut}},
		ledger.Failed{Statuses: map[grant.Key]grant.Status{one: leftOut}, Rejected: ledger.Rejected{Principals: refused(account, held)}},
		ledger.Rejected{Principals: map[string]ledger.Refusal{agent: rejected, account: held}},
	} {
		given := state()
		if _, err := by.Apply(given); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(state(), given); diff != "" {
			t.Errorf("%T (-want +got):\n%s", by, diff)
		}
	}
}

func TestRepairsBackOffLongerEachTime(t *testing.T) {
	for overwritten, want := range map[int]time.Duration{0: 0, 2: 0, 3: 5 * time.Minute, 4: 10 * time.Minute, 6: 40 * time.Minute, 60: 40 * time.Minute} {
		l := ledger.Ledger{Overwritten: overwritten, OverwrittenAt: now}
		until := l.BackOffUntil()
		if want == 0 && !until.IsZero() || want > 0 && !until.Equal(now.Add(want)) {
			t.Errorf("after %d overwrites: until %s, want %s later", overwritten, until, want)
		}
	}
}
