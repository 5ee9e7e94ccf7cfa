package plan

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// Action is the only action that a gateway's resource policy can speak of.
// https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/resource-based-policies.html
const Action = "bedrock-agentcore:InvokeGateway"

// group is what the accesses of one statement have in common: one statement a
// distinct set of conditions, because a policy holds only 100.
type group struct {
	Where  Narrowing
	Until  int64
	ByName bool
	role   string // where one role or pattern of many accounts is shared: "role/…"
	alone  string // the only principal, where AWS takes no list of principals
}

// shareFrom is from how many accounts on a role that they have in common gets a
// statement of its own: there its ARN is written once with "*" for the account,
// which is safe because the statement's principals say which accounts. Below,
// ARNs of all kinds fit one statement, at about 60 bytes each.
const shareFrom = 8

// Layout says which roles share a statement. It is settled once for all that a
// plan may admit, so that what is left out in the end moves nothing else.
type Layout map[SharedRole]bool

// SharedRole is a role, or a pattern of roles, that many accounts have in common.
type SharedRole struct {
	Where Narrowing
	Role  string // "role/…", as in the ARN
}

func layoutOf(accesses map[Access]int64) Layout {
	count := make(map[SharedRole]int)
	for a := range accesses {
		if a.ByName {
			count[SharedRole{a.Where, a.Who.Resource}]++
		}
	}
	l := make(Layout)
	for s, accounts := range count {
		if accounts >= shareFrom {
			l[s] = true
		}
	}
	return l
}

// group is the statement that the access belongs to.
func (e Encoding) group(a Access) group {
	g := group{Where: a.Where, Until: a.Until, ByName: a.ByName}
	if a.ByName {
		if s := (SharedRole{a.Where, a.Who.Resource}); e.Layout[s] {
			g.role = s.Role
		}
	}
	if e.Single && !e.Listed[a.lasting()] {
		g.alone = a.principal()
	}
	return g
}

// compiler prints accesses as statements for one gateway.
type compiler struct {
	resource  string // the gateway's ARN
	partition string
	limits    Limits
	Encoding
}

// compile prints a set of accesses, the same set always as the same statements.
func (c compiler) compile(accesses []Access) []policy.Statement {
	if c.Kept != nil {
		return c.shorten(accesses)
	}
	groups := make(map[group]*members)
	var last group
	var in *members
	for _, a := range accesses {
		g := c.group(a)
		if in == nil || g != last { // most accesses belong to one group
			if in = groups[g]; in == nil {
				in = &members{}
				groups[g] = in
			}
			last = g
		}
		in.principals = append(in.principals, c.principal(a))
		if g.ByName {
			in.names = append(in.names, c.name(g, a))
		}
	}
	statements := make([]policy.Statement, 0, len(groups))
	for g, in := range groups {
		statements = append(statements, c.statement(g, *in))
	}
	slices.SortFunc(statements, func(a, b policy.Statement) int { return cmp.Compare(a.Sid, b.Sid) })
	return statements
}

// members are the principals that a statement lets in, as it writes them.
type members struct{ principals, names []string }

func (c compiler) statement(g group, in members) policy.Statement {
	condition := Access{Where: g.Where, Until: g.Until}.conditions()
	if g.ByName {
		condition[opARN] = map[string][]string{keyPrincipal: sortedSet(in.names)}
	}
	if len(condition) == 0 {
		condition = nil
	}
	return policy.Statement{
		Sid:       c.sid(g),
		Effect:    policy.Allow,
		Principal: &policy.Principals{AWS: sortedSet(in.principals)},
		Action:    []string{Action},
		Resource:  []string{c.resource},
		Condition: condition,
	}
}

func sortedSet(values []string) []string {
	slices.Sort(values)
	return slices.Compact(values)
}

// principal is how Principal names the access's principal.
func (c compiler) principal(a Access) string {
	if c.Short && (a.ByName || a.Who.IsRoot()) {
		return a.Who.Account
	}
	return a.principal()
}

// name is what the access puts into the condition on aws:PrincipalArn.
func (c compiler) name(g group, a Access) string {
	if g.role != "" {
		return policy.IAMARN{Partition: c.partition, Account: "*", Resource: g.role}.String()
	}
	return a.Who.String()
}

// sid names a statement of ours by what its conditions say, so that the same
// statement keeps its name whatever else the policy holds. Sids are kept
// alphanumeric, as IAM asks of identity policies:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_sid.html
func (c compiler) sid(g group) string {
	condition := Access{Where: g.Where, Until: g.Until}.conditions()
	parts := []string{g.role, map[bool]string{true: "named"}[g.ByName]}
	for _, operator := range slices.Sorted(maps.Keys(condition)) {
		for _, key := range slices.Sorted(maps.Keys(condition[operator])) {
			parts = append(parts, operator, key, strings.Join(condition[operator][key], ","))
		}
	}
	if g.alone != "" {
		parts = append(parts, "alone", g.alone)
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "|")))
	return sidPrefix(c.limits.Installation) + hex.EncodeToString(sum[:6])
}

// sidPrefix begins the Sid of every statement of this installation. Ids of
// installations are lower-case letters and digits, so the "X" ends them and no
// installation's prefix begins another's.
func sidPrefix(installation string) string { return "GatewayGrants" + installation + "X" }

// split parts a document into our statements and foreign ones, each in order.
func split(document *policy.Document, installation string) (owned, foreign []policy.Statement) {
	if document == nil {
		return nil, nil
	}
	prefix := sidPrefix(installation)
	for _, s := range document.Statements {
		if strings.HasPrefix(s.Sid, prefix) {
			owned = append(owned, s)
		} else {
			foreign = append(foreign, s)
		}
	}
	return owned, foreign
}
