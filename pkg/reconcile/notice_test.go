package reconcile_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/event"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

// Each type of notice by what brings it about. Whatever is published on the way
// is held against its schema by notices.Publish.
var occasions = map[plan.NoticeType]func(*cloud){
	plan.PolicyApplied: func(c *cloud) {
		c.grant("account-b", "444455556666")
		c.reconcile()
		c.revoke("account-b")
		c.reconcile()
	},
	plan.DriftRepaired: func(c *cloud) {
		c.grant("account-b", "444455556666")
		c.reconcile()
		c.putByHand(foreignReader)
		c.reconcile()
	},
	plan.PolicyNotApplied: func(c *cloud) {
		c.observe(true)
		c.grant("account-b", "444455556666")
		c.reconcile()
	},
	plan.GrantQuarantined: func(c *cloud) {
		c.grant("standing", role(1))
		c.reconcile()
		c.iam.missing[role(1)], c.iam.missing[role(2)] = true, true
		c.grant("new", role(2))
		c.reconcile()
	},
	plan.PolicyFull: func(c *cloud) {
		for i := range 620 {
			c.grant(fmt.Sprintf("g%03d", i), fmt.Sprintf("%012d", i+1))
		}
		c.reconcile()
	},
	plan.GrantInvalid: func(c *cloud) {
		c.grant("account-b", "444455556666")
		c.reconcile()
		c.grant("account-b", "444455556666", "colour", "red")
		c.reconcile()
	},
	plan.GrantExpiring: func(c *cloud) {
		c.grant("account-b", "444455556666", "expires", "2026-12-24")
		c.reconcileUntilSettled()
		c.now = c.state().Gateway.Due
		c.reconcile()
	},
	plan.GatewayOpen: func(c *cloud) {
		*c = *newCloud(c.t, model.WildcardAllowAccepted)
		c.putByHand(`{"Effect":"Allow","Principal":"*","Action":"bedrock-agentcore:InvokeGateway","Resource":"GATEWAY"}`)
		c.reconcile()
	},
	plan.OverwrittenByOther: func(c *cloud) {
		c.grant("account-b", "444455556666")
		c.reconcile()
		for range 3 {
			c.now = c.now.Add(time.Minute)
			c.putByHand(foreignReader)
			c.reconcile()
		}
	},
}

func TestNoticesMatchSchemas(t *testing.T) {
	published := map[plan.NoticeType]bool{plan.DeparturesHeld: true, plan.RowsRemoved: true} // pkg/handler publishes them, pkg/bus holds them to their schemas
	for wanted, occasion := range occasions {
		c := newCloud(t)
		occasion(c)
		types := c.notices.types()
		if !slices.Contains(types, wanted) {
			t.Errorf("%s: published was %v", wanted, types)
		}
		for _, notice := range types {
			published[notice] = true
		}
	}
	declared := noticeTypes(t)
	if diff := cmp.Diff(declared, slices.Sorted(maps.Keys(published))); diff != "" {
		t.Errorf("published in this test: -declared +published\n%s", diff)
	}
	documented := []plan.NoticeType{}
	for title := range newCloud(t).notices.schemas {
		if title != event.ReconcileRequested { // pkg/bus publishes it
			documented = append(documented, plan.NoticeType(title))
		}
	}
	slices.Sort(documented)
	if diff := cmp.Diff(declared, documented); diff != "" {
		t.Errorf("schemas in docs/notices: -declared +documented\n%s", diff)
	}
}

// noticeTypes are the constants of that type, sorted: no list of them can fall
// behind.
func noticeTypes(t *testing.T) []plan.NoticeType {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../plan/notice.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var types []plan.NoticeType
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); ok && name.Name == "NoticeType" {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			types = append(types, plan.NoticeType(text))
		}
		return true
	})
	slices.Sort(types)
	return types
}

func TestExpiringGrantIsReportedOnce(t *testing.T) {
	published := func(c *cloud) (grants []string) {
		for _, notice := range c.notices.published {
			if detail, ok := notice.Detail.(plan.ExpiringDetail); ok {
				grants = append(grants, detail.Grant)
			}
		}
		return grants
	}
	c := newCloud(t)
	c.grant("month", "444455556666", "expires", c.now.Add(30*24*time.Hour).Format(time.RFC3339))
	c.grant("day", "777788889999", "expires", c.now.Add(24*time.Hour).Format(time.RFC3339))
	c.grant("ever", "888899990000")
	c.reconcileUntilSettled()
	if got := published(c); len(got) > 0 {
		t.Errorf("notices at once: %v", got)
	}
	c.now = c.now.Add(25 * 24 * time.Hour)
	c.gateways.beforePut = once(reconcile.CodeThrottled) // the day's grant has ended, and must go
	for range 4 {
		c.reconcile()
		c.now = c.now.Add(time.Minute)
	}
	if diff := cmp.Diff([]string{"month"}, published(c)); diff != "" {
		t.Errorf("in its last week: -want +got\n%s", diff)
	}
	c.grant("month", "444455556666", "expires", c.now.Add(30*24*time.Hour).Format(time.RFC3339))
	c.reconcile()
	c.now = c.now.Add(25 * 24 * time.Hour)
	c.reconcile()
	if diff := cmp.Diff([]string{"month", "month"}, published(c)); diff != "" {
		t.Errorf("after it was put off: -want +got\n%s", diff)
	}
}
