package handler

import (
	"context"
	"encoding/json"
	"log/slog"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// GatewayEvents handles events about single gateways: requests to reconcile
// one, and calls that touched one or its policy. All fields are required.
type GatewayEvents struct {
	Reconciler Reconciler
	Log        *slog.Logger
	Metrics    Metrics
}

// Handle reconciles the gateway that an event is about. An event says where to
// look, never what to do. It fails only where the same event may do better
// later; what is malformed or concerns no gateway is logged and let go.
func (g *GatewayEvents) Handle(ctx context.Context, payload json.RawMessage) error {
	var done counts
	defer func() { g.Metrics.Emit(ctx, "", done) }()

	about, err := readGatewayEvent(payload)
	switch {
	case err != nil:
		g.Log.ErrorContext(ctx, "event let go", "error", clip(err.Error()), "payload", clip(string(payload)))
		done.add(CountMalformed, 1)
		return nil
	case about.ignored != "":
		g.Log.InfoContext(ctx, "event ignored", "reason", about.ignored)
		done.add(CountIgnored, 1)
		return nil
	}
	result, err := reconcileNow(ctx, g.Reconciler, g.Log, about.gateway, about.cause)
	if err != nil {
		done.add(CountUnrecorded, 1)
		return err
	}
	g.Metrics.Emit(ctx, about.gateway.ARN(), measured(about.cause, result))
	return nil
}

// subject is what an event is about: a gateway, or why none.
type subject struct {
	gateway grant.Gateway
	cause   reconcile.Cause
	ignored string
}

func ignore(why string) (subject, error) { return subject{ignored: clip(why)}, nil }
