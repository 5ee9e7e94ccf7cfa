package memory

import (
	"context"
	"strings"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

// Approvals reads what admins approved about the gateway, by subject.
func (g *Grants) Approvals(ctx context.Context, gateway grant.Gateway) (grant.Approvals, error) {
	return g.approvals(ctx, grant.GatewayApprovals(gateway))
}

// ApprovedDepartures reads which departures from the organization admins approved, by
// subject.
func (g *Grants) ApprovedDepartures(ctx context.Context) (grant.Approvals, error) {
	return g.approvals(ctx, grant.DepartureApprovals)
}

func (g *Grants) approvals(ctx context.Context, prefix string) (approved grant.Approvals, err error) {
	err = g.table.read(ctx, "read what admins approved", func(v *view) error {
		approved = store.ParseApprovals(v.where(func(key store.Key) bool {
			return key.Partition == grant.ApprovalsScope && strings.HasPrefix(key.Sort, prefix)
		}))
		return nil
	})
	return approved, err
}

// Approve records that an admin, by ARN, approves the decision, in place of any earlier
// approval of its subject, and deletes approvals that count no more.
func (g *Grants) Approve(ctx context.Context, decision grant.Decision, at time.Time, by string) error {
	return g.table.write(ctx, "approve "+decision.Subject, func(v *view) error {
		for subject, approval := range store.ParseApprovals(v.partition(grant.ApprovalsScope)) {
			if at.Sub(approval.At) >= grant.ApprovedFor {
				v.delete(store.Key{Partition: grant.ApprovalsScope, Sort: subject})
			}
		}
		return v.put(store.ApprovalItem(decision, at, by))
	})
}
