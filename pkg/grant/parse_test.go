package grant_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

const gatewayARN = "arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/cross-account-test-abcde12345"

// row is a valid row with attributes added or, where the value is nil, removed.
func row(changes grant.Attributes) grant.Attributes {
	attributes := grant.Attributes{"gateway": gatewayARN, "grant": "account-b", "principal": "444455556666"}
	maps.Copy(attributes, changes)
	for name, value := range attributes {
		if value == nil {
			delete(attributes, name)
		}
	}
	return attributes
}

func TestValidRow(t *testing.T) {
	parsed := grant.Parse(row(grant.Attributes{
		"principal":   "ou-abcd-11112222",
		"role":        "team/Agent*",
		"expires":     "2027-01-31",
		"exclude":     []any{"777788889999", "ou-abcd-33334444", "777788889999"},
		"conditions":  map[string]any{"sourceVpce": []any{"vpce-0123456789abcdef0"}, "sourceIp": []any{"203.0.113.0/24", "198.51.100.7"}},
		"reason":      "pilot",
		"requestedBy": "arn:aws:iam::111122223333:user/alice",
		"source":      "grants.yaml",
	}))
	if parsed.Fault != nil {
		t.Fatal(parsed.Fault)
	}
	got := parsed.Grant
	want := grant.Grant{
		Principal:   principal(t, "ou-abcd-11112222"),
		Role:        "team/Agent*",
		Follow:      grant.FollowName,
		Expires:     time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC),
		Exclude:     grant.Exclusion{Accounts: []string{"777788889999"}, Units: []string{"ou-abcd-33334444"}},
		Conditions:  grant.Conditions{SourceVPCE: []string{"vpce-0123456789abcdef0"}, SourceIP: []string{"198.51.100.7", "203.0.113.0/24"}},
		Reason:      "pilot",
		RequestedBy: "arn:aws:iam::111122223333:user/alice",
		Source:      "grants.yaml",
	}
	if diff := cmp.Diff(want, *got, cmp.Comparer(func(a, b grant.Principal) bool { return a == b })); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func principal(t *testing.T, text string) grant.Principal {
	t.Helper()
	p, err := grant.ParsePrincipal(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestInvalidRowHasReason(t *testing.T) {
	for name, test := range map[string]struct {
		reason string
		change grant.Attributes
		want   grant.Code
		hint   string
	}{
		"misspelt conditions":    {"a misspelt condition must not widen access", grant.Attributes{"condition": map[string]any{}}, grant.CodeUnknownAttribute, "conditions"},
		"unknown attribute":      {"nothing is silently ignored", grant.Attributes{"Principal": "444455556666"}, grant.CodeUnknownAttribute, "principal"},
		"a newer form":           {"what a newer version wrote may mean anything", grant.Attributes{"form": "2", "members": "team"}, grant.CodeNewerVersion, "deploy that version"},
		"a newer form, a number": {"in a table it may be either", grant.Attributes{"form": json.Number("2")}, grant.CodeNewerVersion, "form 2"},
		"no form":                {"an admin may have written it", grant.Attributes{"form": "new"}, grant.CodeWrongType, "leave it out"},
		"not a gateway":          {"a wrong ARN reconciles nothing", grant.Attributes{"gateway": "arn:aws:s3:::bucket"}, grant.CodeInvalidGateway, "gateway/ID"},
		"gateway of no account":  {"the owner comes from the ARN", grant.Attributes{"gateway": "arn:aws:bedrock-agentcore:us-east-1::gateway/x"}, grant.CodeInvalidGateway, "ACCOUNT"},
		"reserved id":            {"ids with # are the product's own", grant.Attributes{"grant": "#meta"}, grant.CodeInvalidID, "#"},
		"id too long":            {"ids end up in keys", grant.Attributes{"grant": strings.Repeat("x", 257)}, grant.CodeInvalidID, "256"},
		"number for principal":   {"a number drops the account's leading zeros", grant.Attributes{"principal": 444455556666.0}, grant.CodeWrongType, "string"},
		"no principal":           {"a grant without a principal is a mistake", grant.Attributes{"principal": nil}, grant.CodeNoPrincipal, "account"},
		"empty principal":        {"the same", grant.Attributes{"principal": ""}, grant.CodeNoPrincipal, "account"},
		"everyone":               {"a gateway is never opened to everyone", grant.Attributes{"principal": "*"}, grant.CodeInvalidPrincipal, "everyone"},
		"any account's role":     {"the account is what makes a pattern safe", grant.Attributes{"principal": "arn:aws:iam::*:role/Agent"}, grant.CodeInvalidPrincipal, "12 digits"},
		"a session":              {"the role behind it is meant", grant.Attributes{"principal": "arn:aws:sts::444455556666:assumed-role/AgentRole/session"}, grant.CodeSessionPrincipal, "arn:aws:iam::444455556666:role/AgentRole"},
		"a unique id":            {"a reader cannot see later what it named", grant.Attributes{"principal": "AROAEXAMPLE"}, grant.CodeInvalidPrincipal, "ARN"},
		"a group":                {"IAM cannot let groups in", grant.Attributes{"principal": "arn:aws:iam::444455556666:group/g"}, grant.CodeInvalidPrincipal, "role"},
		"a policy variable":      {"it would be expanded in a condition", grant.Attributes{"principal": "arn:aws:iam::444455556666:role/${aws:username}/x"}, grant.CodeInvalidPrincipal, "role"},
		"a user pattern":         {"only roles have patterns", grant.Attributes{"principal": "arn:aws:iam::444455556666:user/a*"}, grant.CodeInvalidPrincipal, "exactly"},
		"eleven digits":          {"a lost zero is another account", grant.Attributes{"principal": "44445555666"}, grant.CodeInvalidPrincipal, "this has 11; where a number was made of it a zero in front is lost: check whether 044445555666"},
		"ten digits":             {"two zeros can be lost", grant.Attributes{"principal": "4444555566"}, grant.CodeInvalidPrincipal, "004444555566"},
		"thirteen digits":        {"no zero was lost", grant.Attributes{"principal": "4444555566667"}, grant.CodeInvalidPrincipal, "this has 13"},
		"the root":               {"a root is every account, which the organization's id says", grant.Attributes{"principal": "r-ab12"}, grant.CodeInvalidPrincipal, "the organization's id, o-…"},
		"the root by name":       {"people look for it by name", grant.Attributes{"principal": "Root"}, grant.CodeInvalidPrincipal, "the organization's id, o-…"},
		"an OU by name":          {"names are not unique", grant.Attributes{"principal": "Workloads/Production"}, grant.CodeInvalidPrincipal, "list-organizational-units-for-parent"},
		"an account by name":     {"names are not unique", grant.Attributes{"principal": "sandbox"}, grant.CodeInvalidPrincipal, "not unique"},
		"role of China":          {"no call crosses partitions", grant.Attributes{"principal": "arn:aws-cn:iam::444455556666:role/A"}, grant.CodeOtherPartition, "partition aws-cn and the gateway in aws,"},
		"root of GovCloud":       {"no call crosses partitions", grant.Attributes{"principal": "arn:aws-us-gov:iam::444455556666:root"}, grant.CodeOtherPartition, "arn:aws"},
		"root from GovCloud":     {"no call crosses partitions", grant.Attributes{"gateway": strings.Replace(gatewayARN, "arn:aws:", "arn:aws-us-gov:", 1), "principal": "arn:aws:iam::444455556666:root"}, grant.CodeOtherPartition, "arn:aws-us-gov"},
		"a permission set":       {"the role's path is not in the session's ARN", grant.Attributes{"principal": "arn:aws:sts::444455556666:assumed-role/AWSReservedSSO_AdministratorAccess_0123456789abcdef/alice@example.com"}, grant.CodeSessionPrincipal, "arn:aws:iam::444455556666:role/aws-reserved/sso.amazonaws.com/*AWSReservedSSO_AdministratorAccess_0123456789abcdef"},
		"a tag without escape":   {"only the = of a key is escaped", grant.Attributes{"principal": "tag:a%20b=c"}, grant.CodeInvalidPrincipal, "%3D"},
		"a small escape":         {"one spelling for one tag", grant.Attributes{"principal": "tag:a%3db=c"}, grant.CodeInvalidPrincipal, "%3D"},
		"a long tag key":         {"AWS has none", grant.Attributes{"principal": "tag:" + strings.Repeat("ß", 129) + "=a"}, grant.CodeInvalidPrincipal, "at most 128 characters"},
		"a long tag value":       {"AWS has none", grant.Attributes{"principal": "tag:a=" + strings.Repeat("ß", 257)}, grant.CodeInvalidPrincipal, "at most 256"},
		"half an OU":             {"no OU is called so", grant.Attributes{"principal": "ou-abcd"}, grant.CodeInvalidPrincipal, "ou-abcd-11112222"},
		"a tag without value":    {"Key= is a tag, Key is not", grant.Attributes{"principal": "tag:team"}, grant.CodeInvalidPrincipal, "tag:Key=Value"},
		"role of a role":         {"the principal already names one", grant.Attributes{"principal": "arn:aws:iam::444455556666:role/A", "role": "B"}, grant.CodeInvalidRole, "already"},
		"role with slash":        {"names have no leading slash", grant.Attributes{"role": "/AgentRole"}, grant.CodeInvalidRole, "leading"},
		"empty role":             {"it would mean every role", grant.Attributes{"role": ""}, grant.CodeInvalidRole, "AgentRole"},
		"follow a pattern":       {"a pattern has no identity", grant.Attributes{"role": "Agent*", "follow": "identity"}, grant.CodeInvalidFollow, "by name"},
		"follow by hope":         {"there are two ways", grant.Attributes{"follow": "hope"}, grant.CodeInvalidFollow, "identity or name"},
		"expires tomorrow":       {"no one's clock is asked", grant.Attributes{"expires": "tomorrow"}, grant.CodeInvalidExpiry, "2027-01-31"},
		"expires never":          {"empty text is no expiry and no date", grant.Attributes{"expires": ""}, grant.CodeInvalidExpiry, "2027-01-31"},
		"expires without zone":   {"the zone of midnight must be given", grant.Attributes{"expires": "2027-01-31T18:00:00"}, grant.CodeInvalidExpiry, "Z"},
		"expires in year 1":      {"it must not be taken for never", grant.Attributes{"expires": "0001-01-01T00:00:00Z"}, grant.CodeInvalidExpiry, "2027-01-31"},
		"the day before year 1":  {"its end must not be taken for never", grant.Attributes{"expires": "0000-12-31"}, grant.CodeInvalidExpiry, "2027-01-31"},
		"30 February":            {"there is no such day", grant.Attributes{"expires": "2027-02-30"}, grant.CodeInvalidExpiry, "2027-01-31"},
		"exclude from account":   {"an account has no parts", grant.Attributes{"exclude": []any{"777788889999"}}, grant.CodeInvalidExclude, "OU"},
		"exclude a name":         {"names are not unique", grant.Attributes{"principal": "o-exampleorgid", "exclude": []any{"sandbox"}}, grant.CodeInvalidExclude, "account ids"},
		"exclude the root":       {"it would leave no account", grant.Attributes{"principal": "o-exampleorgid", "exclude": []any{"r-ab12"}}, grant.CodeInvalidExclude, "delete the row"},
		"exclude few digits":     {"a lost zero is another account", grant.Attributes{"principal": "o-exampleorgid", "exclude": []any{"77778888999"}}, grant.CodeInvalidExclude, "077778888999"},
		"exclude text":           {"a list is expected", grant.Attributes{"principal": "o-exampleorgid", "exclude": "777788889999"}, grant.CodeInvalidExclude, "list"},
		"empty conditions":       {"the admin meant some", grant.Attributes{"conditions": map[string]any{}}, grant.CodeInvalidCondition, "leave it out"},
		"unknown condition":      {"it would not narrow anything", grant.Attributes{"conditions": map[string]any{"sourceVPC": []any{"vpc-0123456789abcdef0"}}}, grant.CodeInvalidCondition, "sourceVpc"},
		"condition of nothing":   {"an empty list would admit no caller or all", grant.Attributes{"conditions": map[string]any{"sourceIp": []any{}}}, grant.CodeInvalidCondition, "one or more"},
		"every address":          {"it narrows nothing", grant.Attributes{"conditions": map[string]any{"sourceIp": []any{"0.0.0.0/0"}}}, grant.CodeInvalidCondition, "203.0.113.0/24"},
		"host bits":              {"AWS would read another range", grant.Attributes{"conditions": map[string]any{"sourceIp": []any{"203.0.113.7/24"}}}, grant.CodeInvalidCondition, "203.0.113.0/24"},
		"mapped host bits":       {"the same, of a mapped range", grant.Attributes{"conditions": map[string]any{"sourceIp": []any{"::ffff:203.0.113.7/120"}}}, grant.CodeInvalidCondition, "the range is 203.0.113.0/24"},
		"every mapped address":   {"it narrows nothing", grant.Attributes{"conditions": map[string]any{"sourceIp": []any{"::ffff:0:0/96"}}}, grant.CodeInvalidCondition, "narrows nothing"},
		"more than all mapped":   {"whether it holds IPv4 addresses is not documented", grant.Attributes{"conditions": map[string]any{"sourceIp": []any{"::/64"}}}, grant.CodeInvalidCondition, "97 to 128"},
		"half of a mapped one":   {"the same", grant.Attributes{"conditions": map[string]any{"sourceIp": []any{"::fffe:0:0/95"}}}, grant.CodeInvalidCondition, "97 to 128"},
		"an address of one host": {"a zone means nothing elsewhere", grant.Attributes{"conditions": map[string]any{"sourceIp": []any{"fe80::1%eth0"}}}, grant.CodeInvalidCondition, "zone"},
		"no vpce":                {"a VPC is no endpoint", grant.Attributes{"conditions": map[string]any{"sourceVpce": []any{"vpc-0123456789abcdef0"}}}, grant.CodeInvalidCondition, "vpce-"},
	} {
		t.Run(name, func(t *testing.T) {
			parsed := grant.Parse(row(test.change))
			if parsed.Grant != nil || parsed.Fault == nil {
				t.Fatalf("%s: accepted", test.reason)
			}
			if parsed.Fault.Code != test.want {
				t.Errorf("%s: code %s, want %s", test.reason, parsed.Fault.Code, test.want)
			}
			if !strings.Contains(parsed.Fault.Hint, test.hint) {
				t.Errorf("%s: hint %q does not say %q", test.reason, parsed.Fault.Hint, test.hint)
			}
			if strings.Contains(parsed.Fault.Error(), "\n") {
				t.Errorf("the fault is more than one line: %q", parsed.Fault.Error())
			}
		})
	}
}

func TestPrincipalReadsBack(t *testing.T) {
	for text, kind := range map[string]grant.Kind{
		"444455556666":                                    grant.KindAccount,
		"arn:aws:iam::444455556666:root":                  grant.KindAccount,
		"arn:aws-cn:iam::444455556666:root":               grant.KindAccount,
		"arn:aws:iam::444455556666:role/AgentRole":        grant.KindRole,
		"arn:aws:iam::444455556666:role/team/a/AgentRole": grant.KindRole,
		"arn:aws:iam::444455556666:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Dev_0123456789abcdef": grant.KindRole,
		"arn:aws:iam::444455556666:role/Agent*": grant.KindRolePattern,
		"arn:aws:iam::444455556666:user/alice":  grant.KindUser,
		"ou-abcd-11112222":                      grant.KindUnit,
		"ou-abcd-11112222/direct":               grant.KindUnitDirect,
		"o-exampleorgid":                        grant.KindOrganization,
		"tag:team=agents":                       grant.KindTag,
		"tag:team=":                             grant.KindTag,
		"tag:a=b=c":                             grant.KindTag,
		"tag:a%3Db=c":                           grant.KindTag,
		"tag:" + strings.Repeat("ß", 128) + "=" + strings.Repeat("ä", 256): grant.KindTag,
	} {
		t.Run(text, func(t *testing.T) {
			parsed := principal(t, text)
			if parsed.Kind() != kind {
				t.Errorf("kind %d, want %d", parsed.Kind(), kind)
			}
			if again := principal(t, parsed.String()); again != parsed {
				t.Errorf("%v reads back as %v", parsed, again)
			}
		})
	}
}

func TestAccountWithRoleNamesTheRole(t *testing.T) {
	for role, want := range map[string]struct {
		kind   grant.Kind
		follow grant.Follow
	}{
		"AgentRole":   {grant.KindRole, grant.FollowIdentity},
		"team/Agent*": {grant.KindRolePattern, grant.FollowName},
	} {
		parsed := grant.Parse(row(grant.Attributes{"role": role}))
		if parsed.Fault != nil {
			t.Fatal(parsed.Fault)
		}
		subject := parsed.Grant.Subject()
		if subject.Kind() != want.kind || parsed.Grant.Follow != want.follow {
			t.Errorf("%s: kind %d followed by %s", role, subject.Kind(), parsed.Grant.Follow)
		}
		if arn := subject.ARN("aws-cn"); arn != "arn:aws-cn:iam::444455556666:role/"+role {
			t.Errorf("%s: %s", role, arn)
		}
	}
}

func TestDateExpiresAtEndOfDay(t *testing.T) {
	parsed := grant.Parse(row(grant.Attributes{"expires": "2027-01-31"}))
	last := time.Date(2027, 1, 31, 23, 59, 59, 999, time.UTC)
	if !parsed.Grant.Live(last) {
		t.Error("it ended before its day did")
	}
	if parsed.Grant.Live(last.Add(time.Second)) {
		t.Error("it outlived its day")
	}
}

func TestLatestExpiry(t *testing.T) {
	last := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	for _, text := range []string{"9999-12-31", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.5Z", "9999-12-31T23:59:59-01:00"} {
		if got := grant.Parse(row(grant.Attributes{"expires": text})); got.Fault != nil || !got.Grant.Expires.Equal(last) {
			t.Errorf("%s: %+v", text, got)
		}
	}
}

func TestRevisionFollowsEveryEdit(t *testing.T) {
	seen := map[string]string{}
	for name, change := range map[string]grant.Attributes{
		"as it was":  {},
		"a reason":   {"reason": "pilot"},
		"an expiry":  {"expires": "2027-01-31"},
		"a fault":    {"expires": "soon"},
		"wrong type": {"reason": 7.0},
		"a NaN-like": {"reason": func() {}},
	} {
		revision := grant.Parse(row(change)).Revision
		if other, taken := seen[revision]; taken {
			t.Errorf("%s and %s have the same revision", name, other)
		}
		if again := grant.Parse(row(change)).Revision; again != revision && name != "a NaN-like" {
			t.Errorf("%s: the revision is not stable", name)
		}
		seen[revision] = name
	}
}

func TestErrorEndsInHint(t *testing.T) {
	_, err := grant.ParseGateway("nonsense")
	wrapped := fmt.Errorf("reconcile: %w", err)
	if grant.CodeOf(wrapped) != grant.CodeInvalidGateway {
		t.Errorf("code %q", grant.CodeOf(wrapped))
	}
	if !strings.HasSuffix(wrapped.Error(), "or * for every managed gateway") {
		t.Error(wrapped)
	}
}

func FuzzParsePrincipal(f *testing.F) {
	for _, seed := range []string{"444455556666", "arn:aws:iam::444455556666:role/A*", "ou-abcd-11112222/direct", "tag:a=b", "o-exampleorgid", "*"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := grant.ParsePrincipal(text)
		if err != nil {
			if grant.CodeOf(err) == "" || parsed != (grant.Principal{}) {
				t.Fatalf("%q: %v with %v", text, err, parsed)
			}
			return
		}
		if again, err := grant.ParsePrincipal(parsed.String()); err != nil || again != parsed {
			t.Fatalf("%q reads as %v, which reads as %v, %v", text, parsed, again, err)
		}
		if account := parsed.Account(); !parsed.IsSelector() && (len(account) != 12 || strings.ContainsAny(account, "*?")) {
			t.Fatalf("%q names the account %q", text, account)
		}
	})
}
