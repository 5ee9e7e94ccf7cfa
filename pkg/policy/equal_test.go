package policy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// statement is a document with one statement that has these elements too.
func statement(elements string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow"` + elements + `}]}`
}

func TestDocumentsThatMeanTheSameAreEqual(t *testing.T) {
	for name, tc := range map[string]struct{ reason, a, b string }{
		"StatementOrder": {
			"The order of statements means nothing.",
			`{"Statement":[{"Sid":"a","Effect":"Allow"},{"Sid":"b","Effect":"Deny"}]}`,
			`{"Statement":[{"Effect":"Deny","Sid":"b"},{"Effect":"Allow","Sid":"a"}]}`,
		},
		"SingleStatement": {"Nor does a list around one.", `{"Statement":{"Effect":"Allow"}}`, `{"Statement":[{"Effect":"Allow"}]}`},
		"Version":         {"A missing version is the old one.", `{"Statement":[]}`, `{"Version":"2008-10-17","Statement":[]}`},
		"NoStatement":     {"A list of no statements is none.", `{"Statement":[]}`, `{}`},
		"EmptyID":         {"An Id that says nothing is none.", `{"Id":""}`, `{}`},
		"Scalar":          {"One value may stand alone.", statement(`,"Action":"a:b","Resource":["r"]`), statement(`,"Action":["a:b"],"Resource":"r"`)},
		"ValueOrder":      {"Lists are sets.", statement(`,"Resource":["a","b"]`), statement(`,"Resource":["b","a","b"]`)},
		"ActionCase":      {"Actions ignore case.", statement(`,"Action":["A:Get*","a:get*"]`), statement(`,"Action":"a:GET*"`)},
		"AccountID":       {"An account's id and its root ARN are the same principal.", statement(`,"Principal":{"AWS":["111122223333","arn:aws:iam::444455556666:root"]}`), statement(`,"Principal":{"AWS":["444455556666","arn:aws:iam::111122223333:root"]}`)},
		"Partition":       {"In every partition.", statement(`,"NotPrincipal":{"AWS":"arn:aws-cn:iam::111122223333:root"}`), statement(`,"NotPrincipal":{"AWS":"111122223333"}`)},
		"Everyone":        {"Everyone has two forms.", statement(`,"Principal":"*"`), statement(`,"Principal":{"AWS":"*"}`)},
		"OperatorCase":    {"Operators and keys ignore case.", statement(`,"Condition":{"StringEquals":{"aws:SourceVpc":"v"}}`), statement(`,"Condition":{"stringequals":{"AWS:sourcevpc":["v"]}}`)},
		"SetOperatorCase": {"With set operators too.", statement(`,"Condition":{"ForAnyValue:StringLikeIfExists":{"k":"v"}}`), statement(`,"Condition":{"foranyvalue:stringlikeifexists":{"K":"v"}}`)},
		"Boolean":         {"A boolean may be text, in any case.", statement(`,"Condition":{"Bool":{"k":true}}`), statement(`,"Condition":{"Bool":{"k":"True"}}`)},
		"Null":            {"Also when it asks for presence.", statement(`,"Condition":{"Null":{"k":false}}`), statement(`,"Condition":{"Null":{"k":["false"]}}`)},
		"Number":          {"A number may be text, and has many spellings.", statement(`,"Condition":{"NumericLessThan":{"k":10}}`), statement(`,"Condition":{"NumericLessThan":{"k":["10.0","+10"]}}`)},
		"Date":            {"So has a point in time.", statement(`,"Condition":{"DateLessThan":{"k":"2026-01-01T01:00:00+01:00"}}`), statement(`,"Condition":{"DateLessThan":{"k":["2026-01-01","1767225600"]}}`)},
		"Address":         {"So has an address range.", statement(`,"Condition":{"IpAddress":{"k":["10.1.2.3/8","2001:DB8::1"]}}`), statement(`,"Condition":{"IpAddress":{"k":["2001:db8:0::1/128","10.0.0.0/8"]}}`)},
		"MappedAddress":   {"An IPv4-mapped address is the IPv4 address.", statement(`,"Condition":{"IpAddress":{"k":["::ffff:198.51.100.0/120","::FFFF:203.0.113.7"]}}`), statement(`,"Condition":{"IpAddress":{"k":["198.51.100.0/24","203.0.113.7/32"]}}`)},
		"IgnoreCase":      {"Case is ignored where the operator ignores it.", statement(`,"Condition":{"StringEqualsIgnoreCase":{"k":"A"}}`), statement(`,"Condition":{"StringEqualsIgnoreCase":{"k":"a"}}`)},
		"EmptyCondition":  {"A condition without entries is none.", statement(`,"Condition":{"Bool":{}}`), statement(``)},
		"SameKeyTwice":    {"The same entry twice asks for nothing more.", statement(`,"Condition":{"Bool":{"k":true},"BOOL":{"K":"true"}}`), statement(`,"Condition":{"Bool":{"k":true}}`)},
		"Escapes":         {"Escapes are spelling.", statement(`,"Resource":"\u0041\/"`), statement(`,"Resource":"A/"`)},
		"UnknownElements": {"Their members have no order.", statement(`,"New":{"a":1,"b":[2]},"Old":0`), statement(`,"Old":0,"New":{"b":[2],"\u0061":1}`)},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := mustParse(t, tc.a), mustParse(t, tc.b)
			if !policy.Equal(a, b) || !policy.Equal(b, a) {
				t.Errorf("%s\n%s\n%s\nare not equal", tc.reason, a, b)
			}
			if len(a.Statements) == 1 && !a.Statements[0].Equal(b.Statements[0]) {
				t.Errorf("%s\nthe statements are not equal", tc.reason)
			}
		})
	}
}

func TestNotEqual(t *testing.T) {
	for name, tc := range map[string]struct{ reason, a, b string }{
		"Version":        {"The version decides what ${...} means.", `{"Version":"2012-10-17"}`, `{"Version":"2008-10-17"}`},
		"ID":             {"Id is kept, so it counts.", `{"Id":"a"}`, `{}`},
		"Sid":            {"The Sid says which installation owns a statement.", statement(`,"Sid":"a"`), statement(`,"Sid":"b"`)},
		"SidCase":        {"Exactly by it.", statement(`,"Sid":"a"`), statement(`,"Sid":"A"`)},
		"Twice":          {"A second copy counts towards the limits.", statement(``), `{"Version":"2012-10-17","Statement":[{"Effect":"Allow"},{"Effect":"Allow"}]}`},
		"Effect":         {"Of course.", statement(``), `{"Version":"2012-10-17","Statement":{"Effect":"Deny"}}`},
		"Action":         {"Of course.", statement(`,"Action":"a:b"`), statement(`,"Action":"a:c"`)},
		"NotAction":      {"The opposite.", statement(`,"Action":"a:b"`), statement(`,"NotAction":"a:b"`)},
		"EmptyNotAction": {"All actions, or none.", statement(`,"NotAction":[]`), statement(``)},
		"ResourceCase":   {"Resources are case-sensitive.", statement(`,"Resource":"A"`), statement(`,"Resource":"a"`)},
		"Principal":      {"Of course.", statement(`,"Principal":{"AWS":"111122223333"}`), statement(`,"Principal":{"AWS":"111122223334"}`)},
		"PrincipalCase":  {"Names of users and roles are case-sensitive here.", statement(`,"Principal":{"AWS":"arn:aws:iam::111122223333:role/a"}`), statement(`,"Principal":{"AWS":"arn:aws:iam::111122223333:role/A"}`)},
		"PrincipalKind":  {"A kind of principal is not another.", statement(`,"Principal":{"AWS":"x"}`), statement(`,"Principal":{"Service":"x"}`)},
		"NoRoot":         {"What looks like a root ARN.", statement(`,"Principal":{"AWS":"arn:aws:iam::11112222333x:root"}`), statement(`,"Principal":{"AWS":"11112222333x"}`)},
		"NoRootUser":     {"What ends like one.", statement(`,"Principal":{"AWS":"arn:aws:iam::111122223333:user/x:root"}`), statement(`,"Principal":{"AWS":"111122223333"}`)},
		"NoRootService":  {"What is one of something else.", statement(`,"Principal":{"AWS":"arn:aws:sts::111122223333:root"}`), statement(`,"Principal":{"AWS":"111122223333"}`)},
		"NoPrincipal":    {"No principal at all.", statement(`,"Principal":{}`), statement(``)},
		"OtherPrincipal": {"A kind that is not known.", statement(`,"Principal":{"New":"a"}`), statement(`,"Principal":{"New":"b"}`)},
		"Key":            {"Another key.", statement(`,"Condition":{"Bool":{"k":true}}`), statement(`,"Condition":{"Bool":{"l":true}}`)},
		"Operator":       {"Another operator.", statement(`,"Condition":{"StringLike":{"k":"v"}}`), statement(`,"Condition":{"StringEquals":{"k":"v"}}`)},
		"Value":          {"Values are case-sensitive.", statement(`,"Condition":{"StringLike":{"k":"v"}}`), statement(`,"Condition":{"StringLike":{"k":"V"}}`)},
		"Both":           {"Two entries must both hold, two values need not.", statement(`,"Condition":{"StringLike":{"k":"a","K":"b"}}`), statement(`,"Condition":{"StringLike":{"k":["a","b"]}}`)},
		"Text":           {"Numbers that are compared as text.", statement(`,"Condition":{"StringEquals":{"k":"1.0"}}`), statement(`,"Condition":{"StringEquals":{"k":"1"}}`)},
		"Bits":           {"A range is not its address.", statement(`,"Condition":{"IpAddress":{"k":"10.0.0.0/8"}}`), statement(`,"Condition":{"IpAddress":{"k":"10.0.0.0"}}`)},
		"Unknown":        {"An unknown element could mean anything.", statement(`,"New":1`), statement(`,"New":2`)},
		"UnknownPart":    {"Also outside of statements.", `{"New":1}`, `{}`},
		"Boundary":       {"Two values are not one that looks like both.", statement(`,"Resource":["a","b"]`), statement(`,"Resource":["a1:b"]`)},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := mustParse(t, tc.a), mustParse(t, tc.b)
			if policy.Equal(a, b) || policy.Equal(b, a) {
				t.Errorf("%s\n%s\n%s\nare equal", tc.reason, a, b)
			}
		})
	}
}

func TestMissingPolicyEqualsOnlyItself(t *testing.T) {
	empty := &policy.Document{}
	for _, tc := range []struct {
		a, b *policy.Document
		want bool
	}{{nil, nil, true}, {nil, empty, false}, {empty, nil, false}, {empty, empty, true}} {
		if got := policy.Equal(tc.a, tc.b); got != tc.want {
			t.Errorf("Equal(%s, %s) = %t", tc.a, tc.b, got)
		}
	}
}

func TestCmpComparesDocumentsInMeaning(t *testing.T) {
	type plan struct{ Want *policy.Document }
	a := plan{mustParse(t, statement(`,"Principal":{"AWS":"111122223333"}`))}
	b := plan{mustParse(t, statement(`,"Principal":{"AWS":["arn:aws:iam::111122223333:root"]}`))}
	if !cmp.Equal(a, b) || cmp.Equal(a, plan{}) {
		t.Error("cmp does not see what Equal sees")
	}
}

func TestAddedStatementChangesDocument(t *testing.T) {
	d := document(policy.Allow, "*")
	call := policy.Call{Caller: policy.User(userARN(owner)), Action: invoke, Resource: gatewayARN, ResourcePolicy: d}
	if before := policy.Evaluate(call); !before.Allowed || !policy.Equal(d, document(policy.Allow, "*")) {
		t.Fatal(before)
	}
	d.Statements = append(d.Statements, document(policy.Deny, "*").Statements...)
	if after := policy.Evaluate(call); after.Allowed || policy.Equal(d, document(policy.Allow, "*")) {
		t.Error(after)
	}
}
