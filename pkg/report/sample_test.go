package report_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/report"
)

var made = time.Date(2026, 11, 28, 9, 30, 0, 0, time.UTC)

// sample is a deployment of so many gateways that so many accounts reach, the same each
// time: grants for each, for an OU and for roles, and something of everything else.
func sample(gateways, accounts int) report.Report {
	random := rand.New(rand.NewPCG(1, 2))
	r := report.Report{At: made, Installation: "main", Names: map[string]string{}, Gateways: []report.Gateway{}, Grants: []report.Grant{}, Approvals: []report.Approval{}}
	everyone := grant.Key{Gateway: grant.EveryGateway, ID: "product-teams"}
	r.Grants = append(r.Grants, report.Grant{Gateway: everyone.Gateway, ID: everyone.ID, Principal: "ou-abcd-11112222", Reason: "every product team", Source: "git/platform"})
	account := func(i int) string { return fmt.Sprintf("%012d", 200000000000+i*7919) }
	names := []string{"tools", "search", "payments", "tickets", "documents", "forecasts", "inventory", "support"}
	for i := range accounts {
		r.Names[account(i)] = fmt.Sprintf("%s team %c%c", names[i%len(names)], 'A'+i/26%26, 'A'+i%26)
	}
	for i := range gateways {
		g := report.Gateway{
			ARN:   fmt.Sprintf("arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/%s-%010d", names[i%len(names)], i),
			Bytes: 500 + random.IntN(19000), MaxBytes: 20480, Statements: 1 + random.IntN(20), MaxStatements: 100,
			Access: []report.Access{}, Attention: []report.Attention{}, Foreign: []report.Statement{}, Changes: []report.Change{},
		}
		for a := range accounts {
			if a%4 == i%4 {
				g.Access = append(g.Access, report.Access{Principal: "arn:aws:iam::" + account(a) + ":root", Kind: report.InForce, Grants: []grant.Key{everyone}})
			}
		}
		for n := range 3 {
			a, ends := account(random.IntN(accounts)), made.Add(time.Duration(random.IntN(200*24))*time.Hour)
			key := grant.Key{Gateway: g.ARN, ID: fmt.Sprintf("agents-%d", n)}
			r.Grants = append(r.Grants, report.Grant{Gateway: key.Gateway, ID: key.ID, Principal: a + ":role/AgentRole", Expires: ends.Format(time.RFC3339), Reason: "pilot", RequestedBy: "arn:aws:iam::111122223333:user/alice"})
			kind := []report.Kind{report.InForce, report.ToAdd, report.ToRemove}[n]
			g.Access = append(g.Access, report.Access{Principal: "arn:aws:iam::" + a + ":role/team/AgentRole", Kind: kind, Grants: []grant.Key{key}, Expires: ends, Under: "from 203.0.113.0/24"})
		}
		if i%3 == 0 {
			g.Foreign = append(g.Foreign, report.Statement{Name: `statement 1 (Sid "Theirs")`, Effect: "Allow", Who: "arn:aws:iam::999900001111:role/Auditor", Text: `{"Sid":"Theirs","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999900001111:role/Auditor"},"Action":"bedrock-agentcore:InvokeGateway","Resource":"` + g.ARN + `"}`})
			g.Access = append(g.Access, report.Access{Principal: "arn:aws:iam::999900001111:role/Auditor", Kind: report.ByForeign, Statement: `statement 1 (Sid "Theirs")`})
		}
		if i%5 == 1 {
			key := grant.Key{Gateway: g.ARN, ID: "agents-2"}
			g.Attention = append(g.Attention, report.Attention{Key: key, Phase: grant.PhaseLeftOut, Code: grant.CodeQuarantined, Message: "AWS does not know arn:aws:iam::444455556666:role/Gone; it is tried again", Since: made.Add(-48 * time.Hour)})
		}
		if i%7 == 3 {
			g.Code, g.Message = grant.CodeWrongAuthorizer, "the gateway authorizes callers by CUSTOM_JWT, which no grant of an IAM principal can open"
		}
		g.Changes = append(g.Changes, report.Change{At: made.Add(-time.Duration(i+1) * time.Hour), Cause: "grants table", By: "arn:aws:iam::111122223333:user/alice", PlanHash: "0123456789abcdef", Outcome: "written", Gained: []string{"arn:aws:iam::" + account(i) + ":root"}})
		r.Gateways = append(r.Gateways, g)
	}
	r.Approvals = append(r.Approvals, report.Approval{ID: "departure-1f0c2a9b", What: "account " + account(3) + " loses its membership", Account: account(3), Adds: []string{}, Removes: []string{account(3)}, Grants: []string{everyone.String()}, Since: made.Add(-6 * time.Hour)})
	return r
}
