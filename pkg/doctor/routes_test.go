package doctor_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/doctor"
)

// A probe is sent through every rule that forwards, and in no account that another check
// is about.
func TestProbesAreSentThroughEveryForwarder(t *testing.T) {
	const hub, owner, management = "111122223333", "444455556666", "999900001111"
	facts := doctor.Facts{
		Account: hub, Region: "us-east-1",
		Stack: doctor.Reading[doctor.Stack]{Value: doctor.Stack{Parameters: map[string]string{"ManagementAccountId": management}}},
		Owners: []doctor.Owner{
			{Account: owner, Assumed: doctor.Reading[bool]{Value: true}},
			{Account: "555566667777", NotJoined: true},
			{Account: "666677778888", Assumed: doctor.Reading[bool]{Err: "AWS denies this"}},
		},
	}
	sent := func(reach doctor.Reach) []string {
		var all []string
		for _, r := range doctor.Routes(facts, reach, "run") {
			for i, rule := range r.Rules {
				all = append(all, strings.Join([]string{rule.Account, rule.Region, "by", r.Bus.Region, rule.Rule, r.Bus.Role, r.Bus.ExternalID, r.Probes[i].ID, r.Probes[i].Source}, " "))
				if !strings.Contains(r.Probes[i].Detail, `"probe":"`+r.Probes[i].ID+`"`) {
					t.Errorf("probe %s is %s", r.Probes[i].ID, r.Probes[i].Detail)
				}
			}
		}
		return all
	}
	const role = "arn:aws:iam::444455556666:role/team/keepers between-us "
	want := []string{
		"444455556666 us-east-1 by us-east-1 keepers-events " + role + "run-1 gateway-grants.probe.gateways",
		"111122223333 eu-west-1 by eu-west-1 keepers-events   run-2 gateway-grants.probe.gateways",
		"444455556666 eu-west-1 by eu-west-1 keepers-events " + role + "run-3 gateway-grants.probe.gateways",
		"999900001111 us-east-1 by us-east-1 gateway-grants-organization-accounts arn:aws:iam::999900001111:role/gateway-grants-organization-probe  run-4 gateway-grants.probe.accounts",
		"999900001111 us-east-1 by us-east-1 gateway-grants-organization-tags arn:aws:iam::999900001111:role/gateway-grants-organization-probe  run-5 gateway-grants.probe.accounts",
	}
	if diff := cmp.Diff(want, sent(doctor.Reach{Partition: "aws", Regions: []string{"us-east-1", "eu-west-1"}, Role: "team/keepers", ExternalID: "between-us"})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}

	facts.Owners, facts.Region = nil, "us-gov-west-1"
	gov := doctor.Reach{Partition: "aws-us-gov"}
	if got := sent(gov); len(got) != 2 || !strings.HasPrefix(got[0], management+" us-gov-west-1 by us-gov-west-1") || !strings.Contains(got[0], "arn:aws-us-gov:iam::"+management) {
		t.Errorf("with an organization alone, in GovCloud: %v", got)
	}
	delete(facts.Stack.Value.Parameters, "ManagementAccountId")
	if got := sent(gov); len(got) > 0 {
		t.Errorf("where no account forwards: %v", got)
	}
}
