package simulation

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// visitor is a caller and the network that it calls from.
type visitor struct {
	caller  policy.Caller
	context map[string][]string
}

func (v visitor) arn() string { return v.caller.PrincipalARN }

func (v visitor) String() string {
	if len(v.context) == 0 {
		return v.arn()
	}
	return fmt.Sprint(v.arn(), " from ", v.context)
}

var visitors = allVisitors()

// allVisitors are calls by every principal, from every network that a condition may name.
func allVisitors() []visitor {
	var all []visitor
	arns := append([]string{otherA, userA}, roles...)
	for _, account := range allAccounts {
		arns = append(arns, inIAM(account, "role/Caller"))
	}
	for _, arn := range arns {
		who := policy.Role(arn, "session")
		if arn == userA {
			who = policy.User(arn)
		}
		for _, from := range []map[string][]string{
			{}, {"aws:SourceVpce": {endpoint}}, {"aws:SourceVpc": {network}}, {"aws:SourceIp": {address}}, {"aws:SourceIp": {address6}},
			{"aws:SourceVpce": {endpoint}, "aws:SourceIp": {address}},
		} {
			all = append(all, visitor{who, from})
		}
	}
	return all
}

var identity = []*policy.Document{{Version: policy.Version2012, Statements: []policy.Statement{
	{Effect: policy.Allow, Action: []string{"bedrock-agentcore:InvokeGateway"}, Resource: []string{"*"}},
}}}

// lets reports whether the product's statements in a policy let the visitor in.
func lets(g *gateway, owned *policy.Document, v visitor, now time.Time) bool {
	if owned == nil {
		return false
	}
	from := map[string][]string{"aws:CurrentTime": {now.UTC().Format(time.RFC3339)}}
	maps.Copy(from, v.context)
	return policy.Evaluate(policy.Call{
		Caller: v.caller, Action: "bedrock-agentcore:InvokeGateway", Resource: g.ARN(), ResourceAccount: owner,
		Identity: identity, ResourcePolicy: owned, Context: from,
	}).Allowed
}

// decisions are which visitors have access, and as of when.
type decisions struct {
	writes, changes int       // of the policy, and of IAM
	now             time.Time // zero where nothing ends
	allowed         []bool
}

// allowed reports for each visitor whether the product's statements let it in now. It
// evaluates the policy again only if something changed.
func (w *world) allowed(g *gateway) []bool {
	d := &g.decided
	if d.allowed != nil && d.writes == g.writes && d.changes == w.iam.changes && (d.now.IsZero() || d.now.Equal(w.now)) {
		return d.allowed
	}
	effective, err := w.service.EffectivePolicy(g.ARN())
	must(err)
	owned := ownedOnly(effective)
	*d = decisions{writes: g.writes, changes: w.iam.changes, allowed: make([]bool, len(visitors))}
	for i, v := range visitors {
		d.allowed[i] = lets(g, owned, v, w.now)
	}
	if owned != nil && slices.ContainsFunc(owned.Statements, func(s policy.Statement) bool { return len(s.Condition["DateLessThanIfExists"]) > 0 }) {
		d.now = w.now
	}
	return d.allowed
}

// ownedOnly is the document without foreign statements; nil for nothing.
func ownedOnly(document *policy.Document) *policy.Document {
	owned, _ := split(document)
	if len(owned) == 0 {
		return nil
	}
	return document.WithStatements(owned...)
}

// claims lists the principals that a grant means, as ARNs, or the reason that it means
// none.
func (o *organization) claims(g *grant.Grant, trusted []string) (arns []string, reason grant.Code) {
	known, ok := o.claimed[g]
	if !ok {
		known.arns, known.reason = o.claimsOf(g, trusted)
		if o.claimed == nil {
			o.claimed = map[*grant.Grant]claimed{}
		}
		o.claimed[g] = known
	}
	return slices.Clone(known.arns), known.reason
}

// claimed is an answer of claims. An organization and a grant never change, and each world
// trusts the same accounts.
type claimed struct {
	arns   []string
	reason grant.Code
}

func (o *organization) claimsOf(g *grant.Grant, trusted []string) (arns []string, reason grant.Code) {
	if !g.Principal.IsSelector() {
		account := g.Subject().Account()
		if o.synced && account != owner && !slices.Contains(trusted, account) && !o.isMember(account) {
			return nil, grant.CodeOutsideOrg
		}
		return []string{g.Subject().ARN(partition)}, ""
	}
	if !o.synced {
		return nil, grant.CodeNoDirectory
	}
	for _, id := range o.ids() {
		if !meant(g, o.accounts[id]) {
			continue
		}
		if g.Role != "" {
			arns = append(arns, inIAM(id, "role/"+g.Role))
		} else {
			arns = append(arns, rootOf(id))
		}
	}
	if len(arns) == 0 {
		return nil, grant.CodeSelectsNobody
	}
	return arns, ""
}

// meant reads a selector plainly.
func meant(g *grant.Grant, account directory.Account) bool {
	excluded := slices.Contains(g.Exclude.Accounts, account.ID)
	for _, unit := range account.Path {
		excluded = excluded || slices.Contains(g.Exclude.Units, unit)
	}
	if excluded || account.State != directory.StateActive {
		return false
	}
	switch text := g.Principal.String(); {
	case text == orgID:
		return true
	case strings.HasPrefix(text, "tag:"):
		return account.Tags["Env"] == "prod"
	case strings.HasSuffix(text, "/direct"):
		return len(account.Path) > 0 && account.Path[len(account.Path)-1]+"/direct" == text
	default:
		return slices.Contains(account.Path, text)
	}
}

// within reports whether an ARN that is let in means the caller.
func within(arn, who string) bool {
	account := strings.Split(who, ":")[4]
	if arn == rootOf(account) {
		return true
	}
	prefix, isPattern := strings.CutSuffix(arn, "*")
	return arn == who || isPattern && strings.HasPrefix(who, prefix)
}

// from reports whether a grant's conditions are met.
func (v visitor) from(c grant.Conditions) bool {
	met := func(allowed []string, key string) bool {
		return len(allowed) == 0 || slices.ContainsFunc(v.context[key], func(value string) bool {
			return slices.ContainsFunc(allowed, func(one string) bool { return one == value || holds(one, value) })
		})
	}
	return met(c.SourceVPCE, "aws:SourceVpce") && met(c.SourceVPC, "aws:SourceVpc") && met(c.SourceIP, "aws:SourceIp")
}

// holds reports whether an address or a range holds an address, however it is written.
func holds(written, address string) bool {
	one, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}
	if same, err := netip.ParseAddr(written); err == nil {
		return same.Unmap() == one
	}
	within, err := netip.ParsePrefix(written)
	if err != nil {
		return false
	}
	if within.Addr().Is4In6() {
		within = netip.PrefixFrom(within.Addr().Unmap(), within.Bits()-96)
	}
	return within.Contains(one)
}

// granted reports whether the rows, as the run must know them, let a visitor in; where
// ways are given, in one of them.
func (n *run) granted(v visitor, stands map[way]bool) bool {
	for _, row := range n.rows {
		g, arns := n.given(row)
		if g == nil || !g.Live(n.w.now) || !v.from(g.Conditions) {
			continue
		}
		for _, arn := range arns {
			if within(arn, v.arn()) && (stands == nil || stands[wayOf(g, arn)]) {
				return true
			}
		}
	}
	return false
}

// way is how a principal has access, its expiry aside.
type way struct {
	who    string // as an ARN
	byName bool   // recognised by its ARN, not by its unique id
	where  string // only from there
}

// wayOf is how a grant lets in one of the principals that it means.
func wayOf(g *grant.Grant, arn string) way {
	byName := g.Role != "" || strings.Contains(arn, "*") || g.Subject().IsExact() && g.Follow == grant.FollowName
	return way{arn, byName, where(g.Conditions.SourceVPCE, g.Conditions.SourceVPC, g.Conditions.SourceIP)}
}

// where names a narrowing, whatever the order of its values.
func where(lists ...[]string) string {
	sorted := make([][]string, len(lists))
	for i, list := range lists {
		sorted[i] = slices.Sorted(slices.Values(list))
	}
	return fmt.Sprint(sorted)
}

// ways are all that the product's statements say.
func ways(owned *policy.Document) map[way]bool {
	all := make(map[way]bool)
	if owned == nil {
		return all
	}
	for _, s := range owned.Statements {
		names := s.Condition["ArnLike"]["aws:PrincipalArn"]
		equal := s.Condition["StringEquals"]
		w := way{byName: len(names) > 0, where: where(equal["aws:SourceVpce"], equal["aws:SourceVpc"], s.Condition["IpAddress"]["aws:SourceIp"])}
		for _, w.who = range s.Principal.AWS {
			if len(w.who) == len(owner) {
				w.who = rootOf(w.who)
			}
			if !w.byName {
				all[w] = true
			}
			for _, name := range names {
				each := w
				if each.who = strings.Replace(name, "::*:", "::"+accountOf(w.who)+":", 1); accountOf(each.who) == accountOf(w.who) {
					all[each] = true
				}
			}
		}
	}
	return all
}
