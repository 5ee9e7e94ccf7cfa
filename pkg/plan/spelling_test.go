package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/plan"
)

// A policy that an earlier version wrote may hold addresses in another spelling
// than rows have them in now. It means the same and is not written for that, and
// never is the same access there twice.
func TestOldSpellingOfAddressIsTheSameAccess(t *testing.T) {
	for _, test := range []struct{ reason, canonical, old string }{
		{"case", "2001:db8::1", "2001:DB8::1"},
		{"zeros", "2001:db8::1", "2001:db8:0:0::1"},
		{"case and zeros of a range", "2001:db8::/32", "2001:0DB8:0::/32"},
		{"an IPv4 address as an IPv6 one", "198.51.100.7", "::ffff:198.51.100.7"},
		{"an IPv4 range as an IPv6 one", "198.51.100.0/24", "::ffff:198.51.100.0/120"},
		{"a range of one address", "198.51.100.7", "198.51.100.7/32"},
	} {
		t.Run(test.reason, func(t *testing.T) {
			from := func(address string) map[string]any { return map[string]any{"sourceIp": []any{address}} }
			w := world(t, rowOf("b", "444455556666", "conditions", from(test.canonical)))
			written := mustMake(t, w)
			w.Gateway.Policy = parse(t, strings.Replace(written.Want.String(), `"`+test.canonical+`"`, `"`+test.old+`"`, 1))
			for reason, sid := range map[string]string{"under the Sid of today": "", "under the Sid of then": legacySid(test.old)} {
				observed := w
				if sid != "" {
					observed.Gateway.Policy = parse(t, strings.Replace(w.Gateway.Policy.String(), written.Want.Statements[0].Sid, sid, 1))
				}
				p := mustMake(t, observed)
				if p.Write || p.Drift || p.Hash != written.Hash {
					t.Errorf("%s: written again: %v", reason, p.Want)
				}
				observed.Rows = append(observed.Rows, rowOf("role", "arn:aws:iam::444455556666:role/Agent", "conditions", from(test.canonical)))
				p = mustMake(t, observed)
				if got := verbs(p); !p.Write || got[plan.Keep] != 1 || got[plan.Add] != 1 || len(got) != 2 {
					t.Errorf("%s: with one more: %v", reason, p.Changes)
				}
				if n := len(p.Want.Statements); n != 1 {
					t.Errorf("%s: %d statements", reason, n)
				}
				observed.Rows = nil
				if p = mustMake(t, observed); p.Want != nil || !p.Revokes() {
					t.Errorf("%s: revoked, and there remains %v", reason, p.Want)
				}
			}
		})
	}
}

// legacySid is how a version that kept the spelling of rows named the statement.
func legacySid(address string) string {
	return plan.SidOf("main", plan.NarrowedTo(address))
}

func TestTwoSpellingsThatStandBecomeOne(t *testing.T) {
	w := world(t, rowOf("b", "444455556666", "conditions", map[string]any{"sourceIp": []any{"2001:db8::1"}}))
	one := mustMake(t, w).Want.Statements[0].String()
	other := strings.NewReplacer("2001:db8::1", "2001:DB8::1", "GatewayGrantsmainX", "GatewayGrantsmainXf").Replace(one)
	w.Gateway.Policy = parse(t, fmt.Sprintf(`{"Version":"2012-10-17","Statement":[%s,%s]}`, one, other))
	p := mustMake(t, w)
	if got := verbs(p); got[plan.Keep] != 1 || len(got) != 1 || len(p.Want.Statements) != 1 {
		t.Errorf("%v\n%v", p.Changes, p.Want)
	}
}
