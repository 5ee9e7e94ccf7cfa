package handler

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/event"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// Attention records what needs attention about each gateway. The sweep of every minute
// publishes it as gauges, for alarms to watch.
type Attention interface {
	SetAttention(ctx context.Context, gateway grant.Gateway, wants plan.Attention) error
}

// Watched is a Reconciler that records after each reconcile what an admin has to look
// at. It logs a record that fails, and changes no outcome: the next reconcile of the
// gateway records it.
type Watched struct {
	Reconciler
	Attention Attention
	Log       *slog.Logger
}

// Reconcile reconciles the gateway, and then records what an admin has to look at. It
// fails as the Reconciler does.
func (w Watched) Reconcile(ctx context.Context, gateway grant.Gateway, cause reconcile.Cause) (reconcile.Result, error) {
	result, err := w.Reconciler.Reconcile(ctx, gateway, cause)
	if err != nil {
		return result, err
	}
	if failed := w.Attention.SetAttention(ctx, gateway, attentionOf(result)); failed != nil {
		w.Log.WarnContext(ctx, "failed to record what needs attention", "gateway", gateway.ARN(), "error", event.OneLine(failed.Error()))
	}
	return result, nil
}

// attentionOf is what needs attention after a reconcile. States are no faults: a gateway
// that the product does not manage, and a deployment that is still being set up.
func attentionOf(result reconcile.Result) plan.Attention {
	wants := plan.Attention{LetsIn: letsInUnmanaged(result)}
	if result.Failure != nil && result.Failure.Code != grant.CodeObserved {
		wants.Failing = !isState(result.Failure.Code)
		return wants
	}
	wants.NearlyFull = plan.NearlyFull(result.Plan.Size)
	for _, status := range result.Plan.Status {
		if status.Phase == grant.PhaseInvalid || isLeftOut(status.Reason) {
			wants.LeftOut++
		}
	}
	return wants
}

// codeNoSentinel is that of a deployment whose grants table waits for its sentinel row,
// as the tables name it.
const codeNoSentinel grant.Code = "NoSentinel"

func isState(code grant.Code) bool {
	switch code {
	case grant.CodeNotManaged, grant.CodeNotListed, grant.CodeNotJoined, grant.CodeWrongAuthorizer, grant.CodeGatewayGone, grant.CodeGatewayNotReady,
		codeNoSentinel, grant.CodeNoDirectory:
		return true
	default:
		return false
	}
}

// isLeftOut reports whether an admin has to act on the reason that leaves a grant out. A
// grant that waits for the directory, or selects no account yet, needs nothing.
func isLeftOut(reason grant.Code) bool {
	switch reason {
	case grant.CodeQuarantined, grant.CodeRecreated, grant.CodePolicyFull, grant.CodePolicyRefused, grant.CodeProofFailed,
		grant.CodeOtherInstallation, grant.CodeOutsideOrg, grant.CodeOtherPartition:
		return true
	default:
		return false
	}
}

// gauges are what the gateways' Attention comes to, each with its value, 0 included:
// an alarm ends with the fault only if it is reported.
func gauges(all map[string]plan.Attention) map[string]int {
	values := map[string]int{GaugeHeartbeat: 1, GaugeFailing: 0, GaugeLeftOut: 0, GaugeNearlyFull: 0, GaugeLetsIn: 0}
	for _, wants := range all {
		values[GaugeLeftOut] += wants.LeftOut
		for name, is := range map[string]bool{GaugeFailing: wants.Failing, GaugeNearlyFull: wants.NearlyFull, GaugeLetsIn: wants.LetsIn} {
			if is {
				values[name]++
			}
		}
	}
	return values
}

// removalRings is for how long a mass removal raises the alarm. The product cannot know
// whether an admin meant it.
const removalRings = time.Hour

// publishGauges writes the gauges of the gateways.
func (s *Sweep) publishGauges(ctx context.Context) error {
	all, err := s.States.Attention(ctx)
	if err != nil {
		return fmt.Errorf("read what needs attention: %w", err)
	}
	removal, err := s.States.Removal(ctx)
	if err != nil {
		return fmt.Errorf("read the last mass removal: %w", err)
	}
	values := gauges(all)
	if values[GaugeRemoved] = 0; s.Now().Sub(removal.At) < removalRings {
		values[GaugeRemoved] = removal.Removed
	}
	s.Metrics.Emit(ctx, "", values)
	return nil
}
