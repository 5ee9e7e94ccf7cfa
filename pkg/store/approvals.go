package store

import (
	"context"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// ApprovalItem is the row in which an admin, by ARN, approves a decision.
func ApprovalItem(decision grant.Decision, at time.Time, by string) Item {
	item := GrantsLayout.Item(Key{Partition: grant.ApprovalsScope, Sort: decision.Subject})
	item[grant.AttrFound], item[grant.AttrApprovedAt] = S(decision.Found), S(Moment(at))
	item[grant.AttrReason] = S("An admin approved this. It is no grant, and counts for seven days.")
	if by != "" {
		item[grant.AttrRequestedBy] = S(by)
	}
	return item
}

// ParseApprovals reads rows in which admins approve decisions. One that cannot be
// understood approves nothing.
func ParseApprovals(items []Item) grant.Approvals {
	approvals := make(grant.Approvals, len(items))
	for _, item := range items {
		if at, err := parseMoment(text(item[grant.AttrApprovedAt])); err == nil {
			approvals[GrantsLayout.Of(item).Sort] = grant.Approval{Found: text(item[grant.AttrFound]), At: at}
		}
	}
	return approvals
}

// Approvals reads what admins approved about the gateway, by subject.
func (g *Grants) Approvals(ctx context.Context, gateway grant.Gateway) (grant.Approvals, error) {
	return g.approvals(ctx, grant.GatewayApprovals(gateway))
}

// ApprovedDepartures reads which departures from the organization admins approved, by
// subject.
func (g *Grants) ApprovedDepartures(ctx context.Context) (grant.Approvals, error) {
	return g.approvals(ctx, grant.DepartureApprovals)
}

// approvals reads those whose subjects begin so; "" is for all.
func (g *Grants) approvals(ctx context.Context, prefix string) (grant.Approvals, error) {
	keys := inPartition(GrantsLayout.Partition, grant.ApprovalsScope)
	if prefix != "" { // which no key may be
		keys = keys.and("begins_with(#sort, :sort)", GrantsLayout.Sort, prefix)
	}
	items, err := query(ctx, g.client, g.table, keys)
	if err != nil {
		return nil, unread(g.table, "read what admins approved", err)
	}
	return ParseApprovals(items), nil
}

// Approve records that an admin, by ARN, approves the decision, in place of any earlier
// approval of its subject, and deletes approvals that count no more.
func (g *Grants) Approve(ctx context.Context, decision grant.Decision, at time.Time, by string) error {
	if err := g.put(ctx, ApprovalItem(decision, at, by), false); err != nil {
		return err
	}
	every, err := g.approvals(ctx, "")
	if err != nil {
		return err
	}
	for subject, approval := range every {
		if at.Sub(approval.At) < grant.ApprovedFor {
			continue
		}
		if _, err := g.Delete(ctx, grant.Key{Gateway: grant.ApprovalsScope, ID: subject}); err != nil {
			return err
		}
	}
	return nil
}
