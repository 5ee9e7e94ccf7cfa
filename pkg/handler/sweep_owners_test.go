package handler_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
)

// manyOwners are accounts with two gateways each.
func manyOwners(t *testing.T, n int) (owners []string, gateways []grant.Gateway) {
	t.Helper()
	for i := range n {
		owner := fmt.Sprintf("1000%08d", i)
		owners = append(owners, owner)
		for _, name := range []string{"tools", "search"} {
			g, err := grant.ParseGateway("arn:aws:bedrock-agentcore:us-east-1:" + owner + ":gateway/" + name + "-abcde12345")
			check(t, err)
			gateways = append(gateways, g)
		}
	}
	return owners, gateways
}

// inMinute runs the sweep of gateways so many minutes into the round.
func (w *world) inMinute(t *testing.T, minute int) error {
	t.Helper()
	sweep := w.sweep()
	sweep.Minutes = 60
	input := fmt.Sprintf(`{"sweep":"gateways","at":%q}`, at.Add(time.Duration(minute)*time.Minute).Format(time.RFC3339))
	_, err := invoke(t.Context(), sweep.Handle, []byte(input))
	return err
}

func TestSweepSlotsOfOwners(t *testing.T) {
	for _, n := range []int{1, 7, 20, 21, 45, 300, 1000} {
		w := newWorld(t)
		w.gateways.owners, w.gateways.managed = manyOwners(t, n)
		most := 0
		for minute := range 60 {
			before := len(w.gateways.walked)
			check(t, w.inMinute(t, minute))
			most = max(most, len(w.gateways.walked)-before)
		}
		times := map[string]int{}
		for _, arn := range w.requests.requested() {
			times[arn]++
		}
		if len(times) != 2*n || len(w.requests.published) != 2*n {
			t.Errorf("%d owners: %d gateways were asked for, %d times in all", n, len(times), len(w.requests.published))
		}
		if most > 40 { // 20 on average
			t.Errorf("%d owners: %d are listed in one minute", n, most)
		}
	}
}

func TestOnlyOwnerThatHadJoinedIsFailure(t *testing.T) {
	notAssumed := &grant.Error{Code: grant.CodeNotJoined, Op: "list the gateways", Hint: "deploy infra/owner-account.yaml"}
	joined := ledger.Owner{JoinedAt: at.Add(-time.Hour)}
	failing := ledger.Owner{JoinedAt: joined.JoinedAt, FailingSince: at.Add(-time.Minute), Message: "AccessDenied"}
	for name, test := range map[string]struct {
		reason   string
		recorded map[string]ledger.Owner
		fails    error
		unread   error
		unlisted int
		want     map[string]ledger.Owner
	}{
		"listed first":      {"it has joined", nil, nil, nil, 0, map[string]ledger.Owner{member: {JoinedAt: at}, management: {JoinedAt: at}}},
		"no role yet":       {"it has not joined", nil, notAssumed, nil, 0, map[string]ledger.Owner{management: {JoinedAt: at}}},
		"role gone":         {"it had joined", map[string]ledger.Owner{member: joined}, notAssumed, nil, 1, map[string]ledger.Owner{member: {JoinedAt: joined.JoinedAt, FailingSince: at, Message: notAssumed.Error()}, management: {JoinedAt: at}}},
		"still gone":        {"it is failing as before", map[string]ledger.Owner{member: failing}, notAssumed, nil, 1, map[string]ledger.Owner{member: failing, management: {JoinedAt: at}}},
		"back":              {"it is mended", map[string]ledger.Owner{member: failing}, nil, nil, 0, map[string]ledger.Owner{member: joined, management: {JoinedAt: at}}},
		"another failure":   {"that is no state", nil, errors.New("throttled"), nil, 1, map[string]ledger.Owner{member: {FailingSince: at, Message: "throttled"}, management: {JoinedAt: at}}},
		"the list unproved": {"no owner of it is listed, nor is it known which", nil, nil, errors.New("no sentinel"), 1, map[string]ledger.Owner{member: {JoinedAt: at}, management: {JoinedAt: at}}},
	} {
		w := newWorld(t)
		w.gateways.owners, w.gateways.fails, w.gateways.unread = []string{management, member}, map[string]error{member: test.fails}, test.unread
		for owner, recorded := range test.recorded {
			check(t, w.states.SetOwner(t.Context(), owner, recorded))
		}
		if err := w.inMinute(t, 0); (err != nil) != (test.unlisted > 0) {
			t.Errorf("%s: %v: %s", name, err, test.reason)
		}
		if diff := cmp.Diff(test.want, nonzero(w.states.owners)); diff != "" {
			t.Errorf("%s: %s: -want +got\n%s", name, test.reason, diff)
		}
		if got, published := w.metrics.counts["ListingsFailed"]; got != test.unlisted || !published {
			t.Errorf("%s: ListingsFailed is %d: %s", name, got, test.reason)
		}
	}
}

func nonzero(owners map[string]ledger.Owner) map[string]ledger.Owner {
	all := make(map[string]ledger.Owner)
	for account, owner := range owners {
		if owner != (ledger.Owner{}) {
			all[account] = owner
		}
	}
	return all
}

// The alarm watches a gauge of each minute: an owner that is listed once a round must not
// end it in between.
func TestFailedOwnerAlarmsUntilListed(t *testing.T) {
	w := newWorld(t)
	w.gateways.owners, _ = manyOwners(t, 200)
	for _, owner := range w.gateways.owners {
		check(t, w.states.SetOwner(t.Context(), owner, ledger.Owner{JoinedAt: at.Add(-time.Hour)}))
	}
	w.gateways.fails = map[string]error{w.gateways.owners[7]: errors.New("the role was deleted")}
	for minute := range 120 {
		w.metrics.counts = nil
		before := len(w.gateways.walked)
		_ = w.inMinute(t, minute)
		failed := strings.Contains(strings.Join(w.gateways.walked[:before], " "), w.gateways.owners[7]) ||
			strings.Contains(strings.Join(w.gateways.walked[before:], " "), w.gateways.owners[7])
		if rings := w.metrics.counts["ListingsFailed"] == 1; rings != failed {
			t.Fatalf("minute %d: rings %t, failed %t", minute, rings, failed)
		}
	}
	w.gateways.fails, w.metrics.counts = nil, nil
	for minute := range 60 {
		check(t, w.inMinute(t, minute))
	}
	w.metrics.counts = nil
	check(t, w.inMinute(t, 0))
	if w.metrics.counts["ListingsFailed"] != 0 {
		t.Error("it rings although the owner is listed again")
	}
}

func TestRequestForOwnersReconcilesTheirGateways(t *testing.T) {
	w := newWorld(t)
	w.gateways.owners, w.gateways.managed = manyOwners(t, 5)
	_, err := invoke(t.Context(), w.sweep().Handle, []byte(`{"source":"gateway-grants","detail-type":"Reconcile Requested","detail":{"gateway":"*","owners":["100000000003"],"cause":"owner account 100000000003 added"}}`))
	check(t, err)
	want := []string{"arn:aws:bedrock-agentcore:us-east-1:100000000003:gateway/search-abcde12345", "arn:aws:bedrock-agentcore:us-east-1:100000000003:gateway/tools-abcde12345"}
	if diff := cmp.Diff(want, w.requests.requested()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
