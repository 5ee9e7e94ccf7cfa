package handler

import (
	"context"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// Metrics records what a function did.
type Metrics interface {
	// Emit records a value of each of the named metrics. They are of the gateway
	// with this ARN or, where it is "", of the whole invocation.
	Emit(ctx context.Context, gateway string, values map[string]int)
}

// The gauges: the present state, for alarms to watch, 0 included. They are the only
// values that CloudWatch makes metrics of; all others are members of log lines.
const (
	GaugeHeartbeat  = "Heartbeat"           // 1 with each minute's sweep that has read the state
	GaugeFailing    = "GatewaysFailing"     // gateways whose policy may not be what their grants say
	GaugeLeftOut    = "GrantsLeftOut"       // live grants left out, or not understood, that an admin has to mend
	GaugeNearlyFull = "PoliciesNearlyFull"  // policies with little room left
	GaugeLetsIn     = "UnmanagedWithAccess" // gateways that are managed no more and still hold statements of ours
	GaugeUnlisted   = "ListingsFailed"      // 1 where some owner or region could not be walked through
	GaugeHeld       = "DeparturesHeld"      // accounts that lose nothing until an admin approves
	GaugeRemoved    = "RowsRemoved"         // rows that were removed at once, within the last hour, where they are so many that it may be an accident
	GaugeUnreadOrg  = "OrganizationUnread"  // 1 where the organization cannot be listed, and could be before
)

var isGauge = map[string]bool{
	GaugeHeartbeat: true, GaugeFailing: true, GaugeLeftOut: true, GaugeNearlyFull: true,
	GaugeLetsIn: true, GaugeUnlisted: true, GaugeHeld: true, GaugeRemoved: true, GaugeUnreadOrg: true,
}

// IsGauge reports whether CloudWatch is to make a metric of the value of that name.
func IsGauge(name string) bool { return isGauge[name] }

// The values of an invocation. Each is left out where it is zero.
const (
	CountRequested  = "ReconcilesRequested"
	CountIgnored    = "EventsIgnored"   // rightly: they concern nothing here
	CountMalformed  = "EventsMalformed" // malformed, or from the wrong account; logged and dropped
	CountUnrecorded = "OutcomesLost"    // to be delivered again
	CountAccounts   = "AccountsRead"
)

// The metrics of one reconcile. The first three counts are never left out; those
// of the policy are, where it is not known to be what the grants say.
const (
	CountReconciled = "GatewaysReconciled" // outcomes recorded, good or bad
	CountPasses     = "ReconcilePasses"
	CountWritten    = "PoliciesWritten"   // puts and deletions that took effect, or may have
	CountFailing    = "ReconcilesFailing" // after which the policy may not be what the grants say
	CountRepaired   = "DriftRepaired"

	ChangesNotApplied = "ChangesNotApplied" // principals that would be added or removed, but for the deployment's mode or a takeover that is not approved

	GrantsQuarantined  = "GrantsQuarantined" // live grants left out, or partly, because of a principal: AWS refuses it, it was deleted, or its statement fails its check
	GrantsWithoutRoom  = "GrantsWithoutRoom" // the same because the policy is full
	GrantsInvalid      = "GrantsInvalid"     // rows that cannot be understood
	HeadroomBytes      = "HeadroomBytes"     // until the policy is full, as accounted
	HeadroomStatements = "HeadroomStatements"

	TimeToApplied = "TimeToApplied" // from the request until the policy was read back as the grants say
)

// counts are what one invocation did. The zero value is ready to use.
type counts map[string]int

func (c *counts) add(name string, n int) {
	if *c == nil {
		*c = make(counts)
	}
	if n != 0 {
		(*c)[name] += n
	}
}

// set is for gauges, which say 0, too.
func (c *counts) set(name string, n int) {
	if *c == nil {
		*c = make(counts)
	}
	(*c)[name] = n
}

// letsInUnmanaged reports whether a gateway that may not be written to, because it
// lost its tag or left the deployment's list, holds statements of ours.
func letsInUnmanaged(result reconcile.Result) bool {
	if result.Failure == nil || !mayLetIn(result.Plan.Hash) {
		return false
	}
	return result.Failure.Code == grant.CodeNotManaged || result.Failure.Code == grant.CodeNotListed
}

// mayLetIn reports whether a plan's hash is one of statements: where nothing is
// recorded, or no statement was written, nothing of ours gives access.
func mayLetIn(hash string) bool { return hash != "" && hash != "none" }

// measured is what one reconcile is worth recording.
func measured(cause reconcile.Cause, result reconcile.Result) map[string]int {
	values := counts{CountReconciled: 1, CountPasses: result.Passes, CountWritten: result.Writes}
	if result.Repaired {
		values.add(CountRepaired, 1)
	}
	if !result.Applied.IsZero() && !cause.RequestedAt.IsZero() {
		values[TimeToApplied] = max(0, int(result.Applied.Sub(cause.RequestedAt).Milliseconds()))
	}
	if pending := result.Plan.NotApplied; pending != nil {
		values[ChangesNotApplied] = len(pending.Added) + len(pending.Removed)
	}
	if result.Failure != nil && result.Failure.Code != grant.CodeObserved {
		values.add(CountFailing, 1)
		return values
	}
	values[HeadroomBytes] = plan.MaxPolicyBytes - result.Plan.Size.Bytes
	values[HeadroomStatements] = plan.MaxPolicyStatements - result.Plan.Size.Statements
	values[GrantsQuarantined], values[GrantsWithoutRoom], values[GrantsInvalid] = 0, 0, 0
	for _, status := range result.Plan.Status {
		if status.Phase == grant.PhaseInvalid {
			values[GrantsInvalid]++
		}
		switch status.Reason {
		case grant.CodeQuarantined, grant.CodePolicyRefused, grant.CodeRecreated, grant.CodeProofFailed:
			values[GrantsQuarantined]++
		case grant.CodePolicyFull:
			values[GrantsWithoutRoom]++
		default:
		}
	}
	return values
}
