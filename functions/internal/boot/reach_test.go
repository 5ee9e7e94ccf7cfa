package boot

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/agentcore"
)

func TestTheReachIsReadFromTheEnvironment(t *testing.T) {
	cases := map[string]struct {
		reason    string
		variables map[string]string
		want      Reach
	}{
		"nothing is set": {"one account, one region, a low rate", nil, Reach{PolicyRate: 2.5}},
		"everything is set": {"as it says", map[string]string{
			"GATEWAY_REGIONS": "us-east-1, eu-west-1", "OWNER_ACCOUNTS": "111122223333,444455556666",
			"OWNER_ROLE_NAME": "gateway-grants/Owner", "OWNER_EXTERNAL_ID": "a-secret", "POLICY_CALL_RATE": "0.5", "POLICY_CALL_SHARES": "5",
		}, Reach{
			Regions: []string{"us-east-1", "eu-west-1"}, Owners: []string{"111122223333", "444455556666"},
			Role: "gateway-grants/Owner", ExternalID: "a-secret", PolicyRate: 0.1,
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			e := environmentOf(c.variables)
			got := e.Reach()
			if diff := cmp.Diff(c.want, got); diff != "" || e.Err() != nil {
				t.Errorf("%s: %v, -want +got\n%s", c.reason, e.Err(), diff)
			}
			_ = agentcore.Deployment(got) // which is what it is for
		})
	}
}

func TestAReachThatIsNotRightKeepsTheFunctionFromStarting(t *testing.T) {
	for name, value := range map[string]string{
		"OWNER_ROLE_NAME": "arn:aws:iam::111122223333:role/Owner", "OWNER_EXTERNAL_ID": "x",
		"POLICY_CALL_RATE": "0", "POLICY_CALL_SHARES": "many",
	} {
		e := environmentOf(map[string]string{name: value, "OWNER_ACCOUNTS": "111122223333"})
		e.Reach()
		if err := e.Err(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s=%s: %v", name, value, err)
		}
	}
	e := environmentOf(map[string]string{"OWNER_ROLE_NAME": "Owner"})
	e.Reach()
	if err := e.Err(); err == nil || !strings.Contains(err.Error(), "OWNER_ACCOUNTS") {
		t.Errorf("a role in no account: %v", err)
	}
	for value, want := range map[string]int{"": 60, "1": 1, "1440": 1440} {
		e := environmentOf(map[string]string{"SWEEP_MINUTES": value})
		if got := e.SweepMinutes(); got != want || e.Err() != nil {
			t.Errorf("SWEEP_MINUTES=%s: %d, %v", value, got, e.Err())
		}
	}
	for _, value := range []string{"0", "1441", "hourly", "1.5"} {
		e := environmentOf(map[string]string{"SWEEP_MINUTES": value})
		e.SweepMinutes()
		if e.Err() == nil {
			t.Errorf("SWEEP_MINUTES=%s is taken", value)
		}
	}
}
