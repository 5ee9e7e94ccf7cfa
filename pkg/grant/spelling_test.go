package grant_test

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

func TestSpellingsOfOneValue(t *testing.T) {
	from := func(values ...any) grant.Attributes {
		return grant.Attributes{"conditions": map[string]any{"sourceIp": values}}
	}
	for name, test := range map[string]struct {
		reason string
		rows   []grant.Attributes
	}{
		"an account":         {"its root's ARN names it as its id does", []grant.Attributes{{}, {"principal": "arn:aws:iam::444455556666:root"}}},
		"a narrowed account": {"also where a role narrows it", []grant.Attributes{{"role": "A"}, {"role": "A", "principal": "arn:aws:iam::444455556666:root"}}},
		"a pattern": {"stars in a row are one, and their place among question marks does not count", []grant.Attributes{
			{"principal": "arn:aws:iam::444455556666:role/a*/B?*"}, {"principal": "arn:aws:iam::444455556666:role/a**/B*?"}, {"principal": "arn:aws:iam::444455556666:role/a***/B*?*"},
		}},
		"a narrowing pattern": {"the same of the attribute role", []grant.Attributes{{"role": "A??*"}, {"role": "A?**?"}}},
		"an expiry": {"a moment is one in every offset", []grant.Attributes{
			{"expires": "2027-01-31"}, {"expires": "2027-02-01T00:00:00Z"}, {"expires": "2027-02-01T01:00:00.000+01:00"}, {"expires": "2027-01-31T18:30:00-05:30"},
		}},
		"a role's follow":    {"identity is the default of an exact role", []grant.Attributes{{"role": "A"}, {"role": "A", "follow": "identity"}}},
		"a pattern's follow": {"name is the default of everything else", []grant.Attributes{{"role": "A*"}, {"role": "A*", "follow": "name"}}},
		"an IPv4 address": {"a mapped address and a range of one are the address", []grant.Attributes{
			from("198.51.100.7"), from("198.51.100.7/32"), from("::ffff:198.51.100.7"), from("::FFFF:c633:6407/128"), from("::ffff:198.51.100.7", "198.51.100.7"),
		}},
		"an IPv4 range": {"a mapped range is the range", []grant.Attributes{from("198.51.100.0/24"), from("::ffff:198.51.100.0/120"), from("0::ffff:198.51.100.0/120", "198.51.100.0/24")}},
		"an IPv6 address": {"case and zeros do not count", []grant.Attributes{
			from("2001:db8::1"), from("2001:DB8:0:0::1"), from("2001:0db8::0001/128"), from("2001:db8::1", "2001:DB8::1"),
		}},
		"an IPv6 range": {"the same of a range", []grant.Attributes{from("2001:db8::/32"), from("2001:DB8:0::/32")}},
		"exclusions": {"order and repetition do not count", []grant.Attributes{
			{"principal": "o-exampleorgid", "exclude": []any{"777788889999", "ou-ab12-11112222"}},
			{"principal": "o-exampleorgid", "exclude": []any{"ou-ab12-11112222", "777788889999", "777788889999"}},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			want := grant.Parse(row(test.rows[0]))
			for _, attributes := range test.rows {
				got := grant.Parse(row(attributes))
				if got.Fault != nil {
					t.Fatalf("%s: %v", test.reason, got.Fault)
				}
				if diff := cmp.Diff(want.Grant, got.Grant, cmp.Comparer(func(a, b grant.Principal) bool { return a == b })); diff != "" {
					t.Errorf("%s: %v: -want +got\n%s", test.reason, attributes, diff)
				}
			}
		})
	}
}

func TestSimilarValuesStayApart(t *testing.T) {
	for name, test := range map[string]struct {
		reason string
		a, b   string
	}{
		"a tag's key":        {"the first = ends the key, unless it is escaped", "tag:a=b=c", "tag:a%3Db=c"},
		"a unit":             {"direct leaves out what is below", "ou-ab12-11112222", "ou-ab12-11112222/direct"},
		"a role's path":      {"a path is part of a role's name", "arn:aws:iam::444455556666:role/A", "arn:aws:iam::444455556666:role/a/A"},
		"a question mark":    {"it is no star", "arn:aws:iam::444455556666:role/A?", "arn:aws:iam::444455556666:role/A*"},
		"stars with a slash": {"they are in two places", "arn:aws:iam::444455556666:role/*/*", "arn:aws:iam::444455556666:role/*"},
		"case":               {"names in ARNs have case", "arn:aws:iam::444455556666:role/agent", "arn:aws:iam::444455556666:role/Agent"},
	} {
		t.Run(name, func(t *testing.T) {
			if principal(t, test.a) == principal(t, test.b) {
				t.Errorf("%s: %s and %s are taken for one", test.reason, test.a, test.b)
			}
		})
	}
	everywhere := func(text string) grant.Principal {
		parsed := grant.Parse(row(grant.Attributes{"gateway": "*", "principal": text}))
		if parsed.Fault != nil {
			t.Fatal(parsed.Fault)
		}
		return parsed.Grant.Principal
	}
	if everywhere("444455556666") == everywhere("arn:aws:iam::444455556666:root") {
		t.Error("for gateways of every partition an id says less than an ARN")
	}
}

func TestTagSelector(t *testing.T) {
	for _, tag := range [][2]string{{"team", "agents"}, {"a=b", "c"}, {"a", "b=c"}, {"=", "="}, {"a", ""}, {"%", "x"}} {
		parsed, err := grant.ParsePrincipal("tag:" + grant.TagName(tag[0], tag[1]))
		if tag[0] == "%" {
			if err == nil {
				t.Errorf("a tag with a key that AWS does not take: %v", parsed)
			}
			continue
		}
		if err != nil || parsed.TagKey() != tag[0] || parsed.Name() != grant.TagName(tag[0], tag[1]) {
			t.Errorf("%q: key %q of %q, %v", tag, parsed.TagKey(), parsed.Name(), err)
		}
	}
	if key := principal(t, "ou-ab12-11112222").TagKey(); key != "" {
		t.Errorf("a unit has the tag key %q", key)
	}
}

// Attributes that AWS adds: the replication of global tables of version
// 2017.11.29 adds these three.
var replicated = grant.Attributes{"aws:rep:deleting": false, "aws:rep:updateregion": "us-east-1", "aws:rep:updatetime": 1795165201.260001}

func TestAttributesThatAWSAddsSayNothing(t *testing.T) {
	for name, attributes := range map[string]grant.Attributes{
		"one gateway":    {},
		"every gateway":  {"gateway": "*", "grant": "ou", "principal": "ou-ab12-11112222"},
		"an Invalid row": {"principal": "nobody"},
	} {
		want, got := grant.Parse(row(attributes)), row(attributes)
		maps.Copy(got, replicated)
		if diff := cmp.Diff(want, grant.Parse(got), cmp.Comparer(func(a, b grant.Principal) bool { return a == b })); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
	for _, name := range []string{"aws", "awsrep", "AWS:rep:deleting", "conditions:aws:"} {
		if got := grant.Parse(row(grant.Attributes{name: "x"})); got.Fault == nil || got.Fault.Code != grant.CodeUnknownAttribute {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestGatewaysOfEveryPartitionAreWellFormed(t *testing.T) {
	for arn, want := range map[string]bool{
		"arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/tools-abcdefghij":             true,
		"arn:aws:bedrock-agentcore:mx-central-1:111122223333:gateway/tools-abcdefghij":          true,
		"arn:aws-cn:bedrock-agentcore:cn-northwest-1:111122223333:gateway/tools-abcdefghij":     true,
		"arn:aws-us-gov:bedrock-agentcore:us-gov-west-1:111122223333:gateway/tools-abcdefghij":  true,
		"arn:aws-eusc:bedrock-agentcore:eusc-de-east-1:111122223333:gateway/tools-abcdefghij":   true,
		"arn:aws-iso:bedrock-agentcore:us-iso-east-1:111122223333:gateway/tools-abcdefghij":     true,
		"arn:aws-iso-b:bedrock-agentcore:us-isob-east-1:111122223333:gateway/tools-abcdefghij":  true,
		"arn:aws-iso-e:bedrock-agentcore:eu-isoe-west-1:111122223333:gateway/tools-abcdefghij":  true,
		"arn:aws-iso-f:bedrock-agentcore:us-isof-south-1:111122223333:gateway/tools-abcdefghij": true,
		"arn:aws:bedrock-agentcore:us-east:111122223333:gateway/tools-abcdefghij":               false,
		"arn:aws:bedrock-agentcore:us-east-01:111122223333:gateway/tools-abcdefghij":            false,
		"arn:aws-:bedrock-agentcore:us-east-1:111122223333:gateway/tools-abcdefghij":            false,
		"arn:amazon:bedrock-agentcore:us-east-1:111122223333:gateway/tools-abcdefghij":          false,
	} {
		gateway, err := grant.ParseGateway(arn)
		if (err == nil) != want || err == nil && gateway.ARN() != arn {
			t.Errorf("%s: %v, %v", arn, gateway, err)
		}
	}
}
