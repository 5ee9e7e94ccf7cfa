package foreign_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/foreign"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

const arn = "arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/tools-abcdefghij"

func tools(t *testing.T) grant.Gateway {
	t.Helper()
	gateway, err := grant.ParseGateway(arn)
	if err != nil {
		t.Fatal(err)
	}
	return gateway
}

func document(t *testing.T, statements ...string) *policy.Document {
	t.Helper()
	read, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// allow is an Allow for principals, with what else the statement says.
func allow(principal, more string) string {
	return `{"Sid":"Theirs","Effect":"Allow","Principal":` + principal + `,"Action":"bedrock-agentcore:InvokeGateway","Resource":"` + arn + `"` + more + `}`
}

func condition(text string) string { return `,"Condition":` + text }

const (
	accountB = `{"AWS":"444455556666"}`
	rootB    = `{"AWS":"arn:aws:iam::444455556666:root"}`
	roleB    = "arn:aws:iam::444455556666:role/AgentRole"
)

func notOurs(policy.Statement) bool { return false }

var expressible = []struct{ reason, statement, rows string }{
	{"an account id", allow(accountB, ""), "444455556666"},
	{"a root", allow(rootB, ""), "444455556666"},
	{"a role and a user", allow(`{"AWS":["`+roleB+`","arn:aws:iam::555566667777:user/team/alice"]}`, ""), roleB + " | arn:aws:iam::555566667777:user/team/alice"},
	{"the action in another case, for every resource", strings.Replace(strings.Replace(allow(rootB, ""), "InvokeGateway", "invokegateway", 1), `"Resource":"`+arn, `"Resource":"*`, 1), "444455556666"},
	{"from a VPC endpoint", allow(rootB, condition(`{"StringEquals":{"aws:SourceVpce":["vpce-0123456789abcdef0","vpce-0fedcba9876543210"]}}`)), "444455556666 conditions map[sourceVpce:[vpce-0123456789abcdef0 vpce-0fedcba9876543210]]"},
	{"from a VPC and a range", allow(rootB, condition(`{"stringequals":{"AWS:sourcevpc":"vpc-0123456789abcdef0"},"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}`)), "444455556666 conditions map[sourceIp:[203.0.113.0/24] sourceVpc:[vpc-0123456789abcdef0]]"},
	{"until a moment", allow(rootB, condition(`{"DateLessThan":{"aws:CurrentTime":"2099-01-31T19:00:00+01:00"}}`)), "444455556666 expires 2099-01-31T18:00:00Z"},
	{"a pattern of roles", allow(rootB, condition(`{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::444455556666:role/team/Agent*"}}`)), "arn:aws:iam::444455556666:role/team/Agent*"},
	{"a role by its name", allow(rootB, condition(`{"ArnEquals":{"aws:PrincipalArn":"`+roleB+`"}}`)), roleB + " follow name"},
	{"a role of two accounts", allow(`{"AWS":["444455556666","555566667777"]}`, condition(`{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/AgentRole"}}`)), roleB + " follow name | arn:aws:iam::555566667777:role/AgentRole follow name"},
	{"a role of one of two accounts", allow(`{"AWS":["444455556666","555566667777"]}`, condition(`{"ArnLike":{"aws:PrincipalArn":["`+roleB+`","arn:aws:iam::444455556666:user/alice"]}}`)), roleB + " follow name | arn:aws:iam::444455556666:user/alice follow name"},
}

func TestAnAllowForOtherAccountsBecomesGrants(t *testing.T) {
	for _, test := range expressible {
		read := foreign.Translate(document(t, test.statement), tools(t), notOurs)
		var rows []string
		for _, row := range read[0].Rows {
			parts := []string{row["principal"].(string)}
			for _, name := range []string{"follow", "expires", "conditions"} {
				if value, has := row[name]; has {
					parts = append(parts, fmt.Sprintf("%s %v", name, value))
				}
			}
			if row["gateway"] != arn || row["source"] != "import" || row["reason"] != `imported from statement 1 (Sid "Theirs")` {
				t.Errorf("%s: %v", test.reason, row)
			}
			rows = append(rows, strings.Join(parts, " "))
		}
		if got := strings.Join(rows, " | "); got != test.rows || read[0].Why != "" {
			t.Errorf("%s: want %s\ngot %s (%s)", test.reason, test.rows, got, read[0].Why)
		}
	}
}

// What is imported lets in just the callers that the statement let in, as the product
// itself writes it.
func TestTranslatedGrantsLetInTheSameCallers(t *testing.T) {
	deny := `{"Effect":"Deny","Principal":"*","Action":"bedrock-agentcore:*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"203.0.113.128/25"}}}`
	for _, test := range expressible {
		before := document(t, test.statement, deny)
		if n, err := imported(t, before); n != 1 || err != nil {
			t.Errorf("%s: %d imported, %v", test.reason, n, err)
		}
	}
}

// imported imports what can be, as the command line does, and counts how many statements
// became grants, and whether some caller gains or loses access.
func imported(t *testing.T, before *policy.Document) (int, error) {
	t.Helper()
	var rows []grant.Row
	var rest []policy.Statement
	n := 0
	for _, s := range foreign.Translate(before, tools(t), notOurs) {
		if s.Why != "" {
			rest = append(rest, s.Statement)
			continue
		}
		n++
		for _, row := range s.Rows {
			row["grant"] = strconv.Itoa(len(rows))
			rows = append(rows, grant.Parse(row))
		}
	}
	world := plan.World{
		Gateway: plan.Observed{Gateway: tools(t), Exists: true, Authorizer: "AWS_IAM", Status: "READY", Managed: true},
		Rows:    rows, Now: time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC),
	}
	if len(rest) > 0 {
		world.Gateway.Policy = before.WithStatements(rest...)
	}
	made, err := plan.Make(world, plan.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	proof, err := foreign.Same(before, made.Want, tools(t))
	if err == nil && (proof.Callers < 3 || proof.Contexts < 1) {
		t.Errorf("hardly asked: %+v", proof)
	}
	return n, err
}

// Policies that people who do this job met.
func TestOddPoliciesAreImportedAsFarAsGrantsGo(t *testing.T) {
	for file, want := range map[string]int{
		"deny-unquoted.json": 0, "deny-escaped.json": 0, "mixed-principals.json": 0, "containment.json": 0, "action-of-a-runtime.json": 0,
		"deny-of-every-action.json": 0, "one-principal-each.json": 3, "list-of-principals.json": 1,
	} {
		text, err := os.ReadFile("testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		read, err := policy.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, before := range []*policy.Document{read, document(t, append([]string{allow(rootB, "")}, texts(read)...)...)} {
			extra := len(before.Statements) - len(read.Statements)
			if n, err := imported(t, before); n != want+extra || err != nil {
				t.Errorf("%s: %d imported, want %d, %v", file, n, want+extra, err)
			}
		}
	}
}

func texts(document *policy.Document) []string {
	var all []string
	for _, s := range document.Statements {
		all = append(all, s.String())
	}
	return all
}

func TestWhatNoGrantCanSayStaysForeign(t *testing.T) {
	for _, test := range []struct{ reason, statement, want string }{
		{"a Deny", strings.Replace(allow(rootB, ""), "Allow", "Deny", 1), "it is a Deny"},
		{"everyone", allow(`"*"`, condition(`{"StringEquals":{"aws:PrincipalOrgID":"o-exampleorgid"}}`)), "it lets in everyone"},
		{"everyone, among others", allow(`{"AWS":["444455556666","*"]}`, ""), "it lets in everyone"},
		{"all but one", `{"Effect":"Allow","NotPrincipal":{"AWS":"444455556666"},"Action":"bedrock-agentcore:InvokeGateway","Resource":"*"}`, "by NotPrincipal"},
		{"a service", allow(`{"AWS":"444455556666","Service":"lambda.amazonaws.com"}`, ""), "names something else"},
		{"every action", strings.Replace(allow(rootB, ""), "InvokeGateway", "*", 1), "it allows other actions"},
		{"the action of a runtime", strings.Replace(allow(rootB, ""), "InvokeGateway", "InvokeAgentRuntime", 1), "it allows other actions"},
		{"another resource", strings.Replace(allow(rootB, ""), "tools-abcdefghij", "other-abcdefghij", 1), "its Resource is not"},
		{"the gateway's own account", allow(`{"AWS":["444455556666","111122223333"]}`, ""), "own account"},
		{"a role that was deleted", allow(`{"AWS":["444455556666","AROAEXAMPLEDELETED00"]}`, ""), "what is left of a role"},
		{"a session", allow(`{"AWS":"arn:aws:sts::444455556666:assumed-role/AgentRole/one"}`, ""), "is not an account, a role or a user"},
		{"a pattern as principal", allow(`{"AWS":"arn:aws:iam::444455556666:role/*"}`, ""), "is a pattern"},
		{"another partition", allow(`{"AWS":"arn:aws-cn:iam::444455556666:root"}`, condition(`{"ArnLike":{"aws:PrincipalArn":"arn:aws-cn:iam::444455556666:role/A"}}`)), "it is no valid grant: read principal"},
		{"an organization", allow(rootB, condition(`{"StringEquals":{"aws:PrincipalOrgID":"o-exampleorgid"}}`)), "no grant can ask for its condition StringEquals aws:PrincipalOrgID"},
		{"an operator with IfExists", allow(rootB, condition(`{"StringEqualsIfExists":{"aws:SourceVpce":"vpce-0123456789abcdef0"}}`)), "no grant can ask for"},
		{"an address that is not one", allow(rootB, condition(`{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}}`)), "it is no valid grant: read conditions sourceIp"},
		{"a condition in two spellings", allow(rootB, condition(`{"IpAddress":{"aws:SourceIp":"203.0.113.7"},"ipaddress":{"aws:SourceIp":"203.0.113.8"}}`)), "stands twice"},
		{"a condition without values", allow(rootB, condition(`{"IpAddress":{"aws:SourceIp":[]}}`)), "is empty"},
		{"a variable", allow(rootB, condition(`{"StringEquals":{"aws:SourceVpc":"${aws:username}"}}`)), "has a policy variable"},
		{"until a day", allow(rootB, condition(`{"DateLessThan":{"aws:CurrentTime":"2099-01-31"}}`)), "aws:CurrentTime is not one moment"},
		{"until two moments", allow(rootB, condition(`{"DateLessThan":{"aws:CurrentTime":["2099-01-31T00:00:00Z","2098-01-31T00:00:00Z"]}}`)), "aws:CurrentTime is not one moment"},
		{"a moment included", allow(rootB, condition(`{"DateLessThanEquals":{"aws:CurrentTime":"2099-01-31T00:00:00Z"}}`)), "no grant can ask for"},
		{"the root user by its ARN", allow(rootB, condition(`{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::444455556666:root"}}`)), "no role or user of one account"},
		{"whatever the account has", allow(rootB, condition(`{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::444455556666:*"}}`)), "no role or user of one account"},
		{"a pattern of accounts", allow(rootB, condition(`{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::4444*:role/A"}}`)), "no role or user of one account"},
		{"a pattern of users", allow(rootB, condition(`{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::444455556666:user/a*"}}`)), "it is no valid grant"},
		{"a role whose ARN is compared as well", allow(`{"AWS":"`+roleB+`"}`, condition(`{"ArnLike":{"aws:PrincipalArn":"`+roleB+`"}}`)), "compares the caller's ARN as well"},
		{"the caller's ARN twice", allow(rootB, condition(`{"ArnLike":{"aws:PrincipalArn":"`+roleB+`"},"ArnEquals":{"aws:PrincipalArn":"`+roleB+`"}}`)), "compares the caller's ARN twice"},
		{"no caller", allow(rootB, condition(`{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::555566667777:role/A"}}`)), "it lets in no caller"},
	} {
		read := foreign.Translate(document(t, test.statement), tools(t), notOurs)
		if len(read) != 1 || !strings.Contains(read[0].Why, test.want) || read[0].Rows != nil {
			t.Errorf("%s: want %s\ngot %+v", test.reason, test.want, read)
		}
	}
}

func TestOwnStatementsAreNotTranslated(t *testing.T) {
	read := foreign.Translate(document(t, allow(rootB, ""), strings.Replace(allow(rootB, ""), "Theirs", "Ours", 1)), tools(t),
		func(s policy.Statement) bool { return s.Sid == "Ours" })
	if len(read) != 1 || read[0].String() != `statement 1 (Sid "Theirs")` {
		t.Errorf("%v", read)
	}
	if read := foreign.Translate(nil, tools(t), notOurs); read != nil {
		t.Errorf("of no policy: %v", read)
	}
}

func TestPoliciesThatLetInOtherCallersDiffer(t *testing.T) {
	vpce := func(values string) string { return condition(`{"StringEquals":{"aws:SourceVpce":` + values + `}}`) }
	ip := func(values string) string { return condition(`{"IpAddress":{"aws:SourceIp":` + values + `}}`) }
	for _, test := range []struct{ reason, before, after string }{
		{"an account more", allow(accountB, ""), allow(`{"AWS":["444455556666","555566667777"]}`, "")},
		{"a role instead of its account", allow(accountB, ""), allow(`{"AWS":"`+roleB+`"}`, "")},
		{"another role", allow(`{"AWS":"`+roleB+`"}`, ""), allow(`{"AWS":"`+roleB+`2"}`, "")},
		{"a user", allow(`{"AWS":"arn:aws:iam::444455556666:user/alice"}`, ""), allow(`{"AWS":"arn:aws:iam::444455556666:user/bob"}`, "")},
		{"a session", allow(`{"AWS":"arn:aws:sts::444455556666:assumed-role/A/one"}`, ""), allow(`{"AWS":"arn:aws:iam::444455556666:role/A"}`, "")},
		{"a unique id", allow(`{"AWS":["444455556666","AROAEXAMPLEDELETED00"]}`, ""), allow(accountB, "")},
		{"a service", allow(`{"Service":"lambda.amazonaws.com"}`, ""), allow(accountB, "")},
		{"everyone", allow(accountB, ""), allow(`"*"`, "")},
		{"the gateway's own role", allow(`{"AWS":["444455556666","arn:aws:iam::111122223333:role/Own"]}`, ""), allow(accountB, "")},
		{"a pattern that is narrower", allow(rootB, condition(`{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::444455556666:role/Agent*"}}`)), allow(rootB, condition(`{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::444455556666:role/Agent"}}`))},
		{"a condition gone", allow(accountB, vpce(`"vpce-0123456789abcdef0"`)), allow(accountB, "")},
		{"a value more", allow(accountB, vpce(`"vpce-0123456789abcdef0"`)), allow(accountB, vpce(`["vpce-0123456789abcdef0","vpce-0fedcba9876543210"]`))},
		{"a range that is one bit wider", allow(accountB, ip(`"203.0.113.0/25"`)), allow(accountB, ip(`"203.0.113.0/24"`))},
		{"a wide range that is one bit wider", allow(accountB, ip(`"10.0.0.0/9"`)), allow(accountB, ip(`"10.0.0.0/8"`))},
		{"a second longer", allow(accountB, condition(`{"DateLessThan":{"aws:CurrentTime":"2099-01-31T00:00:00Z"}}`)), allow(accountB, condition(`{"DateLessThan":{"aws:CurrentTime":"2099-01-31T00:00:01Z"}}`))},
		{"a key that may be missing", allow(accountB, vpce(`"vpce-0123456789abcdef0"`)), allow(accountB, condition(`{"StringEqualsIfExists":{"aws:SourceVpce":"vpce-0123456789abcdef0"}}`))},
		{"an unknown key", allow(accountB, condition(`{"StringLike":{"aws:PrincipalTag/team":"agents*"}}`)), allow(accountB, "")},
		{"a Deny", allow(accountB, ""), allow(accountB, "") + "," + strings.Replace(allow(`{"AWS":"`+roleB+`"}`, ""), "Allow", "Deny", 1)},
	} {
		for _, pair := range [][2]string{{test.before, test.after}, {test.after, test.before}} {
			if _, err := foreign.Same(document(t, pair[0]), document(t, pair[1]), tools(t)); grant.CodeOf(err) != foreign.CodeAccessDiffers {
				t.Errorf("%s: %v", test.reason, err)
			}
		}
		if _, err := foreign.Same(document(t, test.before), document(t, test.before), tools(t)); err != nil {
			t.Errorf("%s, with itself: %v", test.reason, err)
		}
		if _, err := foreign.Same(document(t, test.before), nil, tools(t)); grant.CodeOf(err) != foreign.CodeAccessDiffers {
			t.Errorf("%s, with no policy: %v", test.reason, err)
		}
	}
}
