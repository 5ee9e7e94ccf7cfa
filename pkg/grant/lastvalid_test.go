package grant_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

func TestCanonicalFormReadsBack(t *testing.T) {
	samePrincipal := cmp.Comparer(func(a, b grant.Principal) bool { return a == b })
	for name, changes := range map[string]grant.Attributes{
		"an account":                {"principal": "444455556666"},
		"an account of a partition": {"gateway": "*", "principal": "arn:aws-cn:iam::444455556666:root"},
		"a role of an account":      {"principal": "444455556666", "role": "team/Agent"},
		"a role by name":            {"principal": "arn:aws:iam::444455556666:role/Agent", "follow": "name"},
		"a user":                    {"principal": "arn:aws:iam::444455556666:user/Ann"},
		"a pattern":                 {"principal": "arn:aws:iam::444455556666:role/Agent*"},
		"a unit without some":       {"principal": "ou-abcd-11112222", "exclude": []any{"444455556666", "ou-abcd-33334444"}},
		"a unit itself by name":     {"principal": "ou-abcd-11112222/direct", "role": "Agent*", "follow": "name"},
		"a tag":                     {"principal": "tag:team=red=blue"},
		"conditions of every kind": {"principal": "444455556666", "conditions": map[string]any{
			"sourceVpce": []any{"vpce-0123456789abcdef0"}, "sourceVpc": []any{"vpc-fedcba98", "vpc-0123456789abcdef0"}, "sourceIp": []any{"203.0.113.0/24", "2001:db8::1"},
		}},
		"an expiry of a fraction":   {"principal": "444455556666", "expires": "2027-01-31T18:00:00.125+01:00"},
		"an expiry as a date":       {"principal": "444455556666", "expires": "2027-01-31"},
		"the last expiry there is":  {"principal": "444455556666", "expires": "9999-12-31"},
		"words for people left out": {"principal": "444455556666", "reason": "pilot", "source": "grants.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			written := grant.Parse(row(changes))
			if written.Fault != nil {
				t.Fatal(written.Fault)
			}
			want := *written.Grant
			want.Reason, want.RequestedBy, want.Source = "", "", ""
			got, expires := grant.ReadCanonical(written.Canonical())
			if diff := cmp.Diff(&want, got, samePrincipal); diff != "" || !expires.Equal(want.Expires) {
				t.Errorf("of %s: -written +read\n%s", written.Canonical(), diff)
			}
			again := written
			again.Grant = got
			if written.Canonical() != again.Canonical() {
				t.Errorf("%s became %s", written.Canonical(), again.Canonical())
			}
		})
	}
}

func TestUnknownFormKeepsExpiry(t *testing.T) {
	end := time.Date(2027, 1, 31, 18, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		text string
		want time.Time
	}{
		"an attribute of a newer version": {`{"gateway":"*","grant":"a","principal":"444455556666","regions":["eu-west-1"],"expires":"2027-01-31T18:00:00Z"}`, end},
		"an expiry of another form":       {`{"gateway":"*","grant":"a","principal":"444455556666","expires":{"at":1}}`, time.Time{}},
		"nothing":                         {"", time.Time{}},
		"no object":                       {`["a"]`, time.Time{}},
	} {
		got, expires := grant.ReadCanonical(test.text)
		if got != nil || !expires.Equal(test.want) {
			t.Errorf("%s: %+v until %s", name, got, expires)
		}
	}
}

func TestInvalidRowNamesReadablePrincipal(t *testing.T) {
	for name, test := range map[string]struct {
		changes grant.Attributes
		want    string
	}{
		"a fault elsewhere":   {grant.Attributes{"principal": "ou-abcd-11112222", "colour": "red"}, "ou-abcd-11112222"},
		"a fault in it":       {grant.Attributes{"principal": "everyone"}, ""},
		"it is not text":      {grant.Attributes{"principal": []any{"444455556666"}}, ""},
		"no principal at all": {grant.Attributes{"principal": nil}, ""},
	} {
		got := grant.Parse(row(test.changes))
		if got.Fault == nil || got.Named.String() != test.want {
			t.Errorf("%s: %q, %v", name, got.Named, got.Fault)
		}
	}
}
