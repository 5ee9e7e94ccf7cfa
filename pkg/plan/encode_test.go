package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// foreignIDs are statements of others that name accounts by id, which count for more
// than they are written in where AWS expands them.
func foreignIDs(t *testing.T, n int) *policy.Document {
	t.Helper()
	var statements []string
	for i := range n {
		statements = append(statements, fmt.Sprintf(`{"Sid":"Theirs%02d","Effect":"Allow","Principal":{"AWS":"5%011d"},"Action":"bedrock-agentcore:InvokeGateway","Resource":%q}`, i, i, gatewayARN))
	}
	return parse(t, `{"Version":"2012-10-17","Statement":[`+strings.Join(statements, ",")+`]}`)
}

// sharing is a row for one role, by name, in each of so many accounts.
func sharing(accounts int) []grant.Row {
	var rows []grant.Row
	for i := range accounts {
		rows = append(rows, rowOf(fmt.Sprintf("role%d", i), fmt.Sprintf("arn:aws:iam::3%011d:role/Agent", i), "follow", "name"))
	}
	return rows
}

// full has the rows and as many accounts as the policy has room for besides.
func full(t *testing.T, w plan.World, limits plan.Limits) plan.World {
	t.Helper()
	base := w.Rows
	for i := range 1400 {
		w.Rows = append(w.Rows, rowOf(fmt.Sprintf("x%04d", i), fmt.Sprintf("4%011d", i)))
	}
	p := planned(t, w, limits)
	w.Gateway.Policy = p.Want
	w.Rows = slices.DeleteFunc(w.Rows, func(row grant.Row) bool { return p.Status[row.Key].Phase != grant.PhaseAdmitted })
	if len(w.Rows) == len(base)+1400 || len(w.Rows) < len(base) {
		t.Fatalf("%d rows fit: the policy is not full", len(w.Rows))
	}
	return w
}

func planned(t *testing.T, w plan.World, limits plan.Limits) plan.Plan {
	t.Helper()
	p, err := plan.Make(w, limits)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// verbs counts what becomes of principals.
func verbs(p plan.Plan) map[plan.Verb]int {
	count := map[plan.Verb]int{}
	for _, c := range p.Changes {
		count[c.Verb]++
	}
	return count
}

// In a nearly full policy a role in one account more would be laid out in another
// way, which there may be no room for. Access that stands stays, what is new waits,
// and a revocation goes through.
func TestFullPolicyRevokesInAnyLayout(t *testing.T) {
	submitted, expanded := plan.DefaultLimits(), plan.DefaultLimits()
	submitted.Accounting = plan.SubmittedSize
	learnt := func(w *plan.World) { w.Gateway.Recorded.Gateway.ExpandedSizeObserved = true }
	for _, test := range []struct {
		reason        string
		before, after plan.Limits
		then          func(*plan.World)
		foreign       int
		roles         int
	}{
		{"the eighth account shares a statement", expanded, expanded, nil, 30, 7},
		{"the same, by submitted size", submitted, submitted, nil, 30, 7},
		{"sizes count expanded from now on", submitted, expanded, nil, 30, 7},
		{"sizes count as submitted from now on", expanded, submitted, nil, 30, 7},
		{"expansion is learnt over a large policy", submitted, submitted, learnt, 30, 7},
		{"expansion is learnt, and roles share a statement already", submitted, submitted, learnt, 30, 8},
		{"almost all statements are foreign", expanded, expanded, nil, 80, 7},
		{"almost all are foreign, and expansion is learnt", submitted, submitted, learnt, 80, 7},
		{"nothing is foreign", submitted, expanded, nil, 0, 7},
	} {
		t.Run(test.reason, func(t *testing.T) {
			w := world(t, sharing(test.roles)...)
			if test.foreign > 0 {
				w.Gateway.Policy = foreignIDs(t, test.foreign)
			}
			w = full(t, w, test.before)
			stood := len(w.Rows)
			w.Rows = append(w.Rows, sharing(test.roles + 1)[test.roles])
			w.Rows = slices.DeleteFunc(w.Rows, func(row grant.Row) bool { return row.ID == "x0003" })
			if test.then != nil {
				test.then(&w)
			}
			p := planned(t, w, test.after)
			got := verbs(p)
			if got[plan.Remove] != 1 || got[plan.Keep] != stood-1 || got[plan.Add]+got[plan.LeaveOut] != 1 {
				t.Fatalf("of %d that stood: %v", stood, got)
			}
			newcomer := p.Status[key(fmt.Sprintf("role%d", test.roles))]
			if got[plan.LeaveOut] == 1 && newcomer.Reason != grant.CodePolicyFull {
				t.Errorf("%+v", newcomer)
			}
			if len(p.Want.Bytes()) > plan.MaxPolicyBytes {
				t.Errorf("%d bytes", len(p.Want.Bytes()))
			}
			w.Gateway.Policy = p.Want
			if again := planned(t, w, test.after); again.Write {
				t.Errorf("it is written again:\n%s\n%s", p.Want, again.Want)
			}
		})
	}
}

// What stands may be written more tightly than any layout of ours: then it is left
// as it stands, and only shrinks.
func TestTighterLayoutIsKept(t *testing.T) {
	const tight = `{"Version":"2012-10-17","Statement":[{"Sid":"GatewayGrantsmainXa","Effect":"Allow","Principal":{"AWS":["444455556666","777788889999","888899990000"]},` +
		`"Action":"bedrock-agentcore:InvokeGateway","Resource":"` + gatewayARN + `","Condition":{"ArnLike":{"aws:PrincipalArn":["arn:aws:iam::*:role/Agent","arn:aws:iam::*:role/Other"]},` +
		`"DateLessThanIfExists":{"aws:CurrentTime":"2026-11-24T00:00:00Z"}}}]}`
	limits := plan.DefaultLimits()
	limits.MaxBytes, limits.MaxStatements = len(tight), 1
	w := world(t)
	for i, account := range []string{"444455556666", "777788889999"} {
		for _, role := range []string{"Agent", "Other"} {
			w.Rows = append(w.Rows, rowOf(fmt.Sprintf("%s%d", role, i), "arn:aws:iam::"+account+":role/"+role, "follow", "name", "expires", "2026-11-23"))
		}
	}
	w.Rows = append(w.Rows, rowOf("new", "999900001111"))
	w.Gateway.Policy = parse(t, tight)

	p := planned(t, w, limits)
	want := strings.Replace(tight, `,"888899990000"`, "", 1)
	if got := p.Want.String(); got != want {
		t.Errorf("it became\n%s\nand should be\n%s", got, want)
	}
	if got := p.Status[key("new")]; got.Reason != grant.CodePolicyFull {
		t.Errorf("%+v", got)
	}

	w.Gateway.Policy = p.Want
	w.Rows[0] = rowOf("Agent0", "arn:aws:iam::444455556666:role/Agent", "follow", "name") // and without an end from now on
	p = planned(t, w, limits)
	want = strings.Replace(want, `,"DateLessThanIfExists":{"aws:CurrentTime":"2026-11-24T00:00:00Z"}`, "", 1)
	if got := p.Want.String(); got != want {
		t.Errorf("without its end it became\n%s\nand should be\n%s", got, want)
	}

	w.Gateway.Policy = p.Want
	w.Rows = w.Rows[2:4]
	p = planned(t, w, limits)
	if text := p.Want.String(); strings.Contains(text, "444455556666") || !strings.Contains(text, "777788889999") {
		t.Errorf("once the first account was revoked it became %s", text)
	}
}

// An account id stands for a root ARN of the gateway's partition, whose name has
// more letters than "aws" elsewhere.
func TestSizesAreThoseOfTheGatewaysPartition(t *testing.T) {
	for partition, region := range map[string]string{"aws": "us-east-1", "aws-us-gov": "us-gov-west-1", "aws-cn": "cn-north-1"} {
		for accounting, limits := range map[string]plan.Limits{"expanded": {}, "submitted": {Accounting: plan.SubmittedSize}} {
			t.Run(partition+", "+accounting, func(t *testing.T) {
				limits.MaxBytes, limits.MaxStatements, limits.Installation = plan.MaxPolicyBytes, plan.MaxPolicyStatements, "main"
				arn := fmt.Sprintf("arn:%s:bedrock-agentcore:%s:111122223333:gateway/cross-account-test-abcde12345", partition, region)
				gateway, err := grant.ParseGateway(arn)
				if err != nil {
					t.Fatal(err)
				}
				w := plan.World{Gateway: plan.Observed{Gateway: gateway, Exists: true, Authorizer: "AWS_IAM", Status: "READY", Managed: true}, Now: now}
				w.Gateway.Policy = parse(t, strings.ReplaceAll(foreignIDs(t, 30).String(), gatewayARN, arn))
				for i := range 1400 {
					w.Rows = append(w.Rows, grant.Parse(grant.Attributes{"gateway": arn, "grant": fmt.Sprintf("g%04d", i), "principal": fmt.Sprintf("4%011d", i)}))
				}
				p := planned(t, w, limits)
				size, one := len(p.Want.Bytes()), len(`"444455556666",`)
				if limits.Accounting == plan.ExpandedSize {
					size, one = len(rooted(p.Want, partition).Bytes()), one+len("arn::iam:::root")+len(partition)
				}
				if p.Size.Bytes != size || size > plan.MaxPolicyBytes || size+one <= plan.MaxPolicyBytes {
					t.Errorf("it counts as %d bytes, and has %d of %d", p.Size.Bytes, size, plan.MaxPolicyBytes)
				}
			})
		}
	}
}

// rooted is the document with account ids written as root ARNs.
func rooted(d *policy.Document, partition string) *policy.Document {
	statements := slices.Clone(d.Statements)
	for i, s := range statements {
		principals := slices.Clone(s.Principal.AWS)
		for j, written := range principals {
			if len(written) == 12 {
				principals[j] = "arn:" + partition + ":iam::" + written + ":root"
			}
		}
		statements[i] = policy.Statement{Sid: s.Sid, Effect: s.Effect, Principal: &policy.Principals{AWS: principals}, Action: s.Action, Resource: s.Resource, Condition: s.Condition}
	}
	return d.WithStatements(statements...)
}
