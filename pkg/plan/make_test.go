package plan_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

const (
	gatewayARN = "arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/cross-account-test-abcde12345"
	accountB   = "arn:aws:iam::444455556666:root"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// rowOf is a row for the gateway, by attributes in pairs.
func rowOf(id, principal string, pairs ...any) grant.Row {
	attributes := grant.Attributes{"gateway": gatewayARN, "grant": id, "principal": principal}
	for i := 0; i < len(pairs); i += 2 {
		attributes[pairs[i].(string)] = pairs[i+1]
	}
	return grant.Parse(attributes)
}

// world has a managed gateway that is ready, and the rows given.
func world(t *testing.T, rows ...grant.Row) plan.World {
	t.Helper()
	gateway, err := grant.ParseGateway(gatewayARN)
	if err != nil {
		t.Fatal(err)
	}
	return plan.World{
		Gateway: plan.Observed{Gateway: gateway, Exists: true, Authorizer: "AWS_IAM", Status: "READY", Managed: true},
		Rows:    rows,
		Now:     now,
	}
}

func mustMake(t *testing.T, w plan.World) plan.Plan {
	t.Helper()
	p, err := plan.Make(w, plan.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func parse(t *testing.T, text string) *policy.Document {
	t.Helper()
	document, err := policy.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// key is the key of a row made by rowOf.
func key(id string) grant.Key { return grant.Key{Gateway: gatewayARN, ID: id} }

// members is a directory of active accounts under one unit each.
func members(t *testing.T, selectors []string, units map[string]string) directory.Snapshot {
	t.Helper()
	var parsed []grant.Principal
	for _, text := range selectors {
		p, err := grant.ParsePrincipal(text)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, p)
	}
	var accounts []directory.Account
	for id, unit := range units {
		accounts = append(accounts, directory.Account{ID: id, State: directory.StateActive, Organization: "o-exampleorgid", Path: strings.Fields(unit)})
	}
	return directory.Complete(parsed, accounts)
}

func TestCompileOneGrant(t *testing.T) {
	p := mustMake(t, world(t, rowOf("account-b", "444455556666")))
	want := `{"Version":"2012-10-17","Statement":[{"Sid":"GatewayGrantsmainX` + p.Want.Statements[0].Sid[len("GatewayGrantsmainX"):] +
		`","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:root"},"Action":"bedrock-agentcore:InvokeGateway","Resource":"` + gatewayARN + `"}]}`
	if got := p.Want.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !p.Write || p.Size.Bytes != len(want) || p.Size.Statements != 1 {
		t.Errorf("write %t, size %+v of %d bytes", p.Write, p.Size, len(want))
	}
	if got := p.Status[key("account-b")]; got.Phase != grant.PhaseAdmitted || !slices.Equal(got.Admitted, []string{accountB}) {
		t.Errorf("status %+v", got)
	}
}

func TestAppliedPolicyIsNotWritten(t *testing.T) {
	w := world(t,
		rowOf("account-b", "444455556666"),
		rowOf("role", "arn:aws:iam::777788889999:role/team/Agent"),
		rowOf("by-name", "arn:aws:iam::777788889999:role/Later", "follow", "name"),
		rowOf("pattern", "777788889999", "role", "Agent*", "conditions", map[string]any{"sourceIp": []any{"203.0.113.0/24"}}),
		rowOf("until", "888899990000", "expires", "2026-12-01"),
	)
	w.Gateway.Policy = mustMake(t, w).Want
	for name, text := range map[string]string{
		"as written":      w.Gateway.Policy.String(),
		"accounts as ids": strings.ReplaceAll(w.Gateway.Policy.String(), accountB, "444455556666"),
		"in other case":   strings.ReplaceAll(w.Gateway.Policy.String(), "aws:SourceIp", "AWS:sourceip"),
	} {
		w.Gateway.Policy = parse(t, text)
		p := mustMake(t, w)
		if p.Write || p.Drift {
			t.Errorf("%s: it would be written again:\n%s\n%s", name, w.Gateway.Policy, p.Want)
		}
		for _, c := range p.Changes {
			if c.Verb != plan.Keep {
				t.Errorf("%s: %+v", name, c)
			}
		}
	}
}

func TestEmptyPolicyIsDeleted(t *testing.T) {
	w := world(t, rowOf("account-b", "444455556666"))
	w.Gateway.Policy = mustMake(t, w).Want
	w.Rows = nil
	if p := mustMake(t, w); p.Want != nil || !p.Write {
		t.Errorf("want %v, write %t", p.Want, p.Write)
	}
	w.Gateway.Policy = nil
	if p := mustMake(t, w); p.Write {
		t.Error("no policy would be deleted once more")
	}
}

const foreignStatement = `{ "Sid":"DenyAllExceptVPC","Effect":"Deny","Principal":"*","Action":"bedrock-agentcore:InvokeGateway","Resource":"` + gatewayARN + `","Condition":{"StringNotEquals":{"aws:SourceVpc":["vpc-0123456789abcdef0"]}}}`

func TestForeignStatementsKeepTheirBytes(t *testing.T) {
	w := world(t, rowOf("account-b", "444455556666"))
	w.Gateway.Policy = parse(t, `{"Version":"2012-10-17","Id":"theirs","Statement":`+foreignStatement+`}`)
	p := mustMake(t, w)
	if len(p.Want.Statements) != 2 || p.Want.Statements[0].String() != w.Gateway.Policy.Statements[0].String() || p.Want.ID != "theirs" {
		t.Fatalf("want %s", p.Want)
	}
	w.Gateway.Policy, w.Rows = p.Want, nil
	p = mustMake(t, w)
	if p.Want == nil || p.Want.String() != `{"Version":"2012-10-17","Id":"theirs","Statement":[`+strings.Replace(foreignStatement, "{ ", "{", 1)+`]}` {
		t.Errorf("after the revocation: %s", p.Want)
	}
}

func TestStatementsOfSiblingAreForeign(t *testing.T) {
	limits := plan.DefaultLimits()
	limits.Installation = "mainx"
	w := world(t, rowOf("account-b", "444455556666"))
	other, err := plan.Make(w, limits)
	if err != nil {
		t.Fatal(err)
	}
	w.Gateway.Policy, w.Rows = other.Want, nil
	if p := mustMake(t, w); p.Write {
		t.Errorf("the other installation's statement would go: %s", p.Want)
	}
}

func TestEachKindOfGrant(t *testing.T) {
	units := map[string]string{"444455556666": "ou-abcd-11112222", "777788889999": "ou-abcd-11112222 ou-abcd-33334444", "888899990000": "ou-abcd-55556666"}
	for name, test := range map[string]struct {
		reason string
		row    grant.Row
		want   []string // who, each with under
	}{
		"account":                {"the whole account", rowOf("g", "444455556666"), []string{"arn:aws:iam::444455556666:root"}},
		"role by identity":       {"IAM pins its unique id", rowOf("g", "444455556666", "role", "Agent"), []string{"arn:aws:iam::444455556666:role/Agent"}},
		"role by name":           {"it may not exist yet", rowOf("g", "444455556666", "role", "Agent", "follow", "name"), []string{"arn:aws:iam::444455556666:role/Agent by name"}},
		"pattern":                {"patterns go by name", rowOf("g", "arn:aws:iam::444455556666:role/Agent*"), []string{"arn:aws:iam::444455556666:role/Agent* by name"}},
		"unit and below":         {"nested accounts are included", rowOf("g", "ou-abcd-11112222"), []string{"arn:aws:iam::444455556666:root", "arn:aws:iam::777788889999:root"}},
		"unit itself":            {"only the direct children", rowOf("g", "ou-abcd-11112222/direct"), []string{"arn:aws:iam::444455556666:root"}},
		"organization":           {"everyone in it", rowOf("g", "o-exampleorgid"), []string{"arn:aws:iam::444455556666:root", "arn:aws:iam::777788889999:root", "arn:aws:iam::888899990000:root"}},
		"but one account":        {"exclusions are left out", rowOf("g", "o-exampleorgid", "exclude", []any{"444455556666"}), []string{"arn:aws:iam::777788889999:root", "arn:aws:iam::888899990000:root"}},
		"but one unit":           {"with all below it", rowOf("g", "o-exampleorgid", "exclude", []any{"ou-abcd-11112222"}), []string{"arn:aws:iam::888899990000:root"}},
		"a role of a unit":       {"by name, in each account", rowOf("g", "ou-abcd-11112222", "role", "Agent"), []string{"arn:aws:iam::444455556666:role/Agent by name", "arn:aws:iam::777788889999:role/Agent by name"}},
		"from an endpoint":       {"conditions narrow", rowOf("g", "444455556666", "conditions", map[string]any{"sourceVpce": []any{"vpce-0123456789abcdef0"}}), []string{"arn:aws:iam::444455556666:root through vpce-0123456789abcdef0"}},
		"expired":                {"nothing any more", rowOf("g", "444455556666", "expires", "2026-11-22"), nil},
		"not a member":           {"only the organization's own", rowOf("g", "999900001111"), nil},
		"an invalid row":         {"no grant", rowOf("g", "everyone"), nil},
		"another partition":      {"IAM does not cross", rowOf("g", "arn:aws-cn:iam::444455556666:root"), nil},
		"no account has the tag": {"no account", rowOf("g", "tag:team=agents"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := world(t, test.row)
			w.Accounts = members(t, []string{"ou-abcd-11112222", "ou-abcd-11112222/direct", "o-exampleorgid", "tag:team=agents"}, units)
			p := mustMake(t, w)
			var got []string
			for _, c := range p.Changes {
				if c.Verb == plan.Add {
					got = append(got, strings.TrimSpace(c.Principal+" "+c.Under))
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s: -want +got\n%s", test.reason, diff)
			}
			if status := p.Status[key("g")]; (status.Phase == grant.PhaseAdmitted) != (len(test.want) > 0) {
				t.Errorf("%s: status %+v", test.reason, status)
			}
			if (p.Want != nil) != (len(test.want) > 0) {
				t.Errorf("%s: want %s", test.reason, p.Want)
			}
		})
	}
}

func TestGrantsOverlapAndNeverRevokeEachOther(t *testing.T) {
	w := world(t, rowOf("forever", "444455556666"), rowOf("today", "444455556666", "expires", "2026-11-23"))
	both := mustMake(t, w)
	w.Gateway.Policy, w.Now = both.Want, now.AddDate(0, 0, 1)
	after := mustMake(t, w)
	if after.Write {
		t.Errorf("the expired grant took the other's access with it: %v", after.Changes)
	}
	if got := after.Status[key("today")].Phase; got != grant.PhaseExpired {
		t.Errorf("the expired grant is %s", got)
	}
}

func TestUnmanageableGatewayIsNotWritten(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*plan.Observed)
		limits func(*plan.Limits)
		want   grant.Code
	}{
		"gone":            {func(o *plan.Observed) { o.Exists = false }, nil, grant.CodeGatewayGone},
		"untagged":        {func(o *plan.Observed) { o.Managed = false }, nil, grant.CodeNotManaged},
		"JWT":             {func(o *plan.Observed) { o.Authorizer = "CUSTOM_JWT" }, nil, grant.CodeWrongAuthorizer},
		"being created":   {func(o *plan.Observed) { o.Status = "CREATING" }, nil, grant.CodeGatewayNotReady},
		"another's":       {nil, func(l *plan.Limits) { l.Owners = []string{"999900001111"} }, grant.CodeNotListed},
		"of other region": {nil, func(l *plan.Limits) { l.Regions = []string{"eu-west-1"} }, grant.CodeNotListed},
	} {
		t.Run(name, func(t *testing.T) {
			w := world(t, rowOf("account-b", "444455556666"))
			limits := plan.DefaultLimits()
			if test.change != nil {
				test.change(&w.Gateway)
			}
			if test.limits != nil {
				test.limits(&limits)
			}
			p, err := plan.Make(w, limits)
			if err != nil {
				t.Fatal(err)
			}
			if p.Write || p.Blocked == nil || p.Blocked.Code != test.want || p.Status[key("account-b")].Reason != test.want {
				t.Errorf("write %t, blocked %v, status %+v", p.Write, p.Blocked, p.Status)
			}
		})
	}
}

func TestGrantWithLatestExpiryIsApplied(t *testing.T) {
	w := world(t, rowOf("forever", "444455556666", "expires", "9999-12-31"))
	p := mustMake(t, w)
	if got := p.Status[key("forever")]; got.Phase != grant.PhaseAdmitted {
		t.Errorf("%+v", got)
	}
	if _, err := time.Parse(time.RFC3339, p.Due.Format(time.RFC3339)); err != nil {
		t.Errorf("due at a time that cannot be read: %v", err)
	}
}

func TestUnreadableDirectoryRemovesNoAccess(t *testing.T) {
	w := world(t, rowOf("unit", "ou-abcd-11112222"), rowOf("explicit", "888899990000"))
	w.Accounts = members(t, []string{"ou-abcd-11112222"}, map[string]string{"444455556666": "ou-abcd-11112222", "888899990000": ""})
	before := mustMake(t, w)
	w.Gateway.Policy, w.Gateway.Recorded.Gateway.WriteAhead = before.Want, before.WriteAhead

	for name, accounts := range map[string]directory.Snapshot{"unreadable": directory.Failed(), "lost": {}} {
		w.Accounts = accounts
		w.Rows = []grant.Row{rowOf("unit", "ou-abcd-11112222")}
		p := mustMake(t, w)
		if got := p.Want.Statements[0].Principal.AWS; !slices.Equal(got, []string{accountB}) {
			t.Errorf("%s: %v stay, although only the explicit grant was revoked", name, got)
		}
	}

	w.Accounts = directory.Failed()
	w.Rows = append(w.Rows, rowOf("new-unit", "ou-abcd-33334444"), rowOf("new", "999900001111"))
	p := mustMake(t, w)
	for _, id := range []string{"new-unit", "new"} {
		if got := p.Status[key(id)]; got.Phase != grant.PhaseLeftOut || got.Reason != grant.CodeDirectoryFailed {
			t.Errorf("%s: %+v", id, got)
		}
	}
}

func TestWithoutDirectorySelectorsMatchNone(t *testing.T) {
	p := mustMake(t, world(t, rowOf("unit", "ou-abcd-11112222"), rowOf("explicit", "888899990000")))
	if got := p.Status[key("unit")].Reason; got != grant.CodeNoDirectory {
		t.Errorf("the selector is %s", got)
	}
	if got := p.Status[key("explicit")].Phase; got != grant.PhaseAdmitted {
		t.Errorf("the account is %s", got)
	}
}

func TestOutsideAccountMustBeTrusted(t *testing.T) {
	w := world(t, rowOf("outside", "999900001111"), rowOf("owner", "111122223333", "role", "Own"))
	w.Accounts = members(t, nil, nil)
	if got := mustMake(t, w).Status[key("outside")].Reason; got != grant.CodeOutsideOrg {
		t.Errorf("it is %s", got)
	}
	limits := plan.DefaultLimits()
	limits.Trusted = []string{"999900001111"}
	p, err := plan.Make(w, limits)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"outside", "owner"} {
		if got := p.Status[key(id)].Phase; got != grant.PhaseAdmitted {
			t.Errorf("%s is %s", id, got)
		}
	}
}

func TestTrustedListLetsAccountIn(t *testing.T) {
	w := world(t, rowOf("outside", "999900001111"))
	selectors, none := []grant.Principal(nil), []directory.Account(nil)
	for name, test := range map[string]struct {
		reason   string
		accounts directory.Snapshot
		admitted bool // by the policy in force
		want     grant.Code
	}{
		"listed":                 {"an admin trusts it", directory.Complete(selectors, none, "999900001111"), false, ""},
		"not listed":             {"it is not trusted", directory.Complete(selectors, none, "888899990000"), true, grant.CodeOutsideOrg},
		"unread and new":         {"it may not be trusted", directory.Complete(selectors, none).WithoutTrust(), false, grant.CodeDirectoryFailed},
		"unread and standing":    {"an unread list takes nothing away", directory.Complete(selectors, none).WithoutTrust(), true, ""},
		"empty list, read whole": {"the last account was removed from it", directory.Complete(selectors, none), true, grant.CodeOutsideOrg},
	} {
		w.Accounts, w.Gateway.Policy = test.accounts, nil
		if test.admitted {
			before := w
			before.Accounts = directory.Complete(selectors, none, "999900001111")
			w.Gateway.Policy = mustMake(t, before).Want
		}
		p := mustMake(t, w)
		if got := p.Status[key("outside")]; got.Reason != test.want || (got.Phase == grant.PhaseAdmitted) != (test.want == "") {
			t.Errorf("%s: %+v: %s", name, got, test.reason)
		}
	}
}

func TestForgedStatementIsRemoved(t *testing.T) {
	w := world(t, rowOf("account-b", "444455556666"))
	w.Gateway.Policy = parse(t, `{"Version":"2012-10-17","Statement":[{"Sid":"GatewayGrantsmainXevil","Effect":"Allow","Principal":{"AWS":"999900001111"},"Action":"bedrock-agentcore:InvokeGateway","Resource":"`+gatewayARN+`","Condition":{"Bool":{"aws:SecureTransport":"true"}}}]}`)
	p := mustMake(t, w)
	if strings.Contains(p.Want.String(), "999900001111") || !p.Drift {
		t.Errorf("drift %t, want %s", p.Drift, p.Want)
	}
	if !slices.ContainsFunc(p.Changes, func(c plan.Change) bool {
		return c.Verb == plan.Remove && c.Principal == "statement GatewayGrantsmainXevil"
	}) {
		t.Errorf("changes %+v", p.Changes)
	}
}

func TestDriftIsNotWorkInProgress(t *testing.T) {
	applied := world(t, rowOf("account-b", "444455556666"))
	before := mustMake(t, applied)
	for name, test := range map[string]struct {
		reason string
		change func(*plan.World)
		want   bool
	}{
		"a new grant":     {"the policy is as last recorded", func(w *plan.World) { w.Rows = append(w.Rows, rowOf("new", "777788889999")) }, false},
		"deleted by hand": {"it is not as recorded", func(w *plan.World) { w.Gateway.Policy = nil }, true},
		"crash after a put": {"it is as intended", func(w *plan.World) {
			w.Gateway.Recorded.Gateway = ledger.Ledger{PendingHash: before.Hash}
			w.Rows = nil
		}, false},
		"a foreign neighbor": {"foreign statements are no drift", func(w *plan.World) {
			w.Gateway.Policy = w.Gateway.Policy.WithStatements(append(w.Gateway.Policy.Statements, parse(t, `{"Statement":`+foreignStatement+`}`).Statements...)...)
			w.Rows = nil
		}, false},
	} {
		w := applied
		w.Gateway.Policy = before.Want
		w.Gateway.Recorded.Gateway.AppliedHash = before.Hash
		test.change(&w)
		p := mustMake(t, w)
		if !p.Write || p.Drift != test.want {
			t.Errorf("%s: write %t, drift %t: %s", name, p.Write, p.Drift, test.reason)
		}
	}
}
