package plan_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
)

func TestPinnedRolesAreRecorded(t *testing.T) {
	const role = "arn:aws:iam::444455556666:role/Agent"
	status := map[grant.Key]grant.Status{key("agent"): {Phase: grant.PhaseAdmitted, Admitted: []string{role}}}
	for _, test := range []struct {
		reason string
		row    grant.Row
		want   bool
	}{
		{"by identity", rowOf("agent", role), true},
		{"by name", rowOf("agent", role, "follow", "name"), false},
		{"another role", rowOf("agent", role+"Two"), false},
	} {
		settled := ledger.Ledger{Pinned: mustMake(t, world(t, test.row)).Pinned}
		if got := plan.WasAdmitted(ledger.State{Gateway: settled, Grants: status}, role); got != test.want {
			t.Errorf("%s: %t", test.reason, got)
		}
	}
}

func TestUniqueIDFoundBeforeExplainsNoRole(t *testing.T) {
	const gone, role, id = "arn:aws:iam::444455556666:role/Gone", "arn:aws:iam::444455556666:role/Agent", "AROA0000000000000001"
	standing := mustMake(t, world(t, rowOf("gone", gone))).Want.String()
	leftover := parse(t, strings.ReplaceAll(standing, gone, id))

	found := world(t) // its write takes the id out
	found.Gateway.Policy = leftover
	begun := world(t, rowOf("agent", role))
	begun.Gateway.Recorded.Gateway = ledger.Ledger{InFlightUntil: now.Add(time.Minute), WriteAhead: mustMake(t, found).WriteAhead}
	late := world(t, rowOf("agent", role)) // it has read the policy before all that, and the state after it
	late.Gateway.Policy = leftover
	late.Gateway.Recorded.Gateway.WriteAhead = mustMake(t, begun).WriteAhead
	if got := mustMake(t, late).Status[key("agent")]; got.Phase != grant.PhaseAdmitted {
		t.Errorf("%+v", got)
	}
}

func TestWritesInFlightStayFewOnABusyGateway(t *testing.T) {
	w := world(t)
	for i := range 200 {
		role := fmt.Sprintf("arn:aws:iam::444455556666:role/Agent%d", i)
		w.Rows = []grant.Row{rowOf("agent", role)}
		p := mustMake(t, w)
		// The role is deleted right after, and others write again and again.
		w.Gateway.Policy = parse(t, strings.ReplaceAll(p.Want.String(), role, fmt.Sprintf("AROA%017d", i)))
		w.Gateway.Recorded.Gateway = ledger.Ledger{InFlightUntil: now.Add(time.Minute), WriteAhead: p.WriteAhead, Refused: p.Refused}
		if got := len(p.InFlight); got > 20 {
			t.Fatalf("%d sets in flight after %d writes", got, i)
		}
		for before := range p.InFlight {
			if len(before) > 1000 {
				t.Fatalf("a set in flight has %d bytes of unique ids after %d writes", len(before), i)
			}
		}
	}
}
