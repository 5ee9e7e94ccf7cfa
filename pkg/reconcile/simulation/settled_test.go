package simulation

import (
	"slices"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// ended judges a run that reports success: if no other actor interfered, the gateway
// is settled.
func (w *world) ended(n *run) {
	n.gateway.takeover = n.result.Plan.TakeoverOf
	if n.result.Failure != nil || n.stale || n.unknown || n.unmarked {
		return
	}
	if n.alone() && len(n.gateway.late) == 0 {
		w.isSettled(n.gateway, false)
	}
}

// moment is when something was looked at, and how closely.
type moment struct {
	effects int
	now     time.Time
	strict  bool
}

// isSettled is invariant 1. Only once everything has come to rest must it be
// strict: before, a principal may exist whose next try is still to come.
func (w *world) isSettled(g *gateway, strict bool) {
	seen := moment{w.effects, w.now, strict}
	if g.settled == seen {
		return // nothing happened since it was last looked at
	}
	g.settled = seen
	state := w.state(g)
	rows := w.rows(g)
	keys := map[grant.Key]bool{}
	for _, row := range rows {
		keys[row.Key] = true
		w.hasItsReason(g, row, state.Grants[row.Key], func(principal string) bool {
			refusal, refused := state.Gateway.Refused[principal]
			return !strict && refused && refusal.NextTry.After(w.now)
		})
	}
	for key := range state.Grants {
		if !keys[key] {
			w.violate(1, "%s has a status on %s although there is no such row", key, g.name)
		}
	}
	for i, allowed := range w.allowed(g) {
		v := visitors[i]
		may, must := w.admitted(g, rows, v)
		if (allowed && !may || !allowed && must) && !w.iam.gone(v) {
			w.violate(1, "%s on %s: allowed is %t, and may be %t by the statuses", v, g.name, allowed, may)
		}
	}
}

// admitted reports whether the statuses say that the visitor is let in: may, by one of
// the revisions that a row may count in, and must, by each of them.
func (w *world) admitted(g *gateway, rows []grant.Row, v visitor) (may, must bool) {
	for _, row := range rows {
		revisions := g.revisions(row)
		lets := func(given *grant.Grant) bool { return w.admits(g, row, given, v) }
		some := slices.ContainsFunc(revisions, lets)
		may = may || some
		must = must || some && !slices.ContainsFunc(revisions, func(given *grant.Grant) bool { return !lets(given) })
	}
	return may, must
}

// admits reports whether a row lets the visitor in as the revision says, by the
// principals that it is recorded to admit, as far as the revision means them.
func (w *world) admits(g *gateway, row grant.Row, given *grant.Grant, v visitor) bool {
	if !given.Live(w.now) || !v.from(given.Conditions) {
		return false
	}
	arns, reason := w.org.claims(given, w.limits.Trusted)
	return slices.ContainsFunc(w.state(g).Grants[row.Key].Admitted, func(arn string) bool {
		means := row.Fault == nil || reason == grant.CodeNoDirectory || slices.Contains(arns, arn)
		return means && within(arn, v.arn())
	})
}

// gone reports whether no principal can call by the visitor's ARN.
func (i *iam) gone(v visitor) bool {
	return i.ids[rootOf(v.caller.Account)] == "" || i.missing[v.arn()] && i.ids[v.arn()] == ""
}

// hasItsReason checks that each principal that a live grant means is admitted, or that
// the grant carries a true reason.
func (w *world) hasItsReason(g *gateway, row grant.Row, status grant.Status, waiting func(string) bool) {
	if status.Revision != row.Revision {
		w.violate(1, "the status of %s on %s is not about the row as it is", row.Key, g.name)
		return
	}
	if row.Fault != nil {
		w.givesNoMore(g, row, status)
		return
	}
	if !row.Grant.Live(w.now) {
		if len(status.Admitted) > 0 || status.Phase != grant.PhaseInvalid && status.Phase != grant.PhaseExpired {
			w.violate(1, "%s on %s is no live grant and is %+v", row.Key, g.name, status)
		}
		return
	}
	arns, reason := w.org.claims(row.Grant, w.limits.Trusted)
	if reason == grant.CodeNoDirectory && len(status.Admitted) > 0 {
		arns = status.Admitted
	}
	if reason != "" && status.Reason != reason {
		w.violate(1, "%s on %s is %+v, and the reason is %s", row.Key, g.name, status, reason)
	}
	for _, arn := range status.Admitted {
		if !slices.Contains(arns, arn) {
			w.violate(1, "%s on %s lets in %s, which it does not mean", row.Key, g.name, arn)
		}
	}
	left := slices.DeleteFunc(slices.Clone(arns), func(arn string) bool { return slices.Contains(status.Admitted, arn) })
	explained := len(left) == 0
	for _, arn := range left {
		isIt := w.isReason(g, status.Reason, arn, waiting)
		explained = explained || isIt
		// A status shows one reason. Each other principal has a true one that it does not show.
		others := []grant.Code{grant.CodePolicyFull, grant.CodeQuarantined, grant.CodePolicyRefused, grant.CodeOtherInstallation}
		if !isIt && !slices.ContainsFunc(others, func(other grant.Code) bool { return w.isReason(g, other, arn, waiting) }) {
			w.violate(1, "%s on %s leaves out %s: %+v", row.Key, g.name, arn, status)
		}
	}
	if !explained {
		w.violate(1, "%s on %s is %+v, which is true of none of %v", row.Key, g.name, status, left)
	}
}

// givesNoMore checks that a row that cannot be understood lets in only principals that
// its last valid revision means.
func (w *world) givesNoMore(g *gateway, row grant.Row, status grant.Status) {
	var meant []string
	for _, was := range g.revisions(row) {
		if arns, reason := w.org.claims(was, w.limits.Trusted); was.Live(w.now) {
			meant = append(meant, arns...)
			if reason == grant.CodeNoDirectory {
				meant = append(meant, status.Admitted...)
			}
		}
	}
	for _, arn := range status.Admitted {
		if !slices.Contains(meant, arn) {
			w.violate(1, "%s on %s cannot be understood, and lets in %s, which it did not mean before", row.Key, g.name, arn)
		}
	}
	if status.Phase != grant.PhaseInvalid {
		w.violate(1, "%s on %s cannot be understood and is %+v", row.Key, g.name, status)
	}
}

// isReason reports whether a reason for leaving out a principal is true.
func (w *world) isReason(g *gateway, reason grant.Code, arn string, waiting func(string) bool) bool {
	root := rootOf(accountOf(arn))
	refused := func(p string) bool {
		return w.iam.missing[p] && w.iam.ids[p] == "" || waiting(p) && (w.iam.missing[p] || g.mistaken[p])
	}
	switch reason {
	case grant.CodeQuarantined:
		return refused(arn) || refused(root)
	case reconcile.CodePrincipalRejected:
		return w.doubtful(g)
	case grant.CodePolicyRefused:
		return w.disliked != "" && (arn == w.disliked || root == w.disliked)
	case reconcile.CodeBlockedByForeign:
		return w.doubtful(g) && foreignNamesPrincipal(parse(w.text(g)))
	case grant.CodeOtherInstallation:
		return besideSibling(parse(w.text(g)))
	case grant.CodeRecreated:
		return g.left[arn] || g.unclear[arn] || g.mistaken[arn]
	case grant.CodePolicyFull:
		return w.expandedSize(parse(w.text(g)))+len(arn)+700 > w.limits.MaxBytes
	default:
		return false
	}
}
