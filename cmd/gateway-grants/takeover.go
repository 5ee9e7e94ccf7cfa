package main

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// heldTakeover is a gateway that this deployment has to be let take over, and what it
// would do there.
type heldTakeover struct {
	Gateway string   `json:"gateway"`
	Adds    []string `json:"adds"`
	Removes []string `json:"removes"`
	Found   string   `json:"found"` // names the statements that were shown

	gateway grant.Gateway
}

// takeovers reads the gateways that wait for a takeover: those that are named or, where
// none is, those that reconciles have recorded as such.
func takeovers(ctx context.Context, stored opened, reconciler *reconcile.Reconciler, named []grant.Gateway) ([]heldTakeover, error) {
	waiting := named
	if len(named) == 0 {
		var err error
		if waiting, err = recordedTakeovers(ctx, stored.states); err != nil {
			return nil, err
		}
	}
	held := []heldTakeover{}
	for _, gateway := range waiting {
		decided, err := reconciler.Plan(ctx, gateway)
		switch {
		case err != nil:
			return nil, err
		case decided.TakeoverOf != "":
			held = append(held, heldTakeover{
				Gateway: gateway.ARN(), Adds: decided.NotApplied.Added, Removes: decided.NotApplied.Removed, Found: decided.TakeoverOf, gateway: gateway,
			})
		case len(named) > 0:
			return nil, refuse("gateway %s waits for no takeover: gateway-grants approve shows what waits", gateway.ARN())
		}
	}
	return held, nil
}

func recordedTakeovers(ctx context.Context, states statesTable) ([]grant.Gateway, error) {
	wants, err := states.Attention(ctx)
	if err != nil {
		return nil, err
	}
	var waiting []grant.Gateway
	for _, arn := range slices.Sorted(maps.Keys(wants)) {
		gateway, err := grant.ParseGateway(arn)
		if err != nil || !wants[arn].Failing {
			continue
		}
		state, err := states.Load(ctx, gateway)
		if err != nil {
			return nil, err
		}
		if state.Gateway.LastError == grant.CodeTakeoverNeeded {
			waiting = append(waiting, gateway)
		}
	}
	return waiting, nil
}

func (p *program) showTakeovers(held []heldTakeover) {
	paint := p.paint(p.out)
	for _, h := range held {
		fmt.Fprintf(p.out, "Takeover of %s (%d to add, %d to remove)\n", h.Gateway, len(h.Adds), len(h.Removes))
		for _, who := range h.Adds {
			fmt.Fprintln(p.out, paint.green("  +"), who)
		}
		for _, who := range h.Removes {
			fmt.Fprintln(p.out, paint.red("  -"), who)
		}
	}
}

// approveTakeovers records the approvals, each of the statements that were shown.
func (p *program) approveTakeovers(ctx context.Context, table grantsTable, held []heldTakeover, by string) error {
	for _, h := range held {
		approved := grant.Takeover{Found: h.Found, At: p.now()}
		if err := table.ApproveTakeover(ctx, h.gateway, approved, by); err != nil {
			return err
		}
	}
	return nil
}
