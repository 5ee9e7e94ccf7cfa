package handler

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/event"
)

// Probes records which probes arrived.
type Probes interface {
	// RecordProbe records that a probe arrived, once or more often.
	RecordProbe(ctx context.Context, id string, at time.Time) error
}

// probed records a probe that its account may send.
func (g *GatewayEvents) probed(ctx context.Context, probe event.Probe) error {
	return recordProbe(ctx, g.Probes, g.Log, probe, g.Now())
}

// probed records a probe of the management account.
func (o *Organization) probed(ctx context.Context, probe event.Probe, done *counts) error {
	from, err := o.fromManagement(ctx, probe.Sender, "probe", probe.ID, done)
	if err != nil || !from {
		return err
	}
	return recordProbe(ctx, o.Probes, o.Log, probe, o.Now())
}

func recordProbe(ctx context.Context, probes Probes, log *slog.Logger, probe event.Probe, at time.Time) error {
	log.InfoContext(ctx, "probe arrived", "sender", probe.Sender, "probe", probe.ID)
	if err := probes.RecordProbe(ctx, probe.ID, at); err != nil {
		return fmt.Errorf("record probe %s of account %s: %w", probe.ID, probe.Sender, err)
	}
	return nil
}
