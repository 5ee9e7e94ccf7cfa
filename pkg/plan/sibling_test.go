package plan_test

import (
	"strings"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
)

const (
	siblingsStatement = `{"Sid":"GatewayGrantsdev2X0123456789ab","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::777788889999:root"},"Action":"bedrock-agentcore:InvokeGateway","Resource":"` + gatewayARN + `"}`
	ownStatement      = `{"Sid":"GatewayGrantsmainX0123456789ab","Effect":"Allow","Principal":{"AWS":"` + accountB + `"},"Action":"bedrock-agentcore:InvokeGateway","Resource":"` + gatewayARN + `"}`
)

func TestGatewayBelongsToOneInstallation(t *testing.T) {
	for name, test := range map[string]struct {
		reason string
		policy []string
		rows   []grant.Row
		want   []string // principals of our statements
		left   []string // grants left out because of the other installation
	}{
		"new access waits": {
			"the gateway is the sibling's", []string{siblingsStatement},
			[]grant.Row{rowOf("b", "444455556666")}, nil, []string{"b"},
		},
		"access that stands stays": {
			"finding a sibling takes nothing away", []string{siblingsStatement, ownStatement},
			[]grant.Row{rowOf("b", "444455556666"), rowOf("c", "888899990000")}, []string{accountB}, []string{"c"},
		},
		"a revocation goes through": {
			"it removes only what is ours", []string{siblingsStatement, ownStatement},
			[]grant.Row{rowOf("c", "888899990000")}, nil, []string{"c"},
		},
		"access that was narrowed goes, and its narrower form waits": {
			"a narrower form is new access", []string{siblingsStatement, ownStatement},
			[]grant.Row{rowOf("b", "444455556666", "conditions", map[string]any{"sourceIp": []any{"203.0.113.0/24"}})}, nil, []string{"b"},
		},
		"others' statements with a similar name are no sibling's": {
			"ids of installations are lower-case", []string{strings.Replace(siblingsStatement, "GatewayGrantsdev2X", "GatewayGrantsForTeamX", 1)},
			[]grant.Row{rowOf("b", "444455556666")}, []string{accountB}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := world(t, test.rows...)
			w.Gateway.Policy = parse(t, `{"Version":"2012-10-17","Statement":[`+strings.Join(test.policy, ",")+`]}`)
			p := mustMake(t, w)
			var got []string
			for _, s := range p.Want.Statements {
				if strings.HasPrefix(s.Sid, "GatewayGrantsmainX") {
					got = append(got, s.Principal.AWS...)
				}
			}
			if strings.Join(got, " ") != strings.Join(test.want, " ") {
				t.Errorf("%s: ours are %v, want %v", test.reason, got, test.want)
			}
			if !strings.Contains(p.Want.String(), strings.Trim(strings.Split(test.policy[0], ",")[0], "{")) {
				t.Errorf("the other statement is lost: %s", p.Want)
			}
			for _, id := range test.left {
				status := p.Status[grant.Key{Gateway: gatewayARN, ID: id}]
				if status.Reason != grant.CodeOtherInstallation || !strings.Contains(status.Message, "--installation-id dev2") {
					t.Errorf("%s: grant %s is %+v", test.reason, id, status)
				}
			}
			if waits := p.Waits != nil; waits != (len(test.left) > 0) {
				t.Errorf("additions wait: %v", p.Waits)
			}
		})
	}
}

func TestSiblingAndRefusedPrincipalWriteNothing(t *testing.T) {
	w := world(t, rowOf("agent", "444455556666", "role", "Agent"))
	w.Gateway.Policy = parse(t, `{"Version":"2012-10-17","Statement":[`+siblingsStatement+`]}`)
	w.Gateway.Recorded.Gateway.Refused = map[string]ledger.Refusal{
		"arn:aws:iam::444455556666:role/Agent": {Code: grant.CodeQuarantined, NextTry: now},
	}
	if p := mustMake(t, w); p.Write {
		t.Errorf("it would be tried again: %s", p.Want)
	}
}
