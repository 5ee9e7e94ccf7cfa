package plan_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
)

func TestPolicyCarriesSoonestExpiries(t *testing.T) {
	var rows []grant.Row
	for i := range 150 {
		rows = append(rows, rowOf(fmt.Sprintf("g%03d", i), fmt.Sprintf("%012d", i+1), "expires", now.Add(time.Duration(i+1)*time.Hour).Format(time.RFC3339)))
	}
	p := mustMake(t, world(t, rows...))
	if guards := strings.Count(p.Want.String(), "DateLessThanIfExists"); guards != 20 {
		t.Errorf("%d statements end by themselves", guards)
	}
	if first := now.Add(time.Hour).Format(time.RFC3339); !strings.Contains(p.Want.String(), first) {
		t.Errorf("not so the one that ends at %s", first)
	}
	if !p.Due.Equal(now.Add(time.Hour)) {
		t.Errorf("due at %s", p.Due)
	}
	for id, status := range p.Status {
		if status.Phase != grant.PhaseAdmitted {
			t.Errorf("%s is %s", id, status.Phase)
		}
	}
}

func TestFullPolicyNamesWhatDoesNotFit(t *testing.T) {
	var rows []grant.Row
	for i := range 700 {
		rows = append(rows, rowOf(fmt.Sprintf("g%03d", i), fmt.Sprintf("%012d", i+1)))
	}
	for _, test := range []struct {
		reason     string
		accounting plan.Accounting
		least      int
		most       int
	}{
		{"expanded, an account takes 33 bytes", plan.ExpandedSize, 600, 620},
		{"submitted, it takes 15", plan.SubmittedSize, 700, 700},
	} {
		limits := plan.DefaultLimits()
		limits.Accounting = test.accounting
		w := world(t, rows...)
		p, err := plan.Make(w, limits)
		if err != nil {
			t.Fatal(err)
		}
		admitted := 0
		for _, status := range p.Status {
			switch {
			case status.Phase == grant.PhaseAdmitted:
				admitted++
			case status.Reason != grant.CodePolicyFull:
				t.Errorf("%s: %+v", test.reason, status)
			}
		}
		if admitted < test.least || admitted > test.most {
			t.Errorf("%s: %d admitted", test.reason, admitted)
		}
		if p.Size.Bytes > plan.MaxPolicyBytes || len(p.Want.Bytes()) > plan.MaxPolicyBytes {
			t.Errorf("%s: %d bytes", test.reason, p.Size.Bytes)
		}

		// The same again changes nothing, and what stands is not evicted by a
		// grant that sorts before it.
		w.Gateway.Policy = p.Want
		w.Rows = append(w.Rows, rowOf("a-newcomer", "000000000000"))
		again, err := plan.Make(w, limits)
		if err != nil {
			t.Fatal(err)
		}
		if test.accounting == plan.ExpandedSize && again.Write {
			t.Errorf("%s: standing access gave way:\n%s\n%s", test.reason, p.Want, again.Want)
		}
	}
}

func TestSmallerAccountingKeepsStandingAccess(t *testing.T) {
	var rows []grant.Row
	for i := range 1300 {
		rows = append(rows, rowOf(fmt.Sprintf("g%04d", i), fmt.Sprintf("%012d", i+1)))
	}
	limits := plan.DefaultLimits()
	limits.Accounting = plan.SubmittedSize
	w := world(t, rows...)
	p, err := plan.Make(w, limits)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Want.Statements) != 1 || len(p.Want.Statements[0].Principal.AWS) != 1300 {
		t.Fatalf("%d accounts fit by submitted size", len(p.Want.Statements[0].Principal.AWS))
	}
	w.Gateway.Policy = p.Want
	if again := mustMake(t, w); again.Write {
		t.Error("turning back to expanded sizes cut standing access")
	}
}

func TestStatementLimit(t *testing.T) {
	var rows []grant.Row
	for i := range 105 {
		rows = append(rows, rowOf(fmt.Sprintf("g%03d", i), "444455556666", "conditions", map[string]any{"sourceIp": []any{fmt.Sprintf("203.0.113.%d", i)}}))
	}
	limits := plan.DefaultLimits()
	limits.MaxBytes = 1 << 20
	p, err := plan.Make(world(t, rows...), limits)
	if err != nil {
		t.Fatal(err)
	}
	if p.Size.Statements != plan.MaxPolicyStatements {
		t.Errorf("%d statements", p.Size.Statements)
	}
}

func TestFullPolicyPrefersEditedGrant(t *testing.T) {
	limits := plan.DefaultLimits()
	limits.MaxBytes = 700
	standing := rowOf("standing", "444455556666")
	w := world(t, standing)
	p, err := plan.Make(w, limits)
	if err != nil {
		t.Fatal(err)
	}
	w.Gateway.Policy = p.Want
	where := map[string]any{"sourceVpce": []any{"vpce-0123456789abcdef0"}}
	for reason, edited := range map[string]grant.Row{
		"narrowed to a place": rowOf("standing", "444455556666", "conditions", where),
		"narrowed to a role":  rowOf("standing", "arn:aws:iam::444455556666:role/Agent", "follow", "name"),
	} {
		w.Rows = []grant.Row{edited}
		for i := range 20 { // they sort before it
			w.Rows = append(w.Rows, rowOf(fmt.Sprintf("a%02d", i), fmt.Sprintf("%012d", i+1)))
		}
		p, err := plan.Make(w, limits)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Status[key("standing")]; got.Phase != grant.PhaseAdmitted {
			t.Errorf("%s: %+v", reason, got)
		}
		if left := p.Status[key("a19")]; left.Reason != grant.CodePolicyFull {
			t.Errorf("%s: the policy is not full: %+v", reason, left)
		}
	}
}
