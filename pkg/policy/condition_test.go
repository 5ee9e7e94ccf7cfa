package policy_test

import (
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// holds evaluates a condition through an identity policy that allows everything
// under it, and through one that denies everything under it: the two must agree.
func holds(t *testing.T, version string, condition policy.Condition, context map[string][]string) bool {
	t.Helper()
	decide := func(effect policy.Effect) policy.Decision {
		return policy.Evaluate(policy.Call{
			Caller: policy.User("arn:aws:iam::111122223333:user/bob"), Action: invoke, Resource: gatewayARN, Context: context,
			Identity: []*policy.Document{
				{Version: version, Statements: []policy.Statement{
					{Effect: effect, Action: []string{"*"}, Resource: []string{"*"}, Condition: condition},
				}},
			},
		})
	}
	allowed, denied := decide(policy.Allow).Allowed, decide(policy.Deny).Reason == policy.ExplicitDeny
	if allowed != denied {
		t.Errorf("%v on %v: an Allow applies: %t, a Deny applies: %t", condition, context, allowed, denied)
	}
	return allowed
}

type values = []string

func TestConditionOperators(t *testing.T) {
	for _, tc := range []struct {
		reason         string
		operator       string
		policy, actual values // actual nil: the key is absent
		want           bool
	}{
		{"exact", "StringEquals", values{"a", "b"}, values{"b"}, true},
		{"exact, and case counts", "StringEquals", values{"a"}, values{"A"}, false},
		{"wildcards are text here", "StringEquals", values{"a*", "?"}, values{"ab"}, false},
		{"wildcards are text here", "StringEquals", values{"a*"}, values{"a*"}, true},
		{"empty is a value", "StringEquals", values{""}, values{""}, true},
		{"absent is no match", "StringEquals", values{"a", ""}, nil, false},
		{"no value to match", "StringEquals", values{}, values{"a"}, false},
		{"none of them", "StringNotEquals", values{"a", "b"}, values{"c"}, true},
		{"one of them", "StringNotEquals", values{"a", "b"}, values{"b"}, false},
		{"absent is no match, which is what is asked for", "StringNotEquals", values{"a"}, nil, true},
		{"no value to match, which is what is asked for", "StringNotEquals", values{}, values{"a"}, true},
		{"case is ignored", "StringEqualsIgnoreCase", values{"ABc"}, values{"abC"}, true},
		{"case is ignored", "StringNotEqualsIgnoreCase", values{"ABc"}, values{"abC"}, false},
		{"star", "StringLike", values{"a*c"}, values{"abbbc"}, true},
		{"star, nothing", "StringLike", values{"a*c"}, values{"ac"}, true},
		{"star, again", "StringLike", values{"*ab*b"}, values{"aabxabb"}, true},
		{"star, not enough", "StringLike", values{"a*bc"}, values{"abcb"}, false},
		{"question mark", "StringLike", values{"a?c"}, values{"abc"}, true},
		{"question mark, one character of any length", "StringLike", values{"a?c"}, values{"a😀c"}, true},
		{"question mark, nothing", "StringLike", values{"a?"}, values{"a"}, false},
		{"colons mean nothing here", "StringLike", values{"a*c"}, values{"a:b:c"}, true},
		{"case counts", "StringLike", values{"A*"}, values{"ab"}, false},
		{"no pattern of another language", "StringLike", values{"a.(c"}, values{"a.(c"}, true},
		{"a newline is a character", "StringLike", values{"a*c"}, values{"a\nc"}, true},
		{"none of them", "StringNotLike", values{"a*", "b*"}, values{"bx"}, false},
		{"none of them", "StringNotLike", values{"a*", "b*"}, values{"cx"}, true},

		{"number", "NumericEquals", values{"10"}, values{"10.0"}, true},
		{"number", "NumericNotEquals", values{"10"}, values{"10.0"}, false},
		{"number, any of them", "NumericLessThan", values{"5", "20"}, values{"10"}, true},
		{"number, at the limit", "NumericLessThan", values{"10"}, values{"10"}, false},
		{"number, at the limit", "NumericLessThanEquals", values{"10"}, values{"10"}, true},
		{"number, above", "NumericLessThanEquals", values{"10"}, values{"10.5"}, false},
		{"number", "NumericGreaterThan", values{"9"}, values{"10"}, true},
		{"number, not text", "NumericGreaterThan", values{"9"}, values{"10"}, true},
		{"number, at the limit", "NumericGreaterThan", values{"10"}, values{"10"}, false},
		{"number, at the limit", "NumericGreaterThanEquals", values{"10"}, values{"10"}, true},
		{"negative", "NumericLessThan", values{"-1"}, values{"-2"}, true},
		{"no number", "NumericEquals", values{"abc"}, values{"abc"}, false},
		{"no number", "NumericEquals", values{"NaN", "Inf", "0x10"}, values{"16"}, false},
		{"no number, which matches none", "NumericNotEquals", values{"1"}, values{"abc"}, true},

		{"before", "DateLessThan", values{"2026-11-23T00:00:00Z"}, values{"2026-11-22T23:59:59Z"}, true},
		{"at", "DateLessThan", values{"2026-11-23T00:00:00Z"}, values{"2026-11-23T00:00:00Z"}, false},
		{"at", "DateLessThanEquals", values{"2026-11-23T00:00:00Z"}, values{"2026-11-23T00:00:00Z"}, true},
		{"after", "DateGreaterThan", values{"2026-11-23T00:00:00Z"}, values{"2026-11-23T00:00:00.5Z"}, true},
		{"at", "DateGreaterThanEquals", values{"2026-11-23T00:00:00Z"}, values{"2026-11-23T00:00:00Z"}, true},
		{"zones", "DateEquals", values{"2026-11-23T01:00:00+01:00"}, values{"2026-11-23T00:00:00Z"}, true},
		{"day", "DateEquals", values{"2026-11-23"}, values{"2026-11-23T00:00:00Z"}, true},
		{"month", "DateGreaterThan", values{"2026-11"}, values{"2026-11-23T00:00:00Z"}, true},
		{"year", "DateLessThan", values{"2027"}, values{"2026-11-23T00:00:00Z"}, true},
		{"seconds since 1970", "DateEquals", values{"1767225600"}, values{"2026-01-01T00:00Z"}, true},
		{"seconds since 1970, as the key", "DateNotEquals", values{"2026-01-01"}, values{"1767225600"}, false},
		{"no date", "DateEquals", values{"soon"}, values{"soon"}, false},
		{"absurd date", "DateLessThan", values{"99999999999999999"}, values{"2026-01-01"}, false},

		{"boolean", "Bool", values{"true"}, values{"true"}, true},
		{"boolean, in any case", "Bool", values{"False"}, values{"falSE"}, true},
		{"boolean", "Bool", values{"true"}, values{"false"}, false},
		{"boolean, absent", "Bool", values{"false"}, nil, false},

		{"binary", "BinaryEquals", values{"QUJD"}, values{"QUJD"}, true},
		{"binary", "BinaryEquals", values{"QUJD"}, values{"QUJE"}, false},
		{"binary, other bytes than it seems", "BinaryEquals", values{"qujd"}, values{"QUJD"}, false},

		{"range", "IpAddress", values{"10.0.0.0/8"}, values{"10.1.2.3"}, true},
		{"range with bits to spare", "IpAddress", values{"10.1.2.3/8"}, values{"10.9.9.9"}, true},
		{"all of them", "IpAddress", values{"0.0.0.0/0"}, values{"10.1.2.3"}, true},
		{"address", "IpAddress", values{"10.1.2.3"}, values{"10.1.2.3"}, true},
		{"address", "IpAddress", values{"10.1.2.3"}, values{"10.1.2.4"}, false},
		{"IPv6", "IpAddress", values{"2001:DB8:1::/48"}, values{"2001:db8:1:2::3"}, true},
		{"IPv6", "IpAddress", values{"2001:db8:1::/48"}, values{"2001:db8:2::3"}, false},
		{"one is not the other", "IpAddress", values{"::/0"}, values{"10.1.2.3"}, false},
		{"outside of all", "NotIpAddress", values{"10.0.0.0/8", "11.0.0.0/8"}, values{"12.1.1.1"}, true},
		{"inside of one", "NotIpAddress", values{"10.0.0.0/8", "11.0.0.0/8"}, values{"11.1.1.1"}, false},
		{"no range", "IpAddress", values{"10.0.0.0/33"}, values{"10.0.0.0"}, false},
		{"no address", "IpAddress", values{"10.0.0.0/8"}, values{"10.0.0"}, false},
		{"absent", "NotIpAddress", values{"10.0.0.0/8"}, nil, true},
		{"mapped, as both", "IpAddress", values{"::ffff:198.51.100.7/128"}, values{"::ffff:198.51.100.7"}, true},
		{"mapped, in its range", "IpAddress", values{"::ffff:198.51.100.0/120"}, values{"::ffff:198.51.100.7"}, true},
		{"mapped, outside of the range", "IpAddress", values{"::ffff:198.51.100.0/120"}, values{"::ffff:198.51.101.7"}, false},
		{"mapped, as the key only", "IpAddress", values{"198.51.100.0/24"}, values{"::ffff:198.51.100.7"}, true},
		{"mapped, as the range only", "IpAddress", values{"::FFFF:c633:6400/120"}, values{"198.51.100.7"}, true},
		{"mapped, as the address only", "IpAddress", values{"::ffff:198.51.100.7"}, values{"198.51.100.7"}, true},
		{"mapped, a Deny is not lost", "NotIpAddress", values{"::ffff:198.51.100.0/120"}, values{"198.51.100.7"}, false},
		{"mapped, all of them", "IpAddress", values{"::ffff:0:0/96"}, values{"10.1.2.3"}, true},
		{"shorter than what all mapped share", "IpAddress", values{"::ffff:0:0/95"}, values{"10.1.2.3"}, false},

		{"ARN", "ArnEquals", values{"arn:aws:iam::111122223333:role/a"}, values{"arn:aws:iam::111122223333:role/a"}, true},
		{"ARN, wildcards in both operators", "ArnEquals", values{"arn:aws:iam::*:role/A*"}, values{"arn:aws:iam::111122223333:role/x/Ab"}, false},
		{"ARN, wildcards in both operators", "ArnEquals", values{"arn:aws:iam::*:role/*"}, values{"arn:aws:iam::111122223333:role/x/Ab"}, true},
		{"ARN, question mark", "ArnLike", values{"arn:aws:iam::11112222333?:role/a"}, values{"arn:aws:iam::111122223333:role/a"}, true},
		{"ARN, field by field", "ArnLike", values{"arn:aws:s:*:111122223333:finance/*"}, values{"arn:aws:s:us-east-2:999999999999:store/abc:111122223333:finance/d"}, false},
		{"the same as text", "StringLike", values{"arn:aws:s:*:111122223333:finance/*"}, values{"arn:aws:s:us-east-2:999999999999:store/abc:111122223333:finance/d"}, true},
		{"ARN, colons in the last field", "ArnLike", values{"arn:aws:s:r:a:x*z"}, values{"arn:aws:s:r:a:x:y:z"}, true},
		{"ARN, a field is not two", "ArnLike", values{"arn:aws:s:*"}, values{"arn:aws:s:r:a:x"}, false},
		{"ARN, star alone is no ARN", "ArnLike", values{"*"}, values{"arn:aws:s:r:a:x"}, false},
		{"no ARN", "ArnLike", values{"x", "arn:aws:*:*:*:*"}, values{"x"}, false},
		{"no ARN, spelled alike", "ArnEquals", values{"x"}, values{"x"}, false},
		{"no ARN, six fields", "ArnLike", values{"*:*:*:*:*:*"}, values{"urn:aws:s:r:a:x"}, false},
		{"ARN, negated", "ArnNotEquals", values{"arn:aws:iam::*:role/*"}, values{"arn:aws:iam::1:user/x"}, true},
		{"ARN, negated", "ArnNotLike", values{"arn:aws:iam::*:role/*"}, values{"arn:aws:iam::1:role/x"}, false},
		{"no ARN, which matches none", "ArnNotLike", values{"arn:aws:iam::*:role/*"}, values{"x"}, true},

		{"is absent", "Null", values{"true"}, nil, true},
		{"is absent", "Null", values{"True"}, nil, true},
		{"is absent", "Null", values{"false"}, nil, false},
		{"is present", "Null", values{"false"}, values{"x"}, true},
		{"is present", "Null", values{"true"}, values{"x"}, false},
		{"either", "Null", values{"true", "false"}, values{"x"}, true},
		{"a key without a value is absent", "Null", values{"true"}, values{}, true},

		{"if exists, absent", "StringEqualsIfExists", values{"a"}, nil, true},
		{"if exists, present", "StringEqualsIfExists", values{"a"}, values{"b"}, false},
		{"if exists, negated, absent", "StringNotEqualsIfExists", values{"a"}, nil, true},
		{"if exists, other types", "IpAddressIfExists", values{"10.0.0.0/8"}, nil, true},
		{"if exists, other types", "DateLessThanIfExists", values{"2026-01-01"}, values{"2026-06-01"}, false},
		{"operators ignore case", "stringlikeifexists", values{"a*"}, values{"ab"}, true},

		{"any of several", "ForAnyValue:StringEquals", values{"a", "b"}, values{"x", "b"}, true},
		{"any of several", "ForAnyValue:StringEquals", values{"a", "b"}, values{"x", "y"}, false},
		{"any, absent", "ForAnyValue:StringEquals", values{"a"}, nil, false},
		{"any, empty", "ForAnyValue:StringEquals", values{""}, values{""}, false},
		{"any, negated: one that matches none", "ForAnyValue:StringNotEquals", values{"a"}, values{"a", "b"}, true},
		{"any, negated: one that matches none", "ForAnyValue:StringNotEquals", values{"a", "b"}, values{"a", "b"}, false},
		{"any, negated, absent", "ForAnyValue:StringNotEquals", values{"a"}, nil, false},
		{"any, if exists", "ForAnyValue:StringLikeIfExists", values{"a*"}, nil, true},
		{"all of several", "ForAllValues:StringLike", values{"a*", "b*"}, values{"ax", "bx"}, true},
		{"all of several", "ForAllValues:StringLike", values{"a*", "b*"}, values{"ax", "cx"}, false},
		{"all, absent", "ForAllValues:StringEquals", values{"a"}, nil, true},
		{"all, empty", "ForAllValues:StringEquals", values{"a"}, values{"", ""}, true},
		{"all, negated: none matches", "ForAllValues:StringNotEquals", values{"a"}, values{"b", "c"}, true},
		{"all, negated: none matches", "ForAllValues:StringNotEquals", values{"a"}, values{"b", "a"}, false},
		{"other types", "ForAnyValue:IpAddress", values{"10.0.0.0/8"}, values{"9.9.9.9", "10.9.9.9"}, true},
		{"several values need a set operator", "StringEquals", values{"a", "b"}, values{"a", "b"}, false},
		{"several values need a set operator", "StringNotEquals", values{"c"}, values{"a", "b"}, true},
	} {
		context := map[string][]string{}
		if tc.actual != nil {
			context["x:key"] = tc.actual
		}
		condition := policy.Condition{tc.operator: {"X:Key": tc.policy}}
		if got := holds(t, policy.Version2012, condition, context); got != tc.want {
			t.Errorf("%s: %s %q on %q holds: %t, want %t", tc.reason, tc.operator, tc.policy, tc.actual, got, tc.want)
		}
	}
}

func TestEveryConditionMustHold(t *testing.T) {
	context := map[string][]string{"a": {"1"}, "b": {"2"}}
	for _, tc := range []struct {
		condition policy.Condition
		want      bool
	}{
		{nil, true},
		{policy.Condition{"StringEquals": {}}, true},
		{policy.Condition{"StringEquals": {"a": {"1"}, "b": {"2"}}}, true},
		{policy.Condition{"StringEquals": {"a": {"1"}, "b": {"1"}}}, false},
		{policy.Condition{"StringEquals": {"a": {"1"}}, "StringLike": {"b": {"?"}}}, true},
		{policy.Condition{"StringEquals": {"a": {"1"}}, "StringLike": {"b": {"??"}}}, false},
		{policy.Condition{"StringEquals": {"a": {"1"}, "A": {"2"}}}, false},
	} {
		if got := holds(t, policy.Version2012, tc.condition, context); got != tc.want {
			t.Errorf("%v holds: %t", tc.condition, got)
		}
	}
}

func TestUnknownOperatorNeverWidensAccess(t *testing.T) {
	for _, operator := range []string{"StringMatches", "NullIfExists", "ForAnyValue:Null", "ForSomeValues:StringEquals"} {
		document := func(effect policy.Effect) *policy.Document {
			return &policy.Document{Statements: []policy.Statement{{
				Effect: effect, Action: values{"*"}, Resource: values{"*"}, Condition: policy.Condition{operator: {"a": {"1"}}},
			}}}
		}
		call := policy.Call{
			Caller: policy.Root("111122223333"), Action: invoke, Resource: gatewayARN,
			Context: map[string][]string{"a": {"1"}},
		}
		call.SCPs = [][]*policy.Document{{document(policy.Allow)}}
		if d := policy.Evaluate(call); d.Reason != policy.NoSCPAllow {
			t.Errorf("%s in an Allow: %s", operator, d)
		}
		call.SCPs = [][]*policy.Document{{document(policy.Deny)}}
		if d := policy.Evaluate(call); d.Reason != policy.ExplicitDeny {
			t.Errorf("%s in a Deny: %s", operator, d)
		}
	}
}

func TestPolicyVariables(t *testing.T) {
	for _, tc := range []struct {
		reason   string
		operator string
		value    string
		context  map[string][]string // of which k is compared
		want     bool
	}{
		{"a value", "StringEquals", "a-${v:x}", map[string][]string{"k": {"a-b"}, "V:X": {"b"}}, true},
		{"another value", "StringEquals", "a-${v:x}", map[string][]string{"k": {"a-b"}, "v:x": {"c"}}, false},
		{"two values", "StringLike", "${v:x}/*/${V:Y}", map[string][]string{"k": {"b/-/c"}, "v:x": {"b"}, "v:y": {"c"}}, true},
		{"no value", "StringEquals", "a-${v:x}", map[string][]string{"k": {"a-"}}, false},
		{"no value, negated", "StringNotEquals", "a-${v:x}", map[string][]string{"k": {"a-"}}, true},
		{"a default", "StringEquals", "a-${v:x, 'd}e'}f", map[string][]string{"k": {"a-d}ef"}}, true},
		{"a default that is not needed", "StringEquals", "a-${v:x, 'd'}", map[string][]string{"k": {"a-b"}, "v:x": {"b"}}, true},
		{"no default without a space", "StringEquals", "a-${v:x,'d'}", map[string][]string{"k": {"a-d"}}, false},
		{"an unfinished default", "StringEquals", "a-${v:x, 'd}", map[string][]string{"k": {"a-d"}}, false},
		{"an empty default", "StringEquals", "a-${v:x, ''}", map[string][]string{"k": {"a-"}}, true},
		{"several values", "StringEquals", "${v:x, 'd'}", map[string][]string{"k": {"b"}, "v:x": {"b", "c"}}, false},
		{"a value is never a wildcard", "StringLike", "a-${v:x}", map[string][]string{"k": {"a-b"}, "v:x": {"*"}}, false},
		{"nor a variable", "StringEquals", "${v:x}", map[string][]string{"k": {"b"}, "v:x": {"${v:y}"}, "v:y": {"b"}}, false},
		{"a star", "StringLike", "a${*}", map[string][]string{"k": {"a*"}}, true},
		{"a star, only", "StringLike", "a${*}", map[string][]string{"k": {"ab"}}, false},
		{"a question mark", "StringLike", "a${?}", map[string][]string{"k": {"ab"}}, false},
		{"a dollar sign", "StringEquals", "${$}{v:x}", map[string][]string{"k": {"${v:x}"}, "v:x": {"b"}}, true},
		{"not a variable", "StringEquals", "a${v:x", map[string][]string{"k": {"a${v:x"}}, true},
		{"not a variable", "StringEquals", "$a{v:x}", map[string][]string{"k": {"$a{v:x}"}}, true},
		{"ignoring case", "StringEqualsIgnoreCase", "A-${v:x}", map[string][]string{"k": {"a-B"}, "v:x": {"b"}}, true},
		{"in an ARN", "ArnLike", "arn:aws:s:r:${v:x}:*", map[string][]string{"k": {"arn:aws:s:r:a:b"}, "v:x": {"a"}}, true},
		{"in an ARN, negated, without a value", "ArnNotLike", "arn:aws:s:r:${v:x}:*", map[string][]string{"k": {"arn:aws:s:r:a:b"}}, true},
		{"a whole ARN", "ArnEquals", "${v:x}", map[string][]string{"k": {"arn:aws:s:r:a:b"}, "v:x": {"arn:aws:s:r:a:b"}}, true},
		{"a boolean", "Bool", "${v:x}", map[string][]string{"k": {"true"}, "v:x": {"True"}}, true},
		{"not in numbers", "NumericEquals", "${v:x}", map[string][]string{"k": {"1"}, "v:x": {"1"}}, false},
		{"what follows from the caller", "StringEquals", "${aws:username}", map[string][]string{"k": {"bob"}}, true},
	} {
		condition := policy.Condition{tc.operator: {"k": {tc.value}}}
		if got := holds(t, policy.Version2012, condition, tc.context); got != tc.want {
			t.Errorf("%s: %s %s on %v holds: %t, want %t", tc.reason, tc.operator, tc.value, tc.context, got, tc.want)
		}
	}
	if !holds(t, policy.Version2008, policy.Condition{"StringEquals": {"k": {"${v:x}"}}}, map[string][]string{"k": {"${v:x}"}}) {
		t.Error("in the version of 2008 a variable is not text")
	}
}
