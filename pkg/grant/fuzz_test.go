package grant_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// FuzzParse reads any JSON object as a row. The corpus in testdata/fuzz/FuzzParse
// has a row of every kind, and rows with one thing wrong.
func FuzzParse(f *testing.F) {
	f.Add(`{"gateway":"*","grant":"team-b","principal":"444455556666"}`)
	for _, spelled := range []string{
		`"principal":"arn:aws:iam::444455556666:root"`, `"principal":"arn:aws-cn:iam::444455556666:root"`, `"principal":"tag:a%3Db=c=d"`,
		`"principal":"arn:aws:iam::444455556666:role/a*?/B**"`, `"principal":"444455556666","aws:rep:deleting":false`,
		`"principal":"444455556666","conditions":{"sourceIp":["::ffff:198.51.100.0/120","2001:DB8:0::1/128","198.51.100.7/32"]}`,
	} {
		f.Add(`{"gateway":"arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/tools-abcdefghij","grant":"a",` + spelled + `}`)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var attributes grant.Attributes
		if json.Unmarshal([]byte(text), &attributes) != nil {
			return
		}
		row := grant.Parse(attributes)
		if (row.Grant == nil) == (row.Fault == nil) {
			t.Fatalf("grant %v and fault %v", row.Grant, row.Fault)
		}
		if again := grant.Parse(attributes); again.Revision != row.Revision || row.Revision == "" {
			t.Fatalf("revision %q, and again %q", row.Revision, again.Revision)
		}
		if row.Fault != nil {
			if row.Fault.Code == "" || row.Fault.Op == "" || row.Fault.Hint == "" {
				t.Fatalf("a fault that does not help: %+v", row.Fault)
			}
			return
		}
		if row.Gateway != attributes["gateway"] || row.ID != attributes["grant"] {
			t.Fatalf("the key is %s", row.Key)
		}
		written := grant.Parse(attributesOf(row))
		if written.Fault != nil {
			t.Fatalf("written again it is none: %v\n%v", written.Fault, attributesOf(row))
		}
		if diff := cmp.Diff(row.Grant, written.Grant, cmp.Comparer(func(a, b grant.Principal) bool { return a == b })); diff != "" {
			t.Fatalf("written again it means something else: -want +got\n%s", diff)
		}
		if last, _ := grant.ReadCanonical(row.Canonical()); last == nil || !cmp.Equal(row.Grant.Subject(), last.Subject(), cmp.Comparer(func(a, b grant.Principal) bool { return a == b })) {
			t.Fatalf("its canonical form %s reads back as %+v", row.Canonical(), last)
		}
		moment := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
		if live := row.Grant.Live(moment); live != (row.Grant.Expires.IsZero() || row.Grant.Expires.After(moment)) {
			t.Fatalf("live is %t, it expires %s", live, row.Grant.Expires)
		}
	})
}

// attributesOf writes a grant as an admin would have.
func attributesOf(row grant.Row) grant.Attributes {
	g := row.Grant
	attributes := grant.Attributes{
		grant.AttrGateway: row.Gateway, grant.AttrGrant: row.ID, grant.AttrPrincipal: g.Principal.String(),
	}
	for name, text := range map[string]string{
		grant.AttrRole: g.Role, grant.AttrReason: g.Reason, grant.AttrRequestedBy: g.RequestedBy, grant.AttrSource: g.Source,
	} {
		if text != "" {
			attributes[name] = text
		}
	}
	if !g.Expires.IsZero() {
		attributes[grant.AttrExpires] = g.Expires.Format(time.RFC3339Nano)
	}
	if g.Subject().IsExact() || g.Follow == grant.FollowName {
		attributes[grant.AttrFollow] = g.Follow.String()
	}
	conditions := map[string]any{}
	for name, values := range map[string][]string{
		"sourceVpce": g.Conditions.SourceVPCE, "sourceVpc": g.Conditions.SourceVPC, "sourceIp": g.Conditions.SourceIP,
	} {
		if len(values) > 0 {
			conditions[name] = anyList(values)
		}
	}
	if len(conditions) > 0 {
		attributes[grant.AttrConditions] = conditions
	}
	if !g.Exclude.IsZero() {
		attributes[grant.AttrExclude] = append(anyList(g.Exclude.Accounts), anyList(g.Exclude.Units)...)
	}
	return attributes
}

func anyList(texts []string) []any {
	list := []any{}
	for _, text := range texts {
		list = append(list, text)
	}
	return list
}
