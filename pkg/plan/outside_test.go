package plan_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
)

// foreign is a policy of statements of others on the gateway; each is effect and
// the elements besides action and resource.
func foreign(statements ...string) string {
	for i, s := range statements {
		effect, rest, _ := strings.Cut(s, " ")
		statements[i] = `{"Effect":"` + effect + `","Action":"bedrock-agentcore:InvokeGateway","Resource":"` + gatewayARN + `",` + rest + `}`
	}
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

func TestForeignDenyIsNamedWithStoppedGrants(t *testing.T) {
	const everyone = `"Principal":"*"`
	contained := `Deny "Sid":"SecurityIncidentIsolate",` + everyone
	conditions := func(key string, values ...any) []any {
		return []any{"conditions", map[string]any{key: values}}
	}
	for name, tc := range map[string]struct {
		reason    string
		policy    string
		principal string
		more      []any
		want      grant.Code
		says      string
	}{
		"containment":             {"an incident's Deny stops every caller", foreign(contained), "444455556666", nil, grant.CodeForeignDeny, `every call: statement 1 (Sid "SecurityIncidentIsolate")`},
		"no Sid":                  {"its place names it", foreign(`Allow "Principal":{"AWS":"777788889999"}`, "Deny "+everyone), "444455556666", nil, grant.CodeForeignDeny, "every call: statement 2 of"},
		"of the account":          {"an account is everyone in it", foreign(`Deny "Principal":{"AWS":"444455556666"}`), "arn:aws:iam::444455556666:role/Agent", nil, grant.CodeForeignDeny, "every call"},
		"of the role":             {"the role itself", foreign(`Deny "Principal":{"AWS":"arn:aws:iam::444455556666:role/Agent"}`), "arn:aws:iam::444455556666:role/Agent", nil, grant.CodeForeignDeny, "every call"},
		"of one role of it":       {"others of the account may call", foreign(`Deny "Principal":{"AWS":"arn:aws:iam::444455556666:role/Agent"}`), "444455556666", nil, grant.CodeForeignDenyPartly, "some calls"},
		"of a role of a pattern":  {"others of the pattern may call", foreign(`Deny "Principal":{"AWS":"arn:aws:iam::444455556666:role/team/Agent1"}`), "arn:aws:iam::444455556666:role/team/Agent*", nil, grant.CodeForeignDenyPartly, "some calls"},
		"of a session":            {"the role's other sessions may call", foreign(`Deny "Principal":{"AWS":"arn:aws:sts::444455556666:assumed-role/Agent/s1"}`), "arn:aws:iam::444455556666:role/team/Agent", nil, grant.CodeForeignDenyPartly, "some calls"},
		"of roles by their ARN":   {"which roles call is not known", foreign(`Deny ` + everyone + `,"Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/Agent*"}}`), "444455556666", nil, grant.CodeForeignDenyPartly, "some calls"},
		"of this role by its ARN": {"the role is known", foreign(`Deny ` + everyone + `,"Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/Agent*"}}`), "arn:aws:iam::444455556666:role/Agent", nil, grant.CodeForeignDeny, "every call"},
		"outside of an endpoint":  {"where calls come from is not known", foreign(`Deny ` + everyone + `,"Condition":{"StringNotEquals":{"aws:SourceVpce":"vpce-0123456789abcdef0"}}`), "444455556666", nil, grant.CodeForeignDenyPartly, "some calls"},
		"outside of the grant's":  {"the grant's calls come through it", foreign(`Deny ` + everyone + `,"Condition":{"StringNotEquals":{"aws:SourceVpce":"vpce-0123456789abcdef0"}}`), "444455556666", conditions("sourceVpce", "vpce-0123456789abcdef0"), "", ""},
		"outside of another":      {"the grant's calls come through the wrong one", foreign(`Deny ` + everyone + `,"Condition":{"StringNotEquals":{"aws:SourceVpce":"vpce-0123456789abcdef0"}}`), "444455556666", conditions("sourceVpce", "vpce-0aaaaaaaaaaaaaaaa"), grant.CodeForeignDeny, "every call"},
		"plain HTTP":              {"no call comes so", foreign(`Deny ` + everyone + `,"Condition":{"Bool":{"aws:SecureTransport":"false"}}`), "444455556666", nil, "", ""},
		"another account":         {"it is about others", foreign(`Deny "Principal":{"AWS":"777788889999"}`), "444455556666", nil, "", ""},
		"all but the account":     {"the account is spared", foreign(`Deny "NotPrincipal":{"AWS":["444455556666"]}`), "444455556666", nil, "", ""},
		"another action":          {"it is about a Runtime", strings.Replace(foreign(contained), "InvokeGateway", "InvokeAgentRuntime", 1), "444455556666", nil, "", ""},
		"every action":            {"a star covers ours", strings.Replace(foreign(contained), "bedrock-agentcore:InvokeGateway", "bedrock-agentcore:*", 1), "444455556666", nil, grant.CodeForeignDeny, "every call"},
	} {
		t.Run(name, func(t *testing.T) {
			w := world(t, rowOf("a", tc.principal, tc.more...))
			w.Gateway.Policy = parse(t, tc.policy)
			p := mustMake(t, w)
			status := p.Status[key("a")]
			if status.Phase != grant.PhaseAdmitted || status.Reason != tc.want || !strings.Contains(status.Message, tc.says) {
				t.Errorf("%s: %+v", tc.reason, status)
			}
			if (len(p.Outside.Denials) > 0) != (tc.want != "") {
				t.Errorf("%s: %+v", tc.reason, p.Outside)
			}
		})
	}
}

func TestForeignDenyCountsStoppedPrincipals(t *testing.T) {
	w := world(t, rowOf("all", "ou-ab12-11112222"))
	w.Accounts = members(t, []string{"ou-ab12-11112222"}, map[string]string{"444455556666": "ou-ab12-11112222", "777788889999": "ou-ab12-11112222"})
	w.Gateway.Policy = parse(t, foreign(`Deny "Sid":"One","Principal":{"AWS":"777788889999"}`))
	p := mustMake(t, w)
	want := plan.Outside{Denials: []plan.Denial{{Statement: plan.Statement{Number: 1, Sid: "One"}, Wholly: []string{"arn:aws:iam::777788889999:root"}}}}
	if diff := cmp.Diff(want, p.Outside); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if got := p.Status[key("all")]; got.Reason != grant.CodeForeignDenyPartly || !strings.Contains(got.Message, "1 of 2 principals") {
		t.Errorf("%+v", got)
	}
}

func TestForeignAllowForEveryoneIsNamed(t *testing.T) {
	for name, tc := range map[string]struct {
		reason, policy string
		want           []plan.Statement
	}{
		"everyone":             {"no grant matters any more", foreign(`Allow "Sid":"Public","Principal":"*"`), []plan.Statement{{Number: 1, Sid: "Public"}}},
		"everyone by HTTPS":    {"every call comes so", foreign(`Allow "Principal":{"AWS":["*"]},"Condition":{"Bool":{"aws:SecureTransport":"true"}}`), []plan.Statement{{Number: 1}}},
		"of an organization":   {"a condition narrows it", foreign(`Allow "Principal":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-exampleorgid"}}`), nil},
		"an account":           {"it is one account", foreign(`Allow "Principal":{"AWS":"777788889999"}`), nil},
		"an action of Runtime": {"it is about something else", strings.Replace(foreign(`Allow "Principal":"*"`), "InvokeGateway", "InvokeAgentRuntime", 1), nil},
		"taken back":           {"a Deny goes before it", foreign(`Allow "Principal":"*"`, `Deny "Principal":"*"`), nil},
		"taken back in part":   {"calls from elsewhere are let in", foreign(`Allow "Principal":"*"`, `Deny "Principal":"*","Condition":{"StringEquals":{"aws:SourceVpc":"vpc-1"}}`), []plan.Statement{{Number: 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			w := world(t, rowOf("a", "444455556666"))
			w.Gateway.Policy = parse(t, tc.policy)
			if diff := cmp.Diff(tc.want, mustMake(t, w).Outside.Opens); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
		})
	}
}
