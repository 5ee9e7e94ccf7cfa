package plan_test

import (
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
)

func TestWhoWasLetInByIdentityIsToldFromTheRecord(t *testing.T) {
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
		settled := plan.GatewayState{Selected: mustMake(t, world(t, test.row)).Settled()}
		if got := plan.WasAdmitted(plan.State{Gateway: settled, Grants: status}, role); got != test.want {
			t.Errorf("%s: %t", test.reason, got)
		}
	}
	if !plan.WasAdmitted(plan.State{Grants: status}, role) {
		t.Error("a record that does not tell counts as by identity")
	}
}
