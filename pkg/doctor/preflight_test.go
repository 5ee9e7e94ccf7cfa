package doctor_test

import (
	"strings"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/doctor"
)

// ready is an account that a deployment will go through in.
func ready() doctor.Before {
	return doctor.Before{
		Region: "us-east-1", Account: "111122223333", Name: "gateway-grants", Concurrency: 5,
		Stack: read(doctor.Stack{Missing: true}), Taken: read([]string(nil)),
		Regions: []doctor.Offer{{Region: "us-east-1", Offered: read(true)}, {Region: "eu-west-1", Offered: read(true)}},
		Denied:  read([]string(nil)), Lambda: read(10), RoleRoom: read(7),
		Trails: read([]doctor.Trail{{Name: "all", Logging: true, Management: true}}),
	}
}

func TestPreflightFindsCausesOfFailure(t *testing.T) {
	if results := doctor.Preflight(ready()); doctor.Blocked(results) || !doctor.Healthy(results) {
		t.Errorf("an account that is ready: %+v", results)
	}
	denied := doctor.Reading[[]string]{Err: "AWS denies this"}
	cases := map[string]struct {
		check, what, mend string
		blocks            bool
		plant             func(*doctor.Before)
	}{
		"a Region without AgentCore":   {"region", "Region eu-west-1 has no AgentCore", "GatewayRegions", true, func(b *doctor.Before) { b.Regions[1].Offered = read(false) }},
		"a permission that lacks":      {"permissions", "iam:CreateRole", "infra/permissions/deploy.json", true, func(b *doctor.Before) { b.Denied = read([]string{"iam:CreateRole"}) }},
		"tables that were left":        {"names", "gateway-grants-state", "PARAMETERS=Name=", true, func(b *doctor.Before) { b.Taken = read([]string{"gateway-grants-state"}) }},
		"few executions":               {"concurrency", "9 concurrent executions", "L-B99A9384", true, func(b *doctor.Before) { b.Lambda = read(9) }},
		"no room for roles":            {"roles", "6 more roles", "L-FE177D64", true, func(b *doctor.Before) { b.RoleRoom = read(6) }},
		"no trail, which is advice":    {"trail", "no trail logs", "create-trail", false, func(b *doctor.Before) { b.Trails = read([]doctor.Trail(nil)) }},
		"what may not be looked at":    {"permissions", "", "", false, func(b *doctor.Before) { b.Denied = denied }},
		"tables of the stack's own":    {"names", "", "", false, func(b *doctor.Before) { b.Stack = read(doctor.Stack{}); b.Taken = read([]string{"gateway-grants"}) }},
		"more executions are reserved": {"concurrency", "12 are needed", "ReconcileConcurrency", true, func(b *doctor.Before) { b.Concurrency = 7 }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := ready()
			c.plant(&b)
			results := doctor.Preflight(b)
			if doctor.Blocked(results) != c.blocks {
				t.Errorf("blocked %t, want %t", !c.blocks, c.blocks)
			}
			for _, r := range results {
				for _, f := range r.Findings {
					if r.Check != c.check || !strings.Contains(f.What, c.what) || !strings.Contains(f.Mend, c.mend) || c.what == "" {
						t.Errorf("check %s found %+v", r.Check, f)
					}
				}
				if r.Check == c.check && c.what != "" && len(r.Findings) != 1 {
					t.Errorf("check %s found nothing", r.Check)
				}
			}
		})
	}
}
