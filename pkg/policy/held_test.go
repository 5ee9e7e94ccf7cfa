package policy_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// Policies as a gateway may hold them, made after public reports, are in
// testdata/held.
const heldARN = "arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/tools-abcdefghij"

func held(t *testing.T, name string) (string, *policy.Document) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "held", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text), mustParse(t, string(text))
}

// calledWith decides a call of the held policy's gateway by a role of another
// account that is let in by a statement of ours and by its own side.
func calledWith(d *policy.Document, account string, context map[string][]string) policy.Decision {
	ours := policy.Statement{
		Sid: "Ours", Effect: policy.Allow, Principal: &policy.Principals{AWS: values{"555566667777"}},
		Action: values{invoke}, Resource: values{heldARN},
	}
	return policy.Evaluate(policy.Call{
		Caller: policy.Role(roleARN(account), "s1"), Action: invoke, Resource: heldARN, Context: context,
		Identity: []*policy.Document{allowAll()}, ResourcePolicy: d.WithStatements(append([]policy.Statement{ours}, d.Statements...)...),
	})
}

func TestOddPoliciesMeanWhatAWSReadsInThem(t *testing.T) {
	plainHTTP, tls := map[string][]string{"aws:SecureTransport": {"false"}, "aws:MultiFactorAuthAge": {"60"}}, map[string][]string{"aws:SecureTransport": {"true"}}
	for name, tc := range map[string]struct {
		reason  string
		file    string
		account string
		context map[string][]string
		want    policy.Reason
	}{
		"scalars without quotes":           {"a call over plain HTTP is denied", "a-unquoted", "555566667777", plainHTTP, policy.ExplicitDeny},
		"scalars with quotes":              {"by the other spelling too", "a-quoted-and-reordered", "555566667777", plainHTTP, policy.ExplicitDeny},
		"another call":                     {"and only such a call", "a-unquoted", "555566667777", tls, policy.AllowedByBoth},
		"escapes":                          {"an escaped star is a star", "b-escaped-star", "555566667777", tls, policy.ExplicitDeny},
		"a name twice, the last counts":    {"the last value is false, so that only plain HTTP is denied", "c-name-twice", "555566667777", tls, policy.AllowedByBoth},
		"a name twice, the first does not": {"the same, of plain HTTP", "c-name-twice", "555566667777", plainHTTP, policy.ExplicitDeny},
		"mixed principals":                 {"a star among them is everyone", "d-mixed-principals", "555566667777", map[string][]string{"aws:SourceVpce": {"vpce-0aaaaaaaaaaaaaaaa"}}, policy.ExplicitDeny},
		"an action of a Runtime":           {"it allows no call of a gateway", "action-of-another-type", "444455556666", tls, policy.NoResourceAllow},
		"an action with a wildcard":        {"it covers calls of a gateway", "wildcard-action", "555566667777", tls, policy.ExplicitDeny},
		"the endpoint that it excepts":     {"its condition counts", "wildcard-action", "555566667777", map[string][]string{"aws:SourceVpce": {"vpce-0123456789abcdef0"}}, policy.AllowedByBoth},
		"containment":                      {"a Deny for everyone stops those that we admitted", "contain", "555566667777", tls, policy.ExplicitDeny},
	} {
		t.Run(name, func(t *testing.T) {
			_, d := held(t, tc.file)
			if got := calledWith(d, tc.account, tc.context); got.Reason != tc.want {
				t.Errorf("%s: %s, want %s", tc.reason, got, tc.want)
			}
		})
	}
}

func TestQuotesOrderAndEscapesAreNoChange(t *testing.T) {
	_, a := held(t, "a-unquoted")
	_, b := held(t, "a-quoted-and-reordered")
	if !policy.Equal(a, b) {
		t.Errorf("quotes, lists and order:\n%s\n%s", a, b)
	}
	_, escaped := held(t, "b-escaped-star")
	plain := mustParse(t, `{"Version":"2012-10-17","Statement":[{"Sid":"DenyAll","Effect":"Deny","Principal":"*","Action":"`+invoke+`","Resource":"`+heldARN+`"}]}`)
	if !policy.Equal(escaped, plain) {
		t.Errorf("escapes:\n%s\n%s", escaped, plain)
	}
}

func TestForeignStatementKeepsItsBytes(t *testing.T) {
	entries, err := os.ReadDir(filepath.Join("testdata", "held"))
	if err != nil || len(entries) < 9 {
		t.Fatalf("%d files, %v", len(entries), err)
	}
	for _, entry := range entries {
		name := entry.Name()[:len(entry.Name())-len(".json")]
		text, d := held(t, name)
		ours := policy.Statement{Sid: "Ours", Effect: policy.Allow, Principal: &policy.Principals{AWS: values{other}}, Action: values{invoke}, Resource: values{heldARN}}
		with := mustParse(t, d.WithStatements(append(append([]policy.Statement{}, d.Statements...), ours)...).String())
		without := with.WithStatements(with.Statements[:len(d.Statements)]...)
		if without.String() != d.String() || !policy.Equal(without, d) {
			t.Errorf("%s: ours came and went, and left\n%s\nof\n%s", name, without, d)
		}
		for _, s := range d.Statements {
			var minified bytes.Buffer
			if err := json.Compact(&minified, []byte(text)); err != nil || !strings.Contains(minified.String(), s.String()) {
				t.Errorf("%s: the statement\n%s\nis not in\n%s", name, s, &minified)
			}
		}
	}
}

func TestReachOfStatement(t *testing.T) {
	const agent = "arn:aws:iam::555566667777:role/team/Agent"
	deny := func(rest string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"` + invoke + `","Resource":"` + heldARN + `",` + rest + `}]}`
	}
	everyone := `"Principal":"*"`
	for name, tc := range map[string]struct {
		reason, text string
		unknown      []string
		want         policy.Reach
	}{
		"everyone":           {"no condition spares the call", deny(everyone), nil, policy.Always},
		"the account":        {"an account is everyone in it", deny(`"Principal":{"AWS":"555566667777"}`), nil, policy.Always},
		"the role":           {"the role itself", deny(`"Principal":{"AWS":"` + agent + `"}`), nil, policy.Always},
		"another account":    {"it is about others", deny(`"Principal":{"AWS":"` + other + `"}`), nil, policy.Never},
		"all but the role":   {"the role, its account and its session are spared", deny(`"NotPrincipal":{"AWS":["` + agent + `","555566667777","arn:aws:sts::555566667777:assumed-role/Agent/s1"]}`), nil, policy.Never},
		"another gateway":    {"it is about another resource", `{"Statement":[{"Effect":"Deny",` + everyone + `,"Action":"` + invoke + `","Resource":"` + gatewayARN + `"}]}`, nil, policy.Never},
		"an endpoint":        {"the call may come through it or not", deny(everyone + `,"Condition":{"StringNotEquals":{"aws:SourceVpce":"vpce-1"}}`), nil, policy.Sometimes},
		"plain HTTP":         {"no gateway is called so", deny(everyone + `,"Condition":{"Bool":{"aws:SecureTransport":"false"}}`), nil, policy.Never},
		"HTTPS":              {"every gateway is called so", deny(everyone + `,"Condition":{"Bool":{"aws:SecureTransport":"true"}}`), nil, policy.Always},
		"its ARN":            {"the caller is known", deny(everyone + `,"Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/team/*"}}`), nil, policy.Always},
		"its ARN, not known": {"one of many callers", deny(everyone + `,"Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/team/*"}}`), []string{"AWS:principalarn"}, policy.Sometimes},
		"its account":        {"an account is known of every caller", deny(everyone + `,"Condition":{"StringNotEquals":{"aws:PrincipalAccount":"555566667777"}}`), nil, policy.Never},
		"a variable":         {"what it stands for is the call's", deny(everyone + `,"Condition":{"StringLike":{"aws:PrincipalAccount":"${aws:SourceAccount}"}}`), nil, policy.Sometimes},
		"a missing key":      {"it may be there", deny(everyone + `,"Condition":{"Null":{"aws:SourceVpc":"true"}}`), nil, policy.Sometimes},
		"known and not":      {"what is known settles it", deny(everyone + `,"Condition":{"StringEquals":{"aws:SourceVpc":"vpc-1","aws:PrincipalAccount":"` + other + `"}}`), nil, policy.Never},
	} {
		t.Run(name, func(t *testing.T) {
			call := policy.Call{
				Caller: policy.Role(agent, "s1"), Action: invoke, Resource: heldARN,
				Context: map[string][]string{"aws:SecureTransport": {"true"}},
			}
			if got := mustParse(t, tc.text).Reach(0, call, tc.unknown...); got != tc.want {
				t.Errorf("%s: reach %d, want %d", tc.reason, got, tc.want)
			}
		})
	}
}
