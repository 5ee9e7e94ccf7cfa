package simulation

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// violation is an invariant of DESIGN.md that does not hold.
type violation struct {
	invariant int
	message   string
}

func (v violation) String() string { return fmt.Sprintf("invariant %d: %s", v.invariant, v.message) }

func (w *world) violate(invariant int, format string, arguments ...any) {
	if w.bug != nil && w.bug.breaks != invariant {
		return // a planted bug must be found by the invariant that it breaks
	}
	v := violation{invariant, fmt.Sprintf(format, arguments...)}
	w.broken = append(w.broken, v)
	w.log("VIOLATED: %s", v)
}

// judge checks a write against what its run has read, whether AWS accepts it or not:
// AWS may accept a moment later what it rejects now. keepsGranted applies to accepted
// writes alone, because a search for unknown principals leaves principals out.
func (n *run) judge(document *policy.Document, visible string) {
	n.keepsForeign(document, visible)
	owned := ownedOnly(document)
	n.hasNoWildcard(owned)
	n.staysInOrganization(owned)
	n.omitsRecreated(owned)
	n.addsNothingBesideSibling(owned)
	n.backsOff(owned)
	n.addsNothingToNewer(owned)
}

// keepsForeign is invariant 4: the foreign statements that were there when the call
// before the write returned are in the write, byte for byte. No writer can keep those
// that come later, because AgentCore has no condition on a put.
func (n *run) keepsForeign(document *policy.Document, visible string) {
	if want, got := foreignIn(parse(visible)), foreignIn(document); want != got {
		n.w.violate(4, "%s writes the foreign statements %q, which were %q", n.name, got, want)
	}
}

// hasNoWildcard is invariant 8: no owned statement has a wildcard principal.
func (n *run) hasNoWildcard(owned *policy.Document) {
	if owned == nil {
		return
	}
	for _, s := range owned.Statements {
		if s.Principal == nil || s.Principal.Everyone || slices.ContainsFunc(s.Principal.AWS, func(p string) bool { return strings.ContainsAny(p, "*?") }) {
			n.w.violate(8, "%s writes %s", n.name, s)
		}
	}
}

// principalsOf lists the principals of the product's statements.
func principalsOf(owned *policy.Document) []string {
	var all []string
	if owned != nil {
		for _, s := range owned.Statements {
			if s.Principal != nil {
				all = append(all, s.Principal.AWS...)
			}
		}
	}
	return all
}

func accountOf(principal string) string {
	if parts := strings.Split(principal, ":"); len(parts) > 4 {
		return parts[4]
	}
	return principal
}

// staysInOrganization is invariant 9, by the directory as the run read it. Where that
// read failed, accounts that had access may keep it, and so may those that the record
// says a selector matched.
func (n *run) staysInOrganization(owned *policy.Document) {
	if !n.org.synced {
		return
	}
	wasIn := func(account string) bool {
		return slices.ContainsFunc(principalsOf(ownedOnly(n.basis)), func(p string) bool { return accountOf(p) == account })
	}
	for _, principal := range principalsOf(owned) {
		account := accountOf(principal)
		if account == owner || slices.Contains(n.w.limits.Trusted, account) || n.org.isMember(account) {
			continue
		}
		if n.unknown && (wasIn(account) || n.remembers(account)) {
			continue
		}
		n.w.violate(9, "%s lets in %s, which is neither a member nor trusted", n.name, principal)
	}
}

// remembers reports whether the state that the run loaded has the account as matched
// by a selector, or as admitted.
func (n *run) remembers(account string) bool {
	for _, accounts := range n.state.Gateway.Selected {
		if slices.Contains(accounts, account) {
			return true
		}
	}
	for _, status := range n.state.Grants {
		if slices.ContainsFunc(status.Admitted, func(arn string) bool { return accountOf(arn) == account }) {
			return true
		}
	}
	return false
}

// omitsRecreated belongs to invariant 1: a role whose deletion the product has
// observed does not get access again by its name, which may belong to another
// principal now.
func (n *run) omitsRecreated(owned *policy.Document) {
	if len(n.gateway.gone) == 0 {
		return
	}
	for _, principal := range principalsOf(owned) {
		if seen := n.gateway.gone[principal]; seen > 0 && seen < n.decided() && n.names(owned, principal) {
			n.w.violate(1, "%s lets in %s, which was deleted and may be another principal now", n.name, principal)
		}
	}
}

// names reports whether a statement that has not expired lets in exactly the principal
// that the ARN names.
func (n *run) names(owned *policy.Document, arn string) bool {
	for _, s := range owned.Statements {
		if !slices.Contains(s.Principal.AWS, arn) {
			continue
		}
		s.Principal = &policy.Principals{AWS: []string{arn}}
		alone := owned.WithStatements(s)
		if slices.ContainsFunc(visitors, func(v visitor) bool { return v.arn() == arn && lets(n.gateway, alone, v, n.w.now) }) {
			return true
		}
	}
	return false
}

// keepsGranted is invariant 2: a visitor with access, as the run read the policy, who is
// granted, as the run read the rows and the directory, keeps access, whatever else
// failed. Where room may be short, or another installation keeps the policy, this
// holds only for access that is granted the way it stands: another way for the same
// caller is an addition, and may find no room.
func (n *run) keepsGranted(owned *policy.Document) {
	before := ownedOnly(n.read)
	var stands map[way]bool
	if n.w.isTight() || besideSibling(n.read) {
		stands = ways(before)
	}
	for _, v := range visitors {
		if !lets(n.gateway, before, v, n.w.now) || lets(n.gateway, owned, v, n.w.now) || !n.granted(v, stands) {
			continue
		}
		if n.excuses(v) || n.gateway.gone[v.arn()] > 0 || n.gateway.unclear[v.arn()] || n.interrupts(before) || n.isToGo(before, v) {
			continue
		}
		if lets(n.gateway, n.gateway.genuine(before), v, n.w.now) {
			n.w.violate(2, "%s cuts %s, who is granted", n.name, v)
		}
	}
}

// genuine leaves out the product's statements that another writer has changed: the
// product need not know the principals that these let in.
func (g *gateway) genuine(owned *policy.Document) *policy.Document {
	var kept []policy.Statement
	for _, s := range owned.Statements {
		if slices.ContainsFunc(g.puts, func(put *written) bool { return put.says(s) }) {
			kept = append(kept, s)
		}
	}
	if len(kept) == 0 {
		return nil
	}
	return owned.WithStatements(kept...)
}

func (p *written) says(s policy.Statement) bool {
	document := parse(p.text)
	if document == nil {
		return false
	}
	alone := document.WithStatements(s)
	return slices.ContainsFunc(document.Statements, func(own policy.Statement) bool {
		return own.Sid == s.Sid && policy.Equal(document.WithStatements(own), alone)
	})
}

// claims are the principals that a grant means, as far as the run could know. Where
// the directory cannot be read, a selector means the accounts that were recorded when
// the run read the policy, and still are.
func (n *run) claims(g *grant.Grant) []string {
	arns, _ := n.org.claims(g, n.w.limits.Trusted)
	if !n.unknown || !g.Principal.IsSelector() {
		return arns
	}
	if n.known == nil {
		return nil // a planted bug: the pass has read no policy
	}
	key := plan.SelectionKey(g)
	known, still := n.known.Gateway.Selected[key], n.w.state(n.gateway).Gateway.Selected[key]
	return slices.DeleteFunc(arns, func(arn string) bool {
		account := accountOf(arn)
		return !slices.Contains(known, account) || !slices.Contains(still, account)
	})
}

// excuses reports whether AWS rejects documents with the visitor's ARN or account, or
// whether the run may think so: IAM changed during its search, the role was deleted
// after a write was going to name it, or the principal waits for its next try.
func (n *run) excuses(v visitor) bool {
	root := rootOf(v.caller.Account)
	refused := n.state.Gateway.Refused
	for _, arn := range []string{v.arn(), root} {
		_, waits := refused[arn]
		if arn == n.w.disliked || n.w.iam.missing[arn] && n.w.iam.ids[arn] == "" || waits && n.w.iam.missing[arn] || n.gateway.left[arn] || n.gateway.mistaken[arn] {
			return true
		}
	}
	return n.sought > 0 && n.sought != n.w.iam.changes+1
}

// interrupts reports whether the run may leave out good principals for a moment: AWS
// rejected its document, does not know a principal that stands, and a revocation waits.
func (n *run) interrupts(before *policy.Document) bool {
	if n.refused == nil {
		return false
	}
	return n.w.refuses(principalsOf(before)) && waits(before, ownedOnly(n.refused))
}

// isToGo reports whether the run searches for unknown principals, and removes first
// what lets the visitor in: its replacement comes with the additions.
func (n *run) isToGo(before *policy.Document, v visitor) bool {
	if n.refused == nil {
		return false
	}
	keep := map[string]bool{}
	for _, access := range accesses(ownedOnly(n.refused)) {
		keep[access] = true
	}
	var kept []policy.Statement
	for _, s := range before.Statements {
		who := *s.Principal
		who.AWS = slices.DeleteFunc(slices.Clone(who.AWS), func(p string) bool { return !keep[accessOf(p, s)] })
		if s.Principal = &who; len(who.AWS) > 0 {
			kept = append(kept, s)
		}
	}
	return len(kept) == 0 || !lets(n.gateway, before.WithStatements(kept...), v, n.w.now)
}

// waits reports whether the plan removes access that stands.
func waits(before, planned *policy.Document) bool {
	keep := map[string]bool{}
	for _, access := range accesses(planned) {
		keep[access] = true
	}
	return slices.ContainsFunc(accesses(before), func(access string) bool { return !keep[access] })
}

// accesses are principals with their conditions, whatever statement they stand in.
func accesses(owned *policy.Document) []string {
	var all []string
	if owned != nil {
		for _, s := range owned.Statements {
			for _, principal := range s.Principal.AWS {
				all = append(all, accessOf(principal, s))
			}
		}
	}
	return all
}

// accessOf names a principal, by account id or by ARN, with its conditions.
func accessOf(principal string, s policy.Statement) string {
	resource := principal[strings.LastIndexByte(principal, ':')+1:]
	if resource == principal {
		resource = "root"
	}
	return fmt.Sprint(accountOf(principal), resource, s.Condition)
}
