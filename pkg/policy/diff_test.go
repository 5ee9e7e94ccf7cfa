package policy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

func TestDiffNamesWhatDiffersOneLineEach(t *testing.T) {
	const base = `{"Version":"2012-10-17","Statement":[
		{"Sid":"A","Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111122223333:root","444455556666"]},"Action":"a:Get","Resource":"r"},
		{"Effect":"Deny","Principal":"*","Action":"a:*","Resource":"r","Condition":{"NotIpAddress":{"aws:SourceIp":["10.0.0.0/8","192.0.2.0/24"]}}}]}`
	for name, tc := range map[string]struct {
		reason, after string
		want          []string
	}{
		"Spelling": {
			reason: "What only looks different is no difference.",
			after: `{"Version":"2012-10-17","Statement":[
				{"Effect":"Deny","Principal":{"AWS":"*"},"Action":["A:*"],"Resource":"r","Condition":{"notipaddress":{"aws:sourceip":["192.0.2.0/24","10.0.0.0/8"]}}},
				{"Sid":"A","Effect":"Allow","Principal":{"AWS":["444455556666","111122223333"]},"Action":"a:get","Resource":["r"]}]}`,
		},
		"Principals": {
			reason: "Each principal is a line, spelled as in its document.",
			after: `{"Version":"2012-10-17","Statement":[
				{"Sid":"A","Effect":"Allow","Principal":{"AWS":["444455556666","arn:aws:iam::777788889999:root"],"Service":"s"},"Action":"a:Get","Resource":"r"},
				{"Effect":"Deny","Principal":"*","Action":"a:*","Resource":"r","Condition":{"NotIpAddress":{"aws:SourceIp":["10.0.0.0/8","192.0.2.0/24"]}}}]}`,
			want: []string{
				"- statement A: Principal.AWS arn:aws:iam::111122223333:root",
				"+ statement A: Principal.AWS arn:aws:iam::777788889999:root",
				"+ statement A: Principal.Service s",
			},
		},
		"Elements": {
			reason: "The statement is recognised by its Sid, or by what is left of it.",
			after: `{"Statement":[
				{"Sid":"A","Effect":"Deny","NotPrincipal":{"AWS":[]},"NotAction":"a:Get","Resource":["r","R"],"New":{"n":1}},
				{"Sid":"B","Effect":"Deny","Principal":"*","Action":"a:*","Resource":"r","Condition":{"NotIpAddress":{"aws:SourceIp":["10.0.0.0/8"]},"Bool":{"aws:X":false}}}]}`,
			want: []string{
				"~ Version 2012-10-17 becomes 2008-10-17",
				"~ statement A: Effect Allow becomes Deny",
				"- statement A: Principal.AWS arn:aws:iam::111122223333:root",
				"- statement A: Principal.AWS 444455556666",
				"+ statement A: NotPrincipal.AWS []",
				"- statement A: Action a:Get",
				"+ statement A: NotAction a:Get",
				"+ statement A: Resource R",
				`+ statement A: New {"n":1}`,
				"+ statement #2: Sid B",
				"+ statement #2: Condition.Bool.aws:X false",
				"- statement #2: Condition.NotIpAddress.aws:SourceIp 192.0.2.0/24",
			},
		},
		"Statements": {
			reason: "Statements that have nothing in common are other statements.",
			after:  `{"Version":"2012-10-17","Id":"i","New":1,"Statement":[{"Sid":"C","Effect":"Allow","Principal":{"AWS":["1","2","3","4"]},"Action":["x:1","x:2"],"NotResource":"q"}]}`,
			want: []string{
				"+ Id i",
				"+ New 1",
				"- statement A: Allow a:Get on r for arn:aws:iam::111122223333:root, 444455556666",
				"- statement #2: Deny a:* on r for * under conditions",
				"+ statement C: Allow x:1, x:2 on all but q for 4 principals",
			},
		},
		"ConditionsThatDifferInCase": {
			reason: "Two entries of one key are two conditions.",
			after: `{"Version":"2012-10-17","Statement":[
				{"Sid":"A","Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111122223333:root","444455556666"]},"Action":"a:Get","Resource":"r"},
				{"Effect":"Deny","Principal":"*","Action":"a:*","Resource":"r","Condition":{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8","AWS:SourceIp":"192.0.2.0/24"}}}]}`,
			want: []string{
				"- statement #2: Condition.NotIpAddress.aws:SourceIp 10.0.0.0/8, 192.0.2.0/24",
				"+ statement #2: Condition.NotIpAddress.AWS:SourceIp 192.0.2.0/24",
				"+ statement #2: Condition.NotIpAddress.aws:SourceIp 10.0.0.0/8",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, d := range policy.Diff(mustParse(t, base), mustParse(t, tc.after)) {
				got = append(got, d.String())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestDiffFromAndToNoPolicy(t *testing.T) {
	d := mustParse(t, `{"Version":"2012-10-17","Statement":[{"Sid":"A","Effect":"Allow","NotPrincipal":"*","NotAction":"a:b"}]}`)
	got := append(policy.Diff(nil, d), policy.Diff(d, nil)...)
	want := []policy.Difference{
		{Change: policy.Added, After: "policy with 1 statement"},
		{Change: policy.Added, Statement: "A", After: "Allow all but a:b for all but *"},
		{Change: policy.Removed, Before: "policy with 1 statement"},
		{Change: policy.Removed, Statement: "A", Before: "Allow all but a:b for all but *"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}
