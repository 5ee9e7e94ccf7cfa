package plan

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
)

// verdict is what was decided about accesses, ends aside.
type verdict struct {
	admitted map[Access]bool
	unproved map[Access]error          // why what was compiled for them would not do what the grants say
	refused  map[string]ledger.Refusal // by principal
	siblings []string                  // other installations with statements on the gateway
	stops    map[Access]stop           // by Denies of others; keys without ends
	now      time.Time

	planned  map[Access]bool // what would be admitted but for the failure, or for what withholds the write
	failure  *grant.Error    // why it is not; nil for none
	withheld *grant.Error    // why the plan is not written; nil where it is
}

// against says why a claimed access is not admitted.
func (v verdict) against(a Access) (grant.Code, string) {
	refusal, known := v.refused[a.principal()]
	switch {
	case v.unproved[a] != nil:
		return grant.CodeProofFailed, unprovedMessage(a, v.unproved[a])
	case v.planned[a] && v.withheld != nil:
		return v.withheld.Code, v.withheld.Hint
	case v.planned[a]:
		return v.failure.Code, v.failure.Error()
	case (!known || !refusal.Holds(v.now)) && len(v.siblings) > 0:
		return grant.CodeOtherInstallation, belongsTo(v.siblings)
	case !known || !refusal.Holds(v.now):
		return grant.CodePolicyFull, "the gateway's policy has no room for it"
	case refusal.Code == grant.CodeRecreated:
		return refusal.Code, a.Who.String() + " was, or may have been, deleted since it was let in, and may belong to someone else now; `gateway-grants approve` lets it in once you know whose it is, or revoke the grant"
	case refusal.Code == grant.CodePolicyRefused:
		return refusal.Code, "AWS refuses a policy with " + a.principal() + " in it; it is tried again at " + refusal.NextTry.UTC().Format(time.RFC3339)
	default:
		return refusal.Code, "AWS does not know " + a.principal() + withoutPath(a.Who.String()) + "; it is tried again at " + refusal.NextTry.UTC().Format(time.RFC3339)
	}
}

// withoutPath says where a role of IAM Identity Center is, if this one is elsewhere.
// https://docs.aws.amazon.com/singlesignon/latest/userguide/referencingpermissionsets.html
func withoutPath(who string) string {
	if !strings.Contains(who, ":role/AWSReservedSSO_") {
		return ""
	}
	return " (the roles of IAM Identity Center are under role/aws-reserved/sso.amazonaws.com/, which a session's ARN leaves out)"
}

// unprovedMessage names the access that the product cannot write rightly.
func unprovedMessage(a Access, why error) string {
	if failure, ok := errors.AsType[*grant.Error](why); ok {
		why = errors.New(failure.Hint)
	}
	who := a.Who.String()
	if under := a.describe(); under != "" {
		who += " (" + under + ")"
	}
	return fmt.Sprintf("the statement for %s fails its check and is not written, everything else is; write the grant's principal or conditions in another way. The check failed with: %v", who, why)
}

// changes says what becomes of each principal, and because of which grants.
func changes(claims []claim, standing map[Access]bool, v verdict, owned observation) []Change {
	because := make(map[Access][]grant.Key)
	for _, c := range claims {
		for _, a := range c.accesses {
			because[a] = append(because[a], c.row.Key)
		}
	}
	var all []Change
	say := func(verb Verb, a Access) {
		all = append(all, Change{Verb: verb, Access: a, Principal: a.Who.String(), Under: a.describe(), Grants: because[a]})
	}
	for a := range v.admitted {
		if standing[a] {
			say(Keep, a)
		} else {
			say(Add, a)
		}
	}
	for a := range standing {
		if !v.admitted[a] {
			say(Remove, a)
		}
	}
	for a, keys := range because {
		if !v.admitted[a] {
			code, message := v.against(a)
			all = append(all, Change{Verb: LeaveOut, Access: a, Principal: a.Who.String(), Under: a.describe(), Grants: keys, Reason: code, Message: message})
		}
	}
	for _, c := range claims {
		if c.reason != "" {
			all = append(all, Change{Verb: LeaveOut, Principal: c.row.Grant.Subject().String(), Grants: []grant.Key{c.row.Key},
				Reason: c.reason, Message: c.message})
		}
	}
	for _, id := range owned.leftovers {
		all = append(all, Change{Verb: Remove, Principal: id, Message: "the unique id of a role or user that was deleted"})
	}
	for _, s := range owned.strange {
		all = append(all, Change{Verb: Remove, Principal: "statement " + s.Sid, Message: "it is not ours, although its Sid has this installation's prefix"})
	}
	slices.SortFunc(all, compareChange)
	return all
}

func compareChange(a, b Change) int {
	return cmp.Or(cmp.Compare(a.Principal, b.Principal), cmp.Compare(a.Under, b.Under), cmp.Compare(a.Verb, b.Verb))
}

// statuses says where every row stands.
func statuses(world World, claims []claim, v verdict) map[grant.Key]grant.Status {
	all := make(map[grant.Key]grant.Status, len(world.Rows))
	for _, row := range world.Rows {
		switch {
		case row.Fault != nil:
			all[row.Key] = faulty(row.Fault)
		case !row.Grant.Live(world.Now):
			all[row.Key] = grant.Status{Phase: grant.PhaseExpired, Message: "expired at " + row.Grant.Expires.Format(time.RFC3339)}
		}
	}
	for _, c := range claims {
		status := c.status(v)
		if c.fault != nil {
			status = c.keeping(status)
		}
		status = c.remember(status, world.Gateway.Recorded.Grants[c.row.Key])
		if c.fault != nil && len(status.Given()) == 0 {
			status = faulty(c.fault) // nothing is left to keep, and the next run has no record of it
		}
		all[c.row.Key] = status
	}
	for _, row := range world.Rows {
		status := all[row.Key]
		status.Revision = row.Revision
		status.Since = world.Now
		recorded, ok := world.Gateway.Recorded.Grants[row.Key]
		if ok && status.Phase == recorded.Phase && status.Reason == recorded.Reason {
			status.Since = recorded.Since
		}
		status.Expiring = recorded.Expiring && expiring(row, world.Now)
		all[row.Key] = status
	}
	return all
}

// status is where a live grant stands: wholly or partly in the policy, or not.
func (c claim) status(v verdict) grant.Status {
	if c.reason != "" {
		return grant.Status{Phase: grant.PhaseLeftOut, Reason: c.reason, Message: c.message}
	}
	var status grant.Status
	for _, a := range c.accesses {
		if v.admitted[a] {
			status.Admitted = append(status.Admitted, a.Who.String())
			continue
		}
		code, message := v.against(a)
		if status.Reason == "" || code != grant.CodePolicyFull && status.Reason == grant.CodePolicyFull {
			status.Reason, status.Message = code, message
		}
	}
	slices.Sort(status.Admitted)
	status.Phase = grant.PhaseAdmitted
	if len(status.Admitted) == 0 {
		status.Phase = grant.PhaseLeftOut
	}
	if left := len(c.accesses) - len(status.Admitted); left > 0 && len(c.accesses) > 1 {
		status.Message = fmt.Sprintf("%d of %d principals are left out, such as: %s", left, len(c.accesses), status.Message)
	}
	if status.Reason == "" {
		status.Reason, status.Message = c.denied(v)
	}
	return status
}

// nextDue is when the first of the claims ends or the first refused principal is
// tried again; zero for never.
func nextDue(claims []claim, refused map[string]ledger.Refusal, now time.Time) time.Time {
	var next time.Time
	soonest := func(t time.Time) {
		if !t.IsZero() && t.After(now) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for _, c := range claims {
		if end := c.row.Grant.Expires; !end.IsZero() {
			soonest(end)
			soonest(end.Add(-expiringWithin))
		}
	}
	for _, refusal := range refused {
		soonest(refusal.NextTry)
	}
	return next
}
