package policy_test

import (
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

func TestParseAWSPrincipal(t *testing.T) {
	arn := func(partition, account, resource string) policy.AWSPrincipal {
		return policy.AWSPrincipal{ARN: policy.IAMARN{Partition: partition, Account: account, Resource: resource}}
	}
	for _, test := range []struct {
		reason, text string
		want         policy.AWSPrincipal
		ok           bool
	}{
		{"an id is the root in the policy's partition", "444455556666", arn("aws-cn", "444455556666", "root"), true},
		{"a root", "arn:aws:iam::444455556666:root", arn("aws", "444455556666", "root"), true},
		{"a role with its path", "arn:aws-us-gov:iam::444455556666:role/team/Agent", arn("aws-us-gov", "444455556666", "role/team/Agent"), true},
		{"a role of every account", "arn:aws:iam::*:role/Agent", arn("aws", "*", "role/Agent"), true},
		{"a role's unique id", "AROAEXAMPLEEXAMPLE01", policy.AWSPrincipal{UniqueID: "AROAEXAMPLEEXAMPLE01"}, true},
		{"eleven digits", "44445555666", policy.AWSPrincipal{}, false},
		{"everyone", "*", policy.AWSPrincipal{}, false},
		{"a session", "arn:aws:sts::444455556666:assumed-role/Agent/s", policy.AWSPrincipal{}, false},
		{"no resource", "arn:aws:iam::444455556666", policy.AWSPrincipal{}, false},
	} {
		got, ok := policy.ParseAWSPrincipal(test.text, "aws-cn")
		if got != test.want || ok != test.ok {
			t.Errorf("%s: %+v, %t", test.reason, got, ok)
		}
		if again, _ := policy.ParseIAMARN(got.ARN.String()); ok && got.UniqueID == "" && again != got.ARN {
			t.Errorf("%s: once printed it is %+v", test.reason, again)
		}
	}
}

func TestParseSessionARN(t *testing.T) {
	for _, test := range []struct {
		reason, text string
		want         policy.SessionARN
		ok           bool
	}{
		{"a session", "arn:aws:sts::444455556666:assumed-role/Agent/s", policy.SessionARN{Partition: "aws", Account: "444455556666", Role: "Agent", Name: "s"}, true},
		{"of China", "arn:aws-cn:sts::444455556666:assumed-role/Agent/me@example.com", policy.SessionARN{Partition: "aws-cn", Account: "444455556666", Role: "Agent", Name: "me@example.com"}, true},
		{"no name", "arn:aws:sts::444455556666:assumed-role/Agent", policy.SessionARN{Partition: "aws", Account: "444455556666", Role: "Agent"}, true},
		{"a federated user", "arn:aws:sts::444455556666:federated-user/ann", policy.SessionARN{}, false},
		{"a role", "arn:aws:iam::444455556666:role/Agent", policy.SessionARN{}, false},
		{"no account", "arn:aws:sts", policy.SessionARN{}, false},
	} {
		got, ok := policy.ParseSessionARN(test.text)
		if got != test.want || ok != test.ok {
			t.Errorf("%s: %+v, %t", test.reason, got, ok)
		}
		if again, _ := policy.ParseSessionARN(got.String()); ok && again != got {
			t.Errorf("%s: once printed it is %+v", test.reason, again)
		}
	}
}
