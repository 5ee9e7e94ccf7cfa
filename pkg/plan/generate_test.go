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
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

const aGateway = "arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/gw-0123456789"

var (
	moment    = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	accounts  = []string{"111122223333", "444455556666", "777788889999", "888899990000", "999900001111"}
	units     = []string{"ou-abcd-11112222", "ou-abcd-33334444", "ou-abcd-55556666"}
	selectors = []string{units[0], units[1], units[1] + "/direct", units[2], "o-exampleorgid", "tag:team=agents", "tag:team=none"}
	roles     = []string{"Agent", "team/Agent", "Agent*", "A?ent", "team/*", "Other"}
	// sources are addresses and ranges, some of them the same in another spelling.
	sources = []string{
		"203.0.113.0/24", "198.51.100.7", "198.51.100.7/32", "::ffff:198.51.100.7", "::ffff:198.51.100.0/120", "198.51.100.0/24",
		"2001:db8::/32", "2001:0DB8::/32", "2001:db8::1", "2001:DB8:0::1", "0.0.0.0/1", "128.0.0.0/1", "255.255.255.255", "8000::/1",
	}
	vpces = []string{"vpce-0123456789abcdef0", "vpce-0123456789abcdef1", "vpce-fedcba98"}
	vpcs  = []string{"vpc-0123456789abcdef0", "vpc-fedcba98", "vpc-0a0a0a0a"}
)

// regions have one Region of each partition.
var regions = map[string]string{"aws": "us-east-1", "aws-us-gov": "us-gov-west-1", "aws-cn": "cn-north-1"}

// genConditions has one or more kinds, each with one or more values.
func genConditions(t *rapid.T) map[string]any {
	conditions := make(map[string]any)
	kinds := map[string][]string{"sourceIp": sources, "sourceVpc": vpcs, "sourceVpce": vpces}
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		if some := rapid.SliceOfN(rapid.SampledFrom(kinds[name]), 0, 3).Draw(t, name); len(some) > 0 {
			list := make([]any, len(some))
			for i, value := range some {
				list[i] = value
			}
			conditions[name] = list
		}
	}
	if len(conditions) == 0 {
		conditions["sourceVpce"] = []any{vpces[0]}
	}
	return conditions
}

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

func genRow(t *rapid.T, gateway grant.Gateway, id string) grant.Row {
	attributes := grant.Attributes{"gateway": gateway.ARN(), "grant": id}
	if chance(t, "for every gateway", 4) {
		attributes["gateway"] = "*"
	}
	account := pick(t, "account", manyAccounts(12))
	exact := "arn:" + gateway.Partition() + ":iam::" + account + ":"
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
		attributes["principal"] = "arn:" + pick(t, "partition", []string{"aws", "aws-us-gov", "aws-cn"}) + ":iam::" + account + ":root"
	}
	if chance(t, "narrowed", 3) {
		attributes["conditions"] = genConditions(t)
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

func genRows(t *rapid.T, gateway grant.Gateway) []grant.Row {
	rows := make([]grant.Row, rapid.IntRange(0, 12).Draw(t, "rows"))
	for i := range rows {
		rows[i] = genRow(t, gateway, fmt.Sprintf("g%02d", i))
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

// forgedStatements stand under our own name and were written by others, or
// show what a deleted role left behind.
var forgedStatements = []string{
	`{"Sid":"GatewayGrantsmainXevil","Effect":"Allow","Principal":"*","Action":"bedrock-agentcore:InvokeGateway","Resource":"` + aGateway + `"}`,
	`{"Sid":"GatewayGrantsmainXgone","Effect":"Allow","Principal":{"AWS":["AROAEXAMPLEEXAMPLE01","444455556666"]},"Action":"bedrock-agentcore:InvokeGateway","Resource":"` + aGateway + `"}`,
	`{"Sid":"GatewayGrantsmainXmore","Effect":"Allow","Principal":{"AWS":"777788889999"},"Action":["bedrock-agentcore:InvokeGateway","bedrock-agentcore:GetGateway"],"Resource":"` + aGateway + `"}`,
}

// fillers are the forms in which others may name principals: each has its own size
// under each accounting. The verb takes a number.
var fillers = []string{
	`{"Sid":"Ids%[1]d","Effect":"Allow","Principal":{"AWS":["5%011[1]d","6%011[1]d","7%011[1]d"]},"Action":"bedrock-agentcore:InvokeGateway","Resource":"` + aGateway + `"}`,
	`{"Sid":"Roots%[1]d","Effect":"Allow","Principal":{"AWS":["arn:aws:iam::5%011[1]d:root","6%011[1]d"]},"Action":"bedrock-agentcore:InvokeGateway","Resource":"` + aGateway + `"}`,
	`{"Sid":"Roles%[1]d","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::5%011[1]d:role/Theirs"},"Action":"bedrock-agentcore:InvokeGateway","Resource":"` + aGateway + `"}`,
	`{"Sid":"Gone%[1]d","Effect":"Allow","Principal":{"AWS":["AROA%017[1]d","5%011[1]d"]},"Action":"bedrock-agentcore:InvokeGateway","Resource":"` + aGateway + `"}`,
	`{"Sid":"Not%[1]d","Effect":"Deny","NotPrincipal":{"AWS":["5%011[1]d","6%011[1]d"]},"Action":"bedrock-agentcore:InvokeGateway","Resource":"` + aGateway + `"}`,
	`{"Sid":"Where%[1]d","Effect":"Deny","Principal":"*","Action":"bedrock-agentcore:InvokeGateway","Resource":"` + aGateway + `","Condition":{"NotIpAddress":{"aws:SourceIp":["10.%[1]d.0.0/16","2001:DB8:%[1]d::/48"]}}}`,
}

// genFiller is a number of statements of others that leaves little room, or none, or
// nothing to speak of.
func genFiller(t *rapid.T, limits Limits) []string {
	if !chance(t, "crowded", 3) {
		return nil
	}
	var all []string
	size, most := 200, limits.MaxBytes-pick(t, "left for us", []int{100, 700, 2000})
	for n := 0; len(all) < limits.MaxStatements; n++ {
		statement := fmt.Sprintf(pick(t, "form", fillers), n)
		if size += len(statement) + 1; size > most {
			break
		}
		all = append(all, statement)
	}
	return all
}

// local is a text of the partition aws, as it is in the gateway's.
func local(gateway grant.Gateway, text string) string {
	text = strings.ReplaceAll(text, aGateway, gateway.ARN())
	return strings.ReplaceAll(text, "arn:aws:iam:", "arn:"+gateway.Partition()+":iam:")
}

// genPolicy is what AWS may show: what we wrote for other grants, among what
// others wrote, within AWS's limits.
func genPolicy(t *rapid.T, w World, limits Limits) *policy.Document {
	if chance(t, "no policy", 4) {
		return nil
	}
	before := w
	before.Gateway.Recorded = ledger.State{}
	before.Rows = append(genRows(t, w.Gateway.Gateway), pickSome(t, "still there", w.Rows)...)
	limits.Accounting = pick(t, "accounting before", []Accounting{ExpandedSize, SubmittedSize})
	foreign := append(pickSome(t, "foreign", oddStatements), genFiller(t, limits)...)
	before.Gateway.Policy = parsed(local(w.Gateway.Gateway, `{"Id":"theirs","Version":"2012-10-17","Statement":[`+strings.Join(foreign, ",")+`],"Unknown":{"x":1}}`))
	if len(before.Gateway.Policy.Statements) == 0 || len(before.Gateway.Policy.Bytes()) > limits.MaxBytes || len(before.Gateway.Policy.Statements) > limits.MaxStatements {
		before.Gateway.Policy = nil
	}
	p, err := Make(before, limits)
	if err != nil {
		t.Fatalf("an earlier plan: %v", err)
	}
	found := p.Want
	if chance(t, "meddled with", 4) {
		forged := parsed(local(w.Gateway.Gateway, `{"Statement":[`+pick(t, "forged", forgedStatements)+`]}`)).Statements
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
func genRecorded(t *rapid.T, partition string, rows []grant.Row) ledger.State {
	recorded := ledger.State{Gateway: ledger.Ledger{Refused: map[string]ledger.Refusal{}}, Grants: map[grant.Key]grant.Status{}}
	for _, row := range rows {
		if row.Fault != nil || row.Grant.Principal.IsSelector() {
			continue
		}
		principal := row.Grant.Subject().ARN(partition)
		switch rapid.IntRange(0, 7).Draw(t, "known of it") {
		case 0:
			recorded.Gateway.Refused[principal] = ledger.Refusal{Code: grant.CodeRecreated, Since: moment}
		case 1:
			recorded.Gateway.Refused[principal] = ledger.Refusal{Code: grant.CodeQuarantined, Since: moment, NextTry: moment.Add(time.Hour)}
		case 2:
			recorded.Gateway.Refused[principal] = ledger.Refusal{Code: grant.CodeQuarantined, Since: moment, NextTry: moment.Add(-time.Hour)}
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
	partition := pick(t, "of partition", []string{"aws", "aws", "aws-us-gov", "aws-cn"})
	gateway, err := grant.ParseGateway(strings.NewReplacer("arn:aws:", "arn:"+partition+":", regions["aws"], regions[partition]).Replace(aGateway))
	if err != nil {
		t.Fatal(err)
	}
	w := World{
		Gateway:  Observed{Gateway: gateway, Exists: true, Authorizer: "AWS_IAM", Status: "READY", Managed: true},
		Rows:     genRows(t, gateway),
		Accounts: genDirectory(t),
		Now:      moment,
	}
	limits := genLimits(t)
	w.Gateway.Recorded = genRecorded(t, partition, w.Rows)
	w.Gateway.Policy = genPolicy(t, w, limits)
	return w, limits
}

// genAccesses is a set of accesses as grants may ask for.
func genAccesses(t *rapid.T) (accesses map[Access]bool, resource, partition string) {
	w, limits := genWorld(t)
	r := &resolver{world: w, limits: limits, standing: map[Access]bool{}, selected: map[string][]string{}}
	all := ends(r.claims())
	guarded := make(map[Access]bool, len(all))
	for _, a := range slices.SortedFunc(maps.Keys(all), compareAccess) {
		if chance(t, "guarded", 4) {
			a.Until = moment.Add(time.Hour).Unix()
		}
		guarded[a] = true
	}
	return guarded, w.Gateway.Gateway.ARN(), w.Gateway.Gateway.Partition()
}
