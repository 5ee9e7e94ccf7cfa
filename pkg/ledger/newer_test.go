package ledger_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
)

func TestNewerRecordGetsMarksOnly(t *testing.T) {
	newer := ledger.Newer{Form: ledger.Form + 1, Product: "9.0"}
	recorded := func(change func(l *ledger.Ledger)) ledger.State {
		l := ledger.Ledger{
			Version: 7, Authorizer: "AWS_IAM", AppliedHash: "old", PendingHash: "theirs", PendingRevisions: map[grant.Key]string{one: "{}"}, Due: at(60),
			Refused: refused(account, rejected), Pinned: []string{agent}, Accounts: accountsA,
		}
		change(&l)
		return ledger.State{Gateway: l, Grants: map[grant.Key]grant.Status{one: admitted}, Newer: newer}
	}
	for name, test := range map[string]struct {
		reason string
		by     ledger.Transition
		to     ledger.State
	}{
		"a write begins": {
			"what it holds leaves no other trace", ledger.BeginWrite{Until: at(2), Hash: "new", Held: refused(agent, held)},
			recorded(func(l *ledger.Ledger) {
				l.PendingHash, l.InFlightUntil, l.Due = "new", at(2), at(2)
				l.Refused = map[string]ledger.Refusal{account: rejected, agent: held}
			}),
		},
		"a write begins that needed the directory": {
			"a directory that loses its mark later is not taken for none", ledger.BeginWrite{Until: at(2), Hash: "new", WriteAhead: ledger.WriteAhead{HadDirectory: true}},
			recorded(func(l *ledger.Ledger) {
				l.PendingHash, l.InFlightUntil, l.Due, l.HadDirectory = "new", at(2), at(2), true
			}),
		},
		"a run settles": {
			"statuses and what was applied are the newer version's", ledger.Settled{On: 7, At: now, Hash: "new", Failure: failure, Again: true, Statuses: map[grant.Key]grant.Status{two: leftOut}},
			recorded(func(l *ledger.Ledger) {
				l.LastError, l.LastMessage, l.Failures, l.Due = failure.Code, failure.Hint, 1, at(1)
			}),
		},
		"a run fails": {
			"it is tried again", ledger.Failed{On: 7, At: now, Code: "X", Statuses: map[grant.Key]grant.Status{}, Rejected: ledger.Rejected{Principals: refused(agent, rejected)}},
			recorded(func(l *ledger.Ledger) { l.LastError, l.Failures, l.Due = "X", 1, at(1) }),
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := recorded(func(*ledger.Ledger) {}).Record(test.by)
			if diff := cmp.Diff(test.to, got); diff != "" || err != nil {
				t.Errorf("%s: %v, -want +got\n%s", test.reason, err, diff)
			}
		})
	}
}
