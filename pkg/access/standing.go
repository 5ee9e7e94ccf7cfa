package access

import (
	"cmp"
	"slices"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// PhasePending is a live grant whose access is not in the policy yet.
const PhasePending grant.Phase = "Pending"

// because are the grants that an access of our statements is there for.
func (g Gateway) because(a plan.Access) []grant.Key {
	a.Until = 0
	for _, change := range g.Plan.Changes {
		if change.Access == a && len(change.Grants) > 0 {
			return change.Grants
		}
	}
	var keys []grant.Key
	for key, status := range g.World.Gateway.Recorded.Grants {
		if slices.Contains(status.Admitted, a.Who.String()) {
			keys = append(keys, key)
		}
	}
	return sortedKeys(keys)
}

// waiting are the grants that mean the caller and do not let it in.
func (g Gateway) waiting(who policy.Caller) []Standing {
	pending := make(map[grant.Key]bool)
	for _, change := range g.Plan.Changes {
		for _, key := range change.Grants {
			pending[key] = pending[key] || change.Verb == plan.Add && change.Access.Means(who)
		}
	}
	var all []Standing
	for _, row := range g.World.Rows {
		if !g.means(row, who) {
			continue
		}
		status := g.Plan.Status[row.Key]
		standing := Standing{Key: row.Key, Phase: status.Phase, Reason: status.Reason, Message: status.Message}
		switch {
		case pending[row.Key]:
			standing = Standing{Key: row.Key, Phase: PhasePending, Message: "it is not in the policy yet"}
		case status.Phase == grant.PhaseAdmitted && status.Reason == "":
			continue // it lets in others, or calls from elsewhere
		}
		all = append(all, standing)
	}
	slices.SortFunc(all, func(a, b Standing) int { return compareKeys(a.Key, b.Key) })
	return all
}

// means reports whether a row names the caller, or may: a selector that cannot be
// resolved may mean any account.
func (g Gateway) means(row grant.Row, who policy.Caller) bool {
	principal, role := row.Named, ""
	var exclude grant.Exclusion
	if row.Grant != nil {
		principal, role, exclude = row.Grant.Subject(), row.Grant.Role, row.Grant.Exclude
	}
	switch {
	case principal == grant.Principal{}:
		return false
	case !principal.IsSelector():
		named, _ := policy.ParseIAMARN(principal.ARN(g.World.Gateway.Gateway.Partition()))
		return plan.Access{Who: named}.Means(who)
	case slices.Contains(exclude.Accounts, who.Account):
		return false
	}
	if role != "" && !(plan.Access{Who: policy.IAMARN{Account: who.Account, Resource: "role/" + role}}).Means(who) {
		return false
	}
	accounts, known := g.World.Accounts.Select(principal, exclude)
	if !known && row.Grant != nil {
		accounts, known = g.World.Gateway.Recorded.Gateway.Selected[plan.SelectionKey(row.Grant)]
	}
	return !known || slices.Contains(accounts, who.Account)
}

func compareKeys(a, b grant.Key) int {
	return cmp.Or(cmp.Compare(a.Gateway, b.Gateway), cmp.Compare(a.ID, b.ID))
}

func sortedKeys(keys []grant.Key) []grant.Key {
	slices.SortFunc(keys, compareKeys)
	return slices.Compact(keys)
}
