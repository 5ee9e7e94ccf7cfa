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

// The metrics of an invocation. Each is left out where it is zero.
const (
	CountRequested  = "ReconcilesRequested"
	CountIgnored    = "EventsIgnored"   // rightly: they concern nothing here
	CountMalformed  = "EventsMalformed" // malformed, or from the wrong account; logged and dropped
	CountUnrecorded = "OutcomesLost"    // to be delivered again
	CountAccounts   = "AccountsRead"
	CountHeld       = "DeparturesHeld" // accounts that lose nothing until an admin approves
	CountUnlisted   = "ListingsFailed" // some owner or region whose gateways could not be found
)

// The metrics of one reconcile. The first three counts are never left out; those
// of the policy are, where it is not known to be what the grants say.
const (
	CountReconciled = "GatewaysReconciled" // outcomes recorded, good or bad
	CountPasses     = "ReconcilePasses"
	CountWritten    = "PoliciesWritten" // puts and deletions that took effect, or may have
	CountFailing    = "GatewaysFailing" // policies that may not be what the grants say
	CountRepaired   = "DriftRepaired"
	CountUnmanaged  = "UnmanagedWithAccess" // gateways that are managed no more and still hold statements of ours

	GrantsQuarantined  = "GrantsQuarantined" // live grants left out, or partly, because of a principal: AWS refuses it, it was deleted, or its statement fails its check
	GrantsWithoutRoom  = "GrantsWithoutRoom" // the same because the policy is full
	GrantsInvalid      = "GrantsInvalid"     // rows that cannot be understood
	HeadroomBytes      = "HeadroomBytes"     // until the policy is full, as accounted
	HeadroomStatements = "HeadroomStatements"

	TimeToApplied = "TimeToApplied" // from the request until the policy was read back as the grants say
)

// units are those that are not Count, as CloudWatch names them.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
var units = map[string]string{HeadroomBytes: "Bytes", TimeToApplied: "Milliseconds"}

// UnitOf is the unit of a metric, as CloudWatch names it.
func UnitOf(metric string) string {
	if unit, ok := units[metric]; ok {
		return unit
	}
	return "Count"
}

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

// letsInUnmanaged tells whether a gateway that may not be written to, because it
// lost its tag or left the deployment's list, holds statements of ours.
func letsInUnmanaged(result reconcile.Result) bool {
	if result.Failure == nil || !mayLetIn(result.Plan.Hash) {
		return false
	}
	return result.Failure.Code == grant.CodeNotManaged || result.Failure.Code == grant.CodeNotListed
}

// mayLetIn tells whether a plan's hash is one of statements: where nothing is
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
	if result.Failure != nil {
		values.add(CountFailing, 1)
		if letsInUnmanaged(result) {
			values.add(CountUnmanaged, 1)
		}
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
