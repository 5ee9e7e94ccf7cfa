package handler

import (
	"context"
	"fmt"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/event"
)

// Probes records which probes arrived.
type Probes interface {
	// RecordProbe records that a probe arrived, once or more often.
	RecordProbe(ctx context.Context, id string, at time.Time) error
}

// probed says that a probe arrived that its account may send.
func (g *GatewayEvents) probed(ctx context.Context, probe event.Probe) error {
	g.Log.InfoContext(ctx, "probe arrived", "sender", probe.Sender, "probe", probe.ID)
	return recordProbe(ctx, g.Probes, probe, g.Now())
}

// probed says that a probe of the management account arrived.
func (o *Organization) probed(ctx context.Context, probe event.Probe, done *counts) error {
	from, err := o.fromManagement(ctx, probe.Sender, "probe", probe.ID, done)
	if err != nil || !from {
		return err
	}
	o.Log.InfoContext(ctx, "probe arrived", "sender", probe.Sender, "probe", probe.ID)
	return recordProbe(ctx, o.Probes, probe, o.Now())
}

func recordProbe(ctx context.Context, probes Probes, probe event.Probe, at time.Time) error {
	if err := probes.RecordProbe(ctx, probe.ID, at); err != nil {
		return fmt.Errorf("record probe %s of account %s: %w", probe.ID, probe.Sender, err)
	}
	return nil
}
