package reconcile_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

const (
	rootD    = "arn:aws:iam::555566667777:root"
	agentOfB = "arn:aws:iam::444455556666:role/Agent"
)

// watch fails the test if a write takes a principal out while it is wanted.
func (c *cloud) watch(wanted ...string) {
	c.gateways.afterPut = func() error {
		for _, principal := range wanted {
			if in := c.principals(); !slices.Contains(in, principal) {
				c.t.Errorf("%s was out of the policy for a moment: %v", principal, in)
			}
		}
		return nil
	}
}

// singles counts the statements, and fails the test if one lists principals.
func (c *cloud) singles() int {
	c.t.Helper()
	document, err := c.gateways.Policy(c.t.Context(), c.gateway)
	if err != nil || document == nil {
		return 0
	}
	for _, s := range document.Statements {
		if len(s.Principal.AWS) != 1 {
			c.t.Errorf("a statement lists %v", s.Principal.AWS)
		}
	}
	return len(document.Statements)
}

func TestRefusedLists(t *testing.T) {
	for name, test := range map[string]struct {
		reason  string
		before  []string // principals that stand
		then    func(c *cloud)
		want    []string
		singles int
		out     map[string]grant.Code // ids of rows that are not admitted
	}{
		"three accounts at once": {
			"the public case: each gets a statement of its own", nil,
			func(c *cloud) { c.grant("b", rootB); c.grant("c", rootC); c.grant("d", rootD) },
			[]string{rootB, rootD, rootC}, 3, nil,
		},
		"two more than stand": {
			"what stands alone stays as it is", []string{rootB},
			func(c *cloud) { c.grant("c", rootC); c.grant("d", rootD) },
			[]string{rootB, rootD, rootC}, 3, nil,
		},
		"a role and its account": {
			"the second public report had these two", []string{rootB},
			func(c *cloud) { c.grant("role", agentOfB) },
			[]string{agentOfB, rootB}, 2, nil,
		},
		"a role that does not exist": {
			"the one bad principal is still found, and no other is held responsible", []string{rootB},
			func(c *cloud) {
				c.iam.missing[agentOfB] = true
				c.grant("role", agentOfB)
				c.grant("c", rootC)
				c.grant("d", rootD)
			},
			[]string{rootB, rootD, rootC}, 3, map[string]grant.Code{"role": grant.CodeQuarantined},
		},
		"a revocation comes with the additions": {
			"it does not wait until the pattern is found", []string{rootB, rootC},
			func(c *cloud) { c.revoke("0"); c.grant("d", rootD) },
			[]string{rootD, rootC}, 2, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t, model.PrincipalListsRefused)
			for n, principal := range test.before {
				c.grant(strconv.Itoa(n), principal)
				c.reconcileUntilSettled()
			}
			c.watch(intersection(test.before, test.want)...)
			test.then(c)
			c.reconcileUntilSettled()
			if in := c.principals(); !slices.Equal(in, test.want) {
				t.Errorf("%s: %v are let in, want %v", test.reason, in, test.want)
			}
			if got := c.singles(); got != test.singles {
				t.Errorf("%s: %d statements, want %d", test.reason, got, test.singles)
			}
			for key, status := range c.state().Grants {
				if status.Reason != test.out[key.ID] {
					t.Errorf("%s: %s is %+v", test.reason, key.ID, status)
				}
			}
			before := c.gateways.writes
			c.reconcile()
			if len(test.out) > 0 {
				return // a principal that AWS does not know is tried again
			}
			if more := c.gateways.writes - before; more > 0 {
				t.Errorf("%s: settled, it writes %d times more", test.reason, more)
			}
		})
	}
}

func intersection(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return !slices.Contains(b, s) })
}

// A statement for each principal takes over 200 of the 20,480 bytes: about 90 fit, and
// never more than the 100 statements of a policy.
func TestRefusedListsOverflowIsPolicyFull(t *testing.T) {
	c := newCloud(t, model.PrincipalListsRefused)
	c.measuring(plan.SubmittedSize)
	c.putByHand(`{"Sid":"Partner","Effect":"Allow","Principal":{"AWS":"999900001111"},"Action":"bedrock-agentcore:InvokeGateway","Resource":"GATEWAY"}`)
	for n := range 120 {
		c.grant(fmt.Sprintf("row-%03d", n), fmt.Sprintf("%012d", 200000000000+n))
	}
	c.reconcileUntilSettled()
	in, reasons := len(c.principals())-1, map[grant.Code]int{}
	for _, status := range c.state().Grants {
		reasons[status.Reason]++
	}
	if in < 85 || reasons[""] != in || reasons[grant.CodePolicyFull] != 120-in {
		t.Errorf("%d principals of ours are let in; reasons %v", in, reasons)
	}
	before := c.text()
	c.settleFor(2)
	if after := c.text(); after != before {
		t.Errorf("settled, it was written again:\n%s\nwas\n%s", after, before)
	}
}

// What stands in a list that AWS accepts is never taken apart because AWS refuses a
// longer one, and never shortened.
func TestAcceptedListIsNotSplit(t *testing.T) {
	c := newCloud(t)
	c.grant("b", rootB)
	c.grant("c", rootC)
	c.reconcileUntilSettled()
	before := c.text()
	c.gateways.refuses = lists(func(principals int) bool { return principals > 2 })
	c.watch(rootB, rootC)
	c.grant("d", rootD)
	c.settleFor(3)
	if got := c.text(); got != before {
		t.Errorf("the list that stood was changed:\n%s\nwas\n%s", got, before)
	}
	if status := c.state().Grants[c.key("d")]; status.Reason != grant.CodeQuarantined {
		t.Errorf("%+v", status)
	}
}

// AWS refuses from now on the very list that stands in the policy.
func TestListRefusedLaterBecomesStatementEach(t *testing.T) {
	for name, change := range map[string]func(c *cloud){
		"an addition":                  func(c *cloud) { c.grant("e", "666677778888") },
		"a revocation":                 func(c *cloud) { c.revoke("d") },
		"a revocation and an addition": func(c *cloud) { c.revoke("d"); c.grant("e", "666677778888") },
	} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t)
			c.grant("b", rootB)
			c.grant("c", rootC)
			c.grant("d", rootD)
			c.reconcileUntilSettled()
			c.gateways.refuses = lists(func(principals int) bool { return principals > 1 })
			c.watch(rootB, rootC)
			change(c)
			c.reconcileUntilSettled()
			c.singles()
			for key, status := range c.state().Grants {
				if status.Reason != "" {
					t.Errorf("%s is %+v", key.ID, status)
				}
			}
		})
	}
}

// lists refuses a document with a statement for so many principals.
func lists(refused func(principals int) bool) func(*policy.Document) bool {
	return func(document *policy.Document) bool {
		return slices.ContainsFunc(document.Statements, func(s policy.Statement) bool { return refused(len(s.Principal.AWS)) })
	}
}
