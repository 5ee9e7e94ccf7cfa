package policy_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/policy/simulate"
)

// oddity is something about which the simulator decides otherwise than we do.
type oddity struct {
	why string // and why we keep to our answer

	// The smallest case: an identity policy that has one statement, which allows
	// every action, with these elements, on the gateway for a user of its account.
	version  string
	elements string
	context  map[string][]string
	ours     bool // whether we let the user in
}

// oddities explains everything that the generator calls odd. The sources are
// pages under https://docs.aws.amazon.com/IAM/latest/UserGuide/ unless another
// one is given.
var oddities = map[string]oddity{
	"empty value": {
		why: "reference_policies_condition-single-vs-multi-valued-context-keys: to set operators an empty string is no data, " +
			"so that ForAllValues holds and ForAnyValue does not; the simulator compares it like any text",
		elements: `"Resource":"*","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":"Team"}}`,
		context:  map[string][]string{"aws:TagKeys": {""}},
		ours:     true,
	},
	"old version": {
		why:      "reference_policies_variables: in the version of 2008 ${...} is text; the simulator resolves it",
		version:  policy.Version2008,
		elements: `"Resource":"arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/gw-${aws:SourceVpc}"`,
		context:  map[string][]string{"aws:SourceVpc": {"1"}},
	},
	"star over fields": {
		why: "reference_policies_elements_resource: a star that ends a field of the ARN may cover colons; " +
			"the simulator lets only one that ends the whole pattern do so",
		elements: `"Resource":"arn:aws:bedrock-agentcore:*:gateway/gw-1"`,
		ours:     true,
	},
	"several values": {
		why: "undocumented: an operator without a set operator on a key with several values. In the simulator even a negated " +
			"one does not hold; here a negated operator is always the opposite of its twin",
		elements: `"Resource":"*","Condition":{"StringNotEquals":{"aws:TagKeys":"Team"}}`,
		context:  map[string][]string{"aws:TagKeys": {"Stage", "Cost"}},
		ours:     true,
	},
	"any value if exists": {
		why: "reference_policies_elements_condition_operators: IfExists can be added to every operator but Null, and then holds " +
			"when the key is absent; in the simulator ForAnyValue:...IfExists does not",
		elements: `"Resource":"*","Condition":{"ForAnyValue:StringEqualsIfExists":{"aws:TagKeys":"Team"}}`,
		ours:     true,
	},
	"wrong type": {
		why: "undocumented: a value that is not of the operator's type. In the simulator a negated operator does not hold then " +
			"either; here it is the opposite of its twin, so that a Deny is not lost to a misspelt value",
		elements: `"Resource":"*","Condition":{"NumericNotEquals":{"aws:MultiFactorAuthAge":"many"}}`,
		context:  map[string][]string{"aws:MultiFactorAuthAge": {"10"}},
		ours:     true,
	},
	"exponent": {
		why: "undocumented: a number with an exponent, as JSON may spell one that stands without quotes. The simulator reads its " +
			"digits up to the e",
		elements: `"Resource":"*","Condition":{"NumericEquals":{"aws:MultiFactorAuthAge":"3e2"}}`,
		context:  map[string][]string{"aws:MultiFactorAuthAge": {"300"}},
		ours:     true,
	},
	"long number": {
		why: "undocumented: numbers that differ where a float64 has no digits any more. They are not the same, so that a condition " +
			"on one is not met by the other; in the simulator it is",
		elements: `"Resource":"*","Condition":{"NumericEquals":{"aws:MultiFactorAuthAge":"300.00000000000000001"}}`,
		context:  map[string][]string{"aws:MultiFactorAuthAge": {"300"}},
	},
	"variable in a negated test": {
		why: "reference_policies_variables#policy-vars-no-value: inverted operators do match a variable without a value; " +
			"in the simulator they do not",
		elements: `"Resource":"*","Condition":{"StringNotEquals":{"aws:SourceVpc":"${aws:SourceVpce}"}}`,
		context:  map[string][]string{"aws:SourceVpc": {"vpc-1"}},
		ours:     true,
	},
	"escaped character": {
		why: "reference_policies_variables#policy-vars-specialchars: ${*}, ${?} and ${$} work wherever variables do; " +
			"the simulator knows them only in StringLike",
		elements: `"Resource":"*","Condition":{"StringEquals":{"aws:SourceVpc":"a${*}"}}`,
		context:  map[string][]string{"aws:SourceVpc": {"a*"}},
		ours:     true,
	},
	"empty default": {
		why: "reference_policies_variables#policy-vars-default-values: a default value stands between single quotes, with no " +
			"word that it must not be empty; the simulator takes the variable for one without a value then",
		elements: `"Resource":"arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/gw-1${aws:SourceVpc, ''}"`,
		ours:     true,
	},
	"variable in an ARN": {
		why: "reference_policies_elements_condition_operators: ARN operators take variables, with no word of where in the ARN; " +
			"the simulator takes them in its last field only",
		elements: `"Resource":"*","Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:sqs:us-east-1:${aws:PrincipalAccount}:q"}}`,
		context:  map[string][]string{"aws:SourceArn": {"arn:aws:sqs:us-east-1:111122223333:q"}},
		ours:     true,
	},
	"every address": {
		why:      "0.0.0.0/0 contains every IPv4 address, but none in the simulator",
		elements: `"Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}}`,
		context:  map[string][]string{"aws:SourceIp": {"10.1.2.3"}},
		ours:     true,
	},
	"mapped address": {
		why: "undocumented: IPv4-mapped addresses. Here they are the IPv4 addresses, so that a Deny for one is not lost; " +
			"to the simulator they are IPv6",
		elements: `"Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"::ffff:10.1.2.0/120"}}`,
		context:  map[string][]string{"aws:SourceIp": {"10.1.2.3"}},
		ours:     true,
	},
	"bare address": {
		why: "an address of one family is outside of every address of the other, so that NotIpAddress holds, as it does in the " +
			"simulator once the policy's address has a prefix length; without one neither operator holds there",
		elements: `"Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":"10.1.2.3"}}`,
		context:  map[string][]string{"aws:SourceIp": {"2001:db8::1"}},
		ours:     true,
	},
	"short date": {
		why: "https://www.w3.org/TR/NOTE-datetime, which IAM refers to, has years alone, and IAM also takes seconds since 1970; " +
			"the simulator knows neither",
		elements: `"Resource":"*","Condition":{"DateLessThan":{"aws:CurrentTime":"2027"}}`,
		context:  map[string][]string{"aws:CurrentTime": {"2026-11-23T00:00:00Z"}},
		ours:     true,
	},
}

// TestEveryOddityIsStillNeeded finds explanations that the simulator has outgrown,
// and shows each in its smallest case.
func TestEveryOddityIsStillNeeded(t *testing.T) {
	simulator := simulate.New(t)
	names := slices.Sorted(maps.Keys(oddities))
	var calls []policy.Call
	for _, name := range names {
		odd := oddities[name]
		d := mustParse(t, statement(`,"Action":"*",`+odd.elements))
		if odd.version != "" {
			d.Version = odd.version
		}
		calls = append(calls, policy.Call{
			Caller: policy.User(userARN(owner)), Action: invoke, Resource: gatewayARN, ResourceAccount: owner,
			Identity: []*policy.Document{d}, Context: odd.context,
		})
	}
	for i, theirs := range simulator.Decide(calls) {
		odd := oddities[names[i]]
		if ours := policy.Evaluate(calls[i]); ours.Allowed != odd.ours {
			t.Errorf("%s: %s\n%s", names[i], ours, odd.why)
		} else if simulate.OutcomeOf(ours) == theirs {
			t.Errorf("%s: the simulator now agrees, so this needs no excuse any more", names[i])
		}
	}
}
