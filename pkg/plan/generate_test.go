package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

const aGateway = "arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/gw-0123456789"

var (
	moment    = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	accounts  = []string{"111122223333", "444455556666", "777788889999", "888899990000", "999900001111"}
	units     = []string{"ou-abcd-11112222", "ou-abcd-33334444", "ou-abcd-55556666"}
	selectors = []string{units[0], units[1], units[1] + "/direct", units[2], "o-exampleorgid", "tag:team=agents", "tag:team=none"}
	roles     = []string{"Agent", "team/Agent", "Agent*", "A?ent", "team/*", "Other"}
	places    = []map[string]any{
		{"sourceVpce": []any{"vpce-0123456789abcdef0"}},
		{"sourceVpc": []any{"vpc-0123456789abcdef0", "vpc-fedcba98"}},
		{"sourceIp": []any{"203.0.113.0/24", "198.51.100.7"}},
		{"sourceIp": []any{"2001:db8::/32"}, "sourceVpc": []any{"vpc-0123456789abcdef0"}},
	}
)

func pick[T any](t *rapid.T, what string, from []T) T { return rapid.SampledFrom(from).Draw(t, what) }

// chance is true once in n.
func chance(t *rapid.T, what string, n int) bool {
	return rapid.IntRange(0, n-1).Draw(t, what) == n-1
}

// manyAccounts are enough members of a unit to share a role, or to fill a policy
// whose limits are low.
func manyAccounts(n int) []string {
	ids := slices.Clone(accounts)
	for i := range n {
		ids = append(ids, fmt.Sprintf("2%011d", i))
	}
	return ids
}

func genRow(t *rapid.T, id string) grant.Row {
	attributes := grant.Attributes{"gateway": aGateway, "grant": id}
	if chance(t, "for every gateway", 4) {
		attributes["gateway"] = "*"
	}
	account := pick(t, "account", manyAccounts(12))
	exact := "arn:aws:iam::" + account + ":"
	switch pick(t, "kind", []string{"account", "root", "role", "user", "pattern", "narrowed", "selector", "selector", "faulty", "partition"}) {
	case "account":
		attributes["principal"] = account
	case "root":
		attributes["principal"] = exact + "root"
	case "role":
		attributes["principal"] = exact + "role/" + pick(t, "role", roles[:2])
		maybe(t, attributes, "follow", []string{"name", "identity"})
	case "user":
		attributes["principal"] = exact + "user/" + pick(t, "user", []string{"Ann", "Agent"})
		maybe(t, attributes, "follow", []string{"name"})
	case "pattern":
		attributes["principal"] = exact + "role/" + pick(t, "pattern", roles[2:5])
	case "narrowed":
		attributes["principal"], attributes["role"] = account, pick(t, "role", roles)
	case "selector":
		attributes["principal"] = pick(t, "selector", selectors)
		maybe(t, attributes, "role", roles)
		if chance(t, "excluding", 3) {
			attributes["exclude"] = []any{pick(t, "excluded", append(slices.Clone(units), accounts...))}
		}
	case "faulty":
		attributes["principal"] = pick(t, "fault", []string{"*", "everyone", "arn:aws:sts::444455556666:assumed-role/Agent/s", ""})
	case "partition":
		attributes["principal"] = "arn:aws-cn:iam::" + account + ":root"
	}
	if chance(t, "narrowed", 3) {
		attributes["conditions"] = pick(t, "place", places)
	}
	if chance(t, "ends", 3) {
		attributes["expires"] = moment.Add(time.Duration(rapid.IntRange(-2, 6).Draw(t, "hours")) * time.Hour).Format(time.RFC3339)
	}
	return grant.Parse(attributes)
}

func maybe(t *rapid.T, attributes grant.Attributes, name string, values []string) {
	if rapid.Bool().Draw(t, "with "+name) {
		attributes[name] = pick(t, name, values)
	}
}

func genRows(t *rapid.T) []grant.Row {
	rows := make([]grant.Row, rapid.IntRange(0, 12).Draw(t, "rows"))
	for i := range rows {
		rows[i] = genRow(t, fmt.Sprintf("g%02d", i))
	}
	return rows
}

func genDirectory(t *rapid.T) directory.Snapshot {
	switch rapid.IntRange(0, 5).Draw(t, "directory") {
	case 0:
		return directory.Snapshot{}
	case 1:
		return directory.Failed()
	}
	asked := make([]grant.Principal, len(selectors))
	for i, text := range selectors {
		asked[i], _ = grant.ParsePrincipal(text)
	}
	var members []directory.Account
	for _, id := range manyAccounts(rapid.SampledFrom([]int{0, 6, 12}).Draw(t, "more members")) {
		if chance(t, "outside", 8) {
			continue
		}
		a := directory.Account{ID: id, State: directory.StateActive, Organization: "o-exampleorgid"}
		a.Path = pick(t, "path", [][]string{nil, {units[0]}, {units[0], units[1]}, {units[2]}})
		if chance(t, "tagged", 2) {
			a.Tags = map[string]string{"team": "agents"}
		}
		if chance(t, "suspended", 8) {
			a.State = directory.StateSuspended
		}
		members = append(members, a)
	}
	return directory.Complete(asked, members)
}

func genLimits(t *rapid.T) Limits {
	limits := DefaultLimits()
	limits.MaxBytes = pick(t, "bytes", []int{MaxPolicyBytes, MaxPolicyBytes, 4000, 1500, 700})
	limits.MaxStatements = pick(t, "statements", []int{MaxPolicyStatements, MaxPolicyStatements, 6, 3})
	limits.Accounting = pick(t, "accounting", []Accounting{ExpandedSize, SubmittedSize})
	if rapid.Bool().Draw(t, "trusting") {
		limits.Trusted = accounts[4:]
	}
	return limits
}

// oddStatements are those that others may keep in a gateway's policy: whatever
// AWS takes, in spellings that no printer of ours would choose.
var oddStatements = []string{
	`{ "Sid":"Deny", "Effect":"Deny","Principal":"*","Action":["bedrock-agentcore:InvokeGateway"],"Resource":"` + aGateway + `","Condition":{"StringNotEquals":{"aws:SourceVpc":"vpc-0123456789abcdef0"}}}`,
	`{"Resource":["` + aGateway + `"],"Effect":"Allow","Action":"bedrock-agentcore:*","Principal":{"AWS":["999900001111","arn:aws:iam::444455556666:root"]}}`,
	`{"Effect":"Deny","NotPrincipal":{"AWS":"AROAEXAMPLEEXAMPLE01"},"NotAction":"bedrock-agentcore:GetGateway","NotResource":"x","Sid":"DUP"}`,
	`{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"bedrock-agentcore:InvokeGateway","Resource":"` + aGateway + `","Sid":"DUP","Condition":{"Bool":{"aws:SecureTransport":true},"NumericLessThan":{"aws:MultiFactorAuthAge":3.60e3}}}`,
	`{"Sid":"\u0047atewayGrants","Effect":"Allow","Principal":{"AWS":"*"},"Action":"bedrock-agentcore:InvokeGateway","Resource":"` + aGateway + `","Future":{"a":[1,null,"\u00e9"]}}`,
}

// aSibling is what another installation may have on the gateway.
const aSibling = `{"Sid":"GatewayGrantsmainxX0123456789ab","Effect":"Allow","Principal":{"AWS":"444455556666"},"Action":"bedrock-agentcore:InvokeGateway","Resource":"` + aGateway + `"}`

// forgedStatements stand under our own name and were written by somebody else, or
// show what a deleted role left behind.
var forgedStatements = []string{
	`{"Sid":"GatewayGrantsmainXevil","Effect":"Allow","Principal":"*","Action":"bedrock-agentcore:InvokeGateway","Resource":"` + aGateway + `"}`,
	`{"Sid":"GatewayGrantsmainXgone","Effect":"Allow","Principal":{"AWS":["AROAEXAMPLEEXAMPLE01","444455556666"]},"Action":"bedrock-agentcore:InvokeGateway","Resource":"` + aGateway + `"}`,
	`{"Sid":"GatewayGrantsmainXmore","Effect":"Allow","Principal":{"AWS":"777788889999"},"Action":["bedrock-agentcore:InvokeGateway","bedrock-agentcore:GetGateway"],"Resource":"` + aGateway + `"}`,
}

// genPolicy is what AWS may show: what we wrote for other grants, among what
// others wrote, within AWS's limits.
func genPolicy(t *rapid.T, w World, limits Limits) *policy.Document {
	if chance(t, "no policy", 4) {
		return nil
	}
	before := w
	before.Gateway.Recorded = State{}
	before.Rows = append(genRows(t), pickSome(t, "still there", w.Rows)...)
	limits.Accounting = pick(t, "accounting before", []Accounting{ExpandedSize, SubmittedSize})
	before.Gateway.Policy = parsed(`{"Id":"theirs","Version":"2012-10-17","Statement":[` + strings.Join(pickSome(t, "foreign", oddStatements), ",") + `],"Unknown":{"x":1}}`)
	if len(before.Gateway.Policy.Statements) == 0 || len(before.Gateway.Policy.Bytes()) > limits.MaxBytes || len(before.Gateway.Policy.Statements) > limits.MaxStatements {
		before.Gateway.Policy = nil
	}
	p, err := Make(before, limits)
	if err != nil {
		t.Fatalf("an earlier plan: %v", err)
	}
	found := p.Want
	if chance(t, "meddled with", 4) {
		forged := parsed(`{"Statement":[` + pick(t, "forged", forgedStatements) + `]}`).Statements
		if found != nil {
			forged = append(forged, found.Statements...)
		}
		found = found.WithStatements(forged...)
	}
	if chance(t, "a sibling's", 8) {
		theirs := parsed(`{"Statement":[` + aSibling + `]}`).Statements
		if found != nil {
			theirs = append(theirs, found.Statements...)
		}
		found = found.WithStatements(theirs...)
	}
	if found == nil || len(found.Bytes()) > limits.MaxBytes || len(found.Statements) > limits.MaxStatements {
		return p.Want
	}
	return parsed(found.String())
}

func pickSome[T any](t *rapid.T, what string, from []T) []T {
	var some []T
	for _, one := range from {
		if rapid.Bool().Draw(t, what) {
			some = append(some, one)
		}
	}
	return some
}

func parsed(text string) *policy.Document {
	document, err := policy.Parse([]byte(text))
	if err != nil {
		panic(err)
	}
	return document
}

// genRecorded is what may be recorded of earlier runs.
func genRecorded(t *rapid.T, rows []grant.Row) State {
	recorded := State{Gateway: GatewayState{Refused: map[string]Refusal{}}, Grants: map[grant.Key]grant.Status{}}
	for _, row := range rows {
		if row.Fault != nil || row.Grant.Principal.IsSelector() {
			continue
		}
		principal := row.Grant.Subject().ARN("aws")
		switch rapid.IntRange(0, 7).Draw(t, "known of it") {
		case 0:
			recorded.Gateway.Refused[principal] = Refusal{Code: grant.CodeRecreated, Since: moment}
		case 1:
			recorded.Gateway.Refused[principal] = Refusal{Code: grant.CodeQuarantined, Since: moment, NextTry: moment.Add(time.Hour)}
		case 2:
			recorded.Gateway.Refused[principal] = Refusal{Code: grant.CodeQuarantined, Since: moment, NextTry: moment.Add(-time.Hour)}
		case 3:
			recorded.Grants[row.Key] = grant.Status{Phase: grant.PhaseAdmitted, Admitted: []string{principal}}
		default:
		}
	}
	if rapid.Bool().Draw(t, "selected before") {
		recorded.Gateway.Selected = map[string][]string{selectors[0]: accounts[1:3], selectors[4]: accounts[1:4]}
	}
	return recorded
}

func genWorld(t *rapid.T) (World, Limits) {
	gateway, err := grant.ParseGateway(aGateway)
	if err != nil {
		t.Fatal(err)
	}
	w := World{
		Gateway:  Observed{Gateway: gateway, Exists: true, Authorizer: "AWS_IAM", Status: "READY", Managed: true},
		Rows:     genRows(t),
		Accounts: genDirectory(t),
		Now:      moment,
	}
	limits := genLimits(t)
	w.Gateway.Recorded = genRecorded(t, w.Rows)
	w.Gateway.Policy = genPolicy(t, w, limits)
	return w, limits
}

// genAccesses is a set of accesses as grants may ask for.
func genAccesses(t *rapid.T) map[access]bool {
	w, limits := genWorld(t)
	r := &resolver{world: w, limits: limits, standing: map[access]bool{}, selected: map[string][]string{}}
	all := ends(r.claims())
	guarded := make(map[access]bool, len(all))
	for _, a := range slices.SortedFunc(maps.Keys(all), compareAccess) {
		if chance(t, "guarded", 4) {
			a.until = moment.Add(time.Hour).Unix()
		}
		guarded[a] = true
	}
	return guarded
}
