package access_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/access"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

const (
	gatewayARN = "arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/tools-abcdefghij"
	agent      = "arn:aws:iam::444455556666:role/AgentRole"
	own        = "arn:aws:iam::111122223333:role/AppRole"
	containing = `{"Sid":"Contain","Effect":"Deny","Principal":"*","Action":"bedrock-agentcore:*","Resource":"` + gatewayARN + `"}`
	partner    = `{"Sid":"Partner","Effect":"Allow","Principal":{"AWS":"` + agent + `"},"Action":"bedrock-agentcore:InvokeGateway","Resource":"` + gatewayARN + `"}`
)

var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func parsed(t *testing.T, text string) *policy.Document {
	t.Helper()
	document, err := policy.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return document
}

func row(id, principal string, more ...any) grant.Row {
	attributes := grant.Attributes{grant.AttrGateway: gatewayARN, grant.AttrGrant: id, grant.AttrPrincipal: principal}
	for i := 0; i < len(more); i += 2 {
		attributes[more[i].(string)] = more[i+1]
	}
	return grant.Parse(attributes)
}

// scene is a gateway with rows, statements of others, and what is recorded.
type scene struct {
	authorizer string
	rows       []grant.Row
	foreign    string // statements, with commas between them
	unapplied  bool   // the plan was not carried out
	refused    map[string]ledger.Refusal
}

// gateway is the scene once its plan was carried out.
func (s scene) gateway(t *testing.T) access.Gateway {
	t.Helper()
	named, err := grant.ParseGateway(gatewayARN)
	if err != nil {
		t.Fatal(err)
	}
	if s.authorizer == "" {
		s.authorizer = "AWS_IAM"
	}
	world := plan.World{Now: now, Rows: s.rows, Gateway: plan.Observed{
		Gateway: named, Exists: true, Managed: true, Status: "READY", Authorizer: s.authorizer,
		Recorded: ledger.State{Gateway: ledger.Ledger{Refused: s.refused}},
	}}
	if s.foreign != "" {
		world.Gateway.Policy = parsed(t, `{"Version":"2012-10-17","Statement":[`+s.foreign+`]}`)
	}
	limits := plan.DefaultLimits()
	made, err := plan.Make(world, limits)
	if err == nil && !s.unapplied {
		world.Gateway.Policy = made.Want
		made, err = plan.Make(world, limits)
	}
	if err != nil {
		t.Fatal(err)
	}
	return access.Gateway{World: world, Plan: made, Installation: limits.Installation}
}

// agentWith is the agent's role, whose own side was read.
func agentWith(t *testing.T, identity, boundary string) access.Caller {
	t.Helper()
	caller := access.Caller{Caller: policy.Role(agent, "session"), Name: agent, Read: true}
	if identity != "" {
		caller.Policies = []access.Policy{{Name: "CallTools", Document: parsed(t, identity)}}
	}
	if boundary != "" {
		caller.Boundary = &access.Policy{Name: "Boundary", Document: parsed(t, boundary)}
	}
	return caller
}

func TestAnAnswerNamesTheSideAndWhatDecides(t *testing.T) {
	const all = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	const s3 = `{"Version":"2012-10-17","Statement":[{"Sid":"Storage","Effect":"Allow","Action":"s3:*","Resource":"*"}]}`
	const never = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"NoTools","Effect":"Deny","Action":"bedrock-agentcore:*","Resource":"*"}]}`
	willing := agentWith(t, all, "")
	throughVPC := []grant.Row{row("vpc", "444455556666", "conditions", map[string]any{"sourceVpce": []any{"vpce-0123456789abcdef0"}})}
	mine := access.Caller{Caller: policy.Role(own, "session"), Name: own, Read: true, Policies: []access.Policy{{Name: "All", Document: parsed(t, all)}}}
	tests := []struct {
		reason  string
		scene   scene
		caller  access.Caller
		from    access.Place
		verdict access.Verdict
		side    access.Side
		says    []string // in what both sides say
	}{
		{"a grant for the account", scene{rows: []grant.Row{row("b", "444455556666")}}, willing, access.Place{}, access.Allowed, "",
			[]string{"of the gateway's policy allows it by grant b", "the caller's own policies allow it"}},
		{"no grant", scene{rows: []grant.Row{row("c", "555566667777")}}, willing, access.Place{}, access.Denied, access.GatewaySide,
			[]string{"no grant means this principal", "gateway-grants grant " + gatewayARN + " " + agent}},
		{"a grant that is not applied yet", scene{rows: []grant.Row{row("b", "444455556666")}, unapplied: true}, willing, access.Place{}, access.Denied, access.GatewaySide,
			[]string{"grant b is Pending: it is not in the policy yet", "gateway-grants reconcile " + gatewayARN}},
		{"a role that AWS did not know", scene{rows: []grant.Row{row("b", agent)}, refused: map[string]ledger.Refusal{agent: {Code: grant.CodeQuarantined, NextTry: now.Add(time.Hour)}}},
			willing, access.Place{}, access.Denied, access.GatewaySide, []string{"grant b is LeftOut (Quarantined): AWS does not know " + agent}},
		{"a role that was created again", scene{rows: []grant.Row{row("b", agent)}, refused: map[string]ledger.Refusal{agent: {Code: grant.CodeRecreated}}},
			willing, access.Place{}, access.Denied, access.GatewaySide, []string{"grant b is LeftOut (PrincipalRecreated)"}},
		{"a grant that ended", scene{rows: []grant.Row{row("b", agent, "expires", "2026-01-31")}}, willing, access.Place{}, access.Denied, access.GatewaySide,
			[]string{"grant b is Expired: expired at 2026-02-01T00:00:00Z"}},
		{"a row with a fault", scene{rows: []grant.Row{row("b", agent, "condition", "x")}}, willing, access.Place{}, access.Denied, access.GatewaySide,
			[]string{"grant b is Invalid (UnknownAttribute)"}},
		{"an OU while there is no directory", scene{rows: []grant.Row{row("ou", "ou-abcd-11112222")}}, willing, access.Place{}, access.Denied, access.GatewaySide,
			[]string{"grant ou is LeftOut (NoDirectory)"}},
		{"an OU that leaves the account out", scene{rows: []grant.Row{row("ou", "ou-abcd-11112222", "exclude", []any{"444455556666"})}}, willing, access.Place{}, access.Denied, access.GatewaySide,
			[]string{"no grant means this principal"}},
		{"a Deny of others", scene{rows: []grant.Row{row("b", "444455556666")}, foreign: containing}, willing, access.Place{}, access.Denied, access.GatewaySide,
			[]string{`statement 1 (Sid "Contain") of the gateway's policy denies it`, "no grant goes before a Deny"}},
		{"an Allow of others", scene{foreign: partner}, willing, access.Place{}, access.Allowed, "", []string{`statement 1 (Sid "Partner") of the gateway's policy allows it`}},
		{"from where is not known", scene{rows: throughVPC}, willing, access.Place{}, access.Depends, access.GatewaySide,
			[]string{"allows it by grant vpc only where StringEquals aws:SourceVpce vpce-0123456789abcdef0"}},
		{"through the endpoint", scene{rows: throughVPC}, willing, access.Place{VPCE: "vpce-0123456789abcdef0"}, access.Allowed, "", nil},
		{"from the internet", scene{rows: throughVPC}, willing, access.Place{IP: "203.0.113.7"}, access.Denied, access.GatewaySide, nil},
		{"no policy of the caller's", scene{foreign: partner}, agentWith(t, "", ""), access.Place{}, access.Denied, access.CallerSide,
			[]string{"no identity policy of the caller allows it", `"Action":"bedrock-agentcore:InvokeGateway"`}},
		{"a policy for something else", scene{foreign: partner}, agentWith(t, s3, ""), access.Place{}, access.Denied, access.CallerSide, []string{"no identity policy of the caller allows it"}},
		{"a Deny of the caller's", scene{foreign: partner}, agentWith(t, never, ""), access.Place{}, access.Denied, access.CallerSide,
			[]string{`statement 2 (Sid "NoTools") of the identity policy CallTools denies it`}},
		{"a boundary", scene{foreign: partner}, agentWith(t, all, s3), access.Place{}, access.Denied, access.CallerSide,
			[]string{"the permissions boundary Boundary of the caller does not allow it"}},
		{"a side that was not read", scene{foreign: partner}, access.Caller{Caller: policy.Role(agent, "session"), Name: agent}, access.Place{}, access.Allowed, "",
			[]string{"were not read: they are assumed to allow it"}},
		{"a caller of the gateway's own account", scene{}, mine, access.Place{}, access.Allowed, "", []string{"which owns the gateway: its own policies are enough"}},
		{"tokens", scene{authorizer: "CUSTOM_JWT", rows: []grant.Row{row("b", agent)}}, willing, access.Place{}, access.Denied, access.GatewaySide, []string{"authorizes callers by CUSTOM_JWT"}},
		{"no authorizer", scene{authorizer: "NONE"}, willing, access.Place{}, access.Allowed, "", []string{"it lets in every call"}},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			got := test.scene.gateway(t).Answer(access.Question{Caller: test.caller, From: test.from})
			text := strings.Join([]string{got.Gateway.Why, got.Gateway.Remedy, got.Caller.Why, got.Caller.Remedy}, "\n")
			if got.Caller.Missing != nil {
				text += "\n" + got.Caller.Missing.String()
			}
			if got.Verdict != test.verdict || got.Side != test.side {
				t.Errorf("%s by %q, want %s by %q:\n%s", got.Verdict, got.Side, test.verdict, test.side, text)
			}
			for _, part := range test.says {
				if !strings.Contains(text, part) {
					t.Errorf("did not say %q:\n%s", part, text)
				}
			}
		})
	}
}

func TestCallersOfGateway(t *testing.T) {
	const everyone = `{"Sid":"Open","Effect":"Allow","Principal":"*","Action":"*","Resource":"` + gatewayARN + `","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-exampleorgid"}}}`
	const another = `{"Sid":"Runtime","Effect":"Allow","Principal":{"AWS":"999900001111"},"Action":"bedrock-agentcore:InvokeAgentRuntime","Resource":"` + gatewayARN + `"}`
	const banned = `{"Sid":"Banned","Effect":"Deny","Principal":{"AWS":"555566667777"},"Action":"bedrock-agentcore:*","Resource":"` + gatewayARN + `"}`
	gone := "arn:aws:iam::444455556666:role/Gone"
	g := scene{
		foreign: strings.Join([]string{partner, everyone, another, banned}, ","),
		rows: []grant.Row{
			row("b", "444455556666", "expires", "2027-01-31"), row("b2", "444455556666", "expires", "2028-01-31"), row("c", "555566667777"),
			row("gone", gone), row("pattern", "arn:aws:iam::666677778888:role/Agent*"),
		},
		refused: map[string]ledger.Refusal{gone: {Code: grant.CodeQuarantined, NextTry: now.Add(time.Hour)}},
	}.gateway(t)
	type line struct {
		Principal string
		Verdict   access.Verdict
		Foreign   bool
		Grants    string
		Expires   string
		Reason    grant.Code
	}
	var got []line
	for _, l := range g.Callers() {
		ids := make([]string, len(l.Grants))
		for i, key := range l.Grants {
			ids[i] = key.ID
		}
		expires := ""
		if !l.Expires.IsZero() {
			expires = l.Expires.Format(time.DateOnly)
		}
		got = append(got, line{l.Principal, l.Verdict, l.Foreign, strings.Join(ids, " "), expires, l.Reason})
	}
	want := []line{
		{agent, access.Allowed, true, "", "", ""},
		{"*", access.Depends, true, "", "", ""},
		{"arn:aws:iam::444455556666:root", access.Allowed, false, "b b2", "2028-02-01", ""},
		{"arn:aws:iam::555566667777:root", access.Denied, false, "c", "", grant.CodeForeignDeny},
		{"arn:aws:iam::666677778888:role/Agent*", access.Allowed, false, "pattern", "", ""},
		{gone, access.Denied, false, "gone", "", grant.CodeQuarantined},
	}
	byPrincipal := cmp.Transformer("byPrincipal", func(lines []line) map[line]bool {
		set := map[line]bool{}
		for _, l := range lines {
			set[l] = true
		}
		return set
	})
	if diff := cmp.Diff(want, got, byPrincipal); diff != "" || len(got) != len(want) {
		t.Errorf("-want +got\n%s", diff)
	}
}
