package plan_test

import (
	"fmt"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/plan"
)

// A role that several accounts have in common is written once from some number
// of accounts on. Crossing it either way costs bytes, which must not come from
// a principal that is in.
func TestSharedRoleKeepsAllAccess(t *testing.T) {
	const unit = "ou-abcd-11112222"
	for name, test := range map[string]struct {
		reason        string
		role          string
		before, after int // accounts in the unit
	}{
		"one account less": {"the role's ARN would be written for each again", "some/rather/long/path/AgentRole", 8, 7},
		"one account more": {"a statement of its own costs more than it saves", "A", 7, 8},
	} {
		for accounting, limits := range map[string]plan.Limits{"expanded": {}, "submitted": {Accounting: plan.SubmittedSize}} {
			t.Run(name+", "+accounting, func(t *testing.T) {
				limits.MaxBytes, limits.MaxStatements, limits.Installation = plan.MaxPolicyBytes, plan.MaxPolicyStatements, "main"
				w := world(t, rowOf("unit", unit, "role", test.role, "conditions", map[string]any{"sourceIp": []any{"203.0.113.0/24"}}),
					rowOf("pattern", "arn:aws:iam::444455556666:role/B*", "conditions", map[string]any{"sourceIp": []any{"203.0.113.0/24"}}))
				directory := func(inUnit int) map[string]string {
					units := map[string]string{"444455556666": ""}
					for i := range 1300 {
						units[fmt.Sprintf("4%011d", i)] = ""
					}
					for i := range inUnit {
						units[fmt.Sprintf("3%011d", i)] = unit
					}
					return units
				}
				next := func(inUnit int) plan.Plan {
					w.Accounts = members(t, []string{unit}, directory(inUnit))
					p, err := plan.Make(w, limits)
					if err != nil {
						t.Fatal(err)
					}
					w.Gateway.Policy, w.Gateway.Recorded.Grants = p.Want, p.Status
					return p
				}
				next(test.before)
				for i := range 1300 {
					w.Rows = append(w.Rows, rowOf(fmt.Sprintf("g%04d", i), fmt.Sprintf("4%011d", i)))
				}
				full := next(test.before)
				p := next(test.after)
				removed := 0
				for _, c := range p.Changes {
					if c.Verb == plan.Remove {
						removed++
					}
				}
				if removed != max(0, test.before-test.after) {
					t.Errorf("%s: %d principals went", test.reason, removed)
				}
				if p.Size.Bytes > limits.MaxBytes {
					t.Errorf("%s: %+v became %+v", test.reason, full.Size, p.Size)
				}
				if again := next(test.after); again.Write {
					t.Errorf("%s: it is written again", test.reason)
				}
			})
		}
	}
}
