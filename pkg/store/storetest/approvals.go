package storetest

import (
	"testing"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

const admin = "arn:aws:iam::111122223333:role/Admin"

func approvalsAreRead(t *testing.T, table GrantsTable) {
	must(t, table.PutSentinel(t.Context()))
	read := func(what string, want grant.Approvals, got grant.Approvals, err error) {
		t.Helper()
		must(t, err)
		same(t, what, want, got)
	}
	none, err := table.Approvals(t.Context(), alpha)
	read("no approval", grant.Approvals{}, none, err)
	takeover, role := grant.TakeoverOf(alpha, "0123456789abcdef"), grant.RecreatedOf(alpha, "arn:aws:iam::444455556666:role/Agent", at(1))
	departure := grant.DepartureOf("444455556666", "fedcba98", at(2))
	for _, decision := range []grant.Decision{grant.TakeoverOf(alpha, "earlier"), takeover, role, departure} {
		must(t, table.Approve(t.Context(), decision, at(3), admin))
	}
	of := func(d grant.Decision) grant.Approval { return grant.Approval{Found: d.Found, At: at(3)} }
	got, err := table.Approvals(t.Context(), alpha)
	read("approvals of the gateway", grant.Approvals{takeover.Subject: of(takeover), role.Subject: of(role)}, got, err)
	got, err = table.Approvals(t.Context(), beta)
	read("approvals of another gateway", grant.Approvals{}, got, err)
	got, err = table.ApprovedDepartures(t.Context())
	read("approved departures", grant.Approvals{departure.Subject: of(departure)}, got, err)
	noRows(t, table)
}

func approvalsEnd(t *testing.T, table GrantsTable) {
	must(t, table.PutSentinel(t.Context()))
	old, recent := grant.DepartureOf("111122223333", "old", at(1)), grant.DepartureOf("222233334444", "recent", at(1))
	must(t, table.Approve(t.Context(), old, at(0), admin))
	must(t, table.Approve(t.Context(), recent, at(0).Add(grant.ApprovedFor-time.Minute), admin))
	must(t, table.Approve(t.Context(), grant.TakeoverOf(alpha, "now"), at(0).Add(grant.ApprovedFor), admin))
	got, err := table.ApprovedDepartures(t.Context())
	must(t, err)
	same(t, "approved departures", 1, len(got))
	if _, there := got[recent.Subject]; !there {
		t.Errorf("the recent approval is gone: %v", got)
	}
}

// noRows fails where an approval is taken for a row.
func noRows(t *testing.T, table GrantsTable) {
	t.Helper()
	rows, err := table.ForGateway(t.Context(), alpha)
	must(t, err)
	all, err := table.All(t.Context())
	must(t, err)
	texts, err := table.Texts(t.Context())
	must(t, err)
	written, err := table.Written(t.Context())
	must(t, err)
	same(t, "rows", 0, len(rows)+len(all)+len(texts)+len(written))
}
