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
		return // what is planted must be found for what it does
	}
	v := violation{invariant, fmt.Sprintf(format, arguments...)}
	w.broken = append(w.broken, v)
	w.tell("VIOLATED: %s", v)
}

// judge holds a write to what its run was told, whether AWS takes it or not: what
// is refused now might have been taken a moment later. Only whom it would have cut
// off is not asked then, for that is how unknown principals are found.
func (n *run) judge(document *policy.Document, visible string) {
	n.keepsForeign(document, visible)
	owned := ownedOnly(document)
	n.namesNobodyByWildcard(owned)
	n.staysInTheOrganization(owned)
	n.leavesOutTheRecreated(owned)
	n.addsNothingBesideASibling(owned)
	n.backsOff(owned)
	n.addsNothingBeneath(owned)
}

// keepsForeign is invariant 4: what others said when the call before the write
// returned is in the write, byte for byte. What they say after that, nobody can
// keep: AgentCore has no condition on a put.
func (n *run) keepsForeign(document *policy.Document, visible string) {
	if want, got := foreignIn(parse(visible)), foreignIn(document); want != got {
		n.w.violate(4, "%s writes %q where others said %q", n.name, got, want)
	}
}

// namesNobodyByWildcard is invariant 8.
func (n *run) namesNobodyByWildcard(owned *policy.Document) {
	if owned == nil {
		return
	}
	for _, s := range owned.Statements {
		if s.Principal == nil || s.Principal.Everyone || slices.ContainsFunc(s.Principal.AWS, func(p string) bool { return strings.ContainsAny(p, "*?") }) {
			n.w.violate(8, "%s writes %s", n.name, s)
		}
	}
}

// principalsOf lists whom the product's statements name.
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

// staysInTheOrganization is invariant 9, by the directory as it was when the run
// read it. Where that read failed, whoever was in may stay, and whom selectors are
// known to have meant.
func (n *run) staysInTheOrganization(owned *policy.Document) {
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

// remembers tells whether the state that the run loaded has the account as meant
// by some selector, or as let in.
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

// leavesOutTheRecreated belongs to invariant 1: a role that the product has seen
// to be gone is not let in again by its name, which may be somebody else's by now.
func (n *run) leavesOutTheRecreated(owned *policy.Document) {
	if len(n.gateway.gone) == 0 {
		return
	}
	for _, principal := range principalsOf(owned) {
		if seen := n.gateway.gone[principal]; seen > 0 && seen < n.decided() && n.names(owned, principal) {
			n.w.violate(1, "%s lets in %s, which was deleted and may be somebody else's by now", n.name, principal)
		}
	}
}

// names tells whether a statement lets somebody in as the very principal that the
// ARN names, and now: one that has ended lets nobody in.
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

// cutsNobody is invariant 2: who was in, as the run read it, and is granted, as the
// rows and the directory were when it read them, stays in, whatever else failed.
// Where room may be short, or another installation keeps the policy, this is so of access that stands and is asked for as it
// is: to let the same caller in another way is new, and may find no room.
func (n *run) cutsNobody(owned *policy.Document) {
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

// genuine leaves out what others have made of the product's statements: whom they
// let in by that, the product need not know.
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

// claims are whom a grant means as far as the run could know: what a selector
// means where the directory cannot be read is what was recorded of it when the run
// read the policy, and still is.
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

// excuses tells whether AWS refuses documents with the name or with the account, or
// knows nobody by it, or whether the run may think so: it did not while the run was
// looking, or the role was deleted after a write was to name it, or it waits to be
// tried again.
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

// interrupts tells whether the run may leave good principals out for a moment: AWS
// refused its document, one that stands is unknown to it, and a revocation waits.
func (n *run) interrupts(before *policy.Document) bool {
	if n.refused == nil {
		return false
	}
	return n.w.refuses(principalsOf(before)) && waits(before, ownedOnly(n.refused))
}

// isToGo tells whether the run looks for unknown principals, and what lets the
// visitor in goes first: what replaces it comes with the additions.
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

// waits tells whether something that stands is to go.
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

// accessOf names who is let in, whether by account id or by ARN, and how far.
func accessOf(principal string, s policy.Statement) string {
	resource := principal[strings.LastIndexByte(principal, ':')+1:]
	if resource == principal {
		resource = "root"
	}
	return fmt.Sprint(accountOf(principal), resource, s.Condition)
}
