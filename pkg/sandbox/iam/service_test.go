package iam_test

import (
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
)

func TestAServiceAssumesARoleThatTrustsIt(t *testing.T) {
	const (
		role  = "arn:aws:iam::111122223333:role/SchedulesRole"
		group = "arn:aws:scheduler:us-east-1:111122223333:schedule-group/gateway-grants"
		plain = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"scheduler.amazonaws.com"},"Action":"sts:AssumeRole"}}`
		bound = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"scheduler.amazonaws.com"},"Action":"sts:AssumeRole",
			"Condition":{"StringEquals":{"aws:SourceAccount":"111122223333"},"ArnEquals":{"aws:SourceArn":"` + group + `"}}}}`
		account = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sts:AssumeRole"}}`
		denied  = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"scheduler.amazonaws.com"},"Action":"sts:AssumeRole"},
			{"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole"}]}`
	)
	from := map[string][]string{"aws:SourceAccount": {"111122223333"}, "aws:SourceArn": {group}}
	cases := map[string]struct {
		reason, service, trust string
		context                map[string][]string
		want                   bool
	}{
		"trusted":               {"the policy names it", "scheduler.amazonaws.com", plain, nil, true},
		"another service":       {"the policy names another", "lambda.amazonaws.com", plain, nil, false},
		"only the account":      {"a service is in no account", "scheduler.amazonaws.com", account, nil, false},
		"denied":                {"a deny counts", "scheduler.amazonaws.com", denied, nil, false},
		"for its resource":      {"the conditions hold", "scheduler.amazonaws.com", bound, from, true},
		"for another's":         {"another account's schedule is a confused deputy", "scheduler.amazonaws.com", bound, map[string][]string{"aws:SourceAccount": {"444455556666"}, "aws:SourceArn": {group}}, false},
		"for no source account": {"a condition on what is absent does not hold", "scheduler.amazonaws.com", bound, nil, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			trust, err := policy.Parse([]byte(c.trust))
			if err != nil {
				t.Fatal(err)
			}
			if got := iam.ServiceMayAssume(c.service, c.context, role, trust); got != c.want {
				t.Errorf("%s: got %t, want %t", c.reason, got, c.want)
			}
		})
	}
	if iam.ServiceMayAssume("scheduler.amazonaws.com", nil, role, nil) {
		t.Error("a role without a trust policy can be assumed")
	}
}
