package plan

import (
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

func TestReleaseRemovesOwnedStatementsOnly(t *testing.T) {
	const (
		ours    = `{"Sid":"GatewayGrantsmainX0011","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:root"},"Action":"bedrock-agentcore:InvokeGateway","Resource":"*"}`
		others  = `{"Sid":"GatewayGrantsmain2X0011","Effect":"Allow","Principal":{"AWS":"444455556666"},"Action":"bedrock-agentcore:InvokeGateway","Resource":"*"}`
		foreign = `{"Effect":"Deny","Principal":"*","Action":"bedrock-agentcore:InvokeGateway","Resource":"*","Condition":{"Null":{"aws:SourceVpce":"true"}}}`
	)
	document := func(statements string) string {
		return `{"Version":"2012-10-17","Id":"kept","Statement":[` + statements + `]}`
	}
	tests := []struct {
		reason     string
		statements string
		rest       string // "" for none
		owned      int
	}{
		{"only ours", ours, "", 1},
		{"ours between foreign ones", foreign + "," + ours + "," + others, foreign + "," + others, 1},
		{"only another installation's", others, others, 0},
		{"only foreign ones", foreign, foreign, 0},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			read, err := policy.Parse([]byte(document(test.statements)))
			if err != nil {
				t.Fatal(err)
			}
			rest, owned := Release(read, "main")
			if len(owned) != test.owned {
				t.Errorf("%d statements of ours, want %d", len(owned), test.owned)
			}
			switch {
			case test.rest == "" && rest != nil:
				t.Errorf("left %s, want none", rest)
			case test.rest != "" && (rest == nil || string(rest.Bytes()) != document(test.rest)):
				t.Errorf("left %v, want %s", rest, document(test.rest))
			}
		})
	}
	if rest, owned := Release(nil, "main"); rest != nil || owned != nil {
		t.Errorf("of no policy: %v, %v", rest, owned)
	}
}
