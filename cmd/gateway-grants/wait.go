package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/agentcore"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// waiting is whether, and how long, a command waits until rows are in force.
type waiting struct {
	on   bool
	most time.Duration
}

func waitFlags(cmd *cobra.Command, w *waiting) {
	const most = 5 * time.Minute
	cmd.Flags().BoolVar(&w.on, "wait", false, "end once it is in force, or say why it is not")
	cmd.Flags().DurationVar(&w.most, "timeout", most, "how long to wait at most")
}

func (w waiting) check(cmd *cobra.Command) error {
	switch {
	case !w.on && cmd.Flags().Changed("timeout"):
		return usage(cmd, "--timeout goes with --wait")
	case w.most <= 0:
		return usage(cmd, fmt.Sprintf("--timeout %s leaves no time to wait: write 5m, for example", w.most))
	}
	return nil
}

// lookEvery is how often what is recorded of a gateway is looked at.
const lookEvery = 2 * time.Second

// awaited is a row on one gateway, as it has to be recorded.
type awaited struct {
	gateway  grant.Gateway
	key      grant.Key
	revision string // "" for a row that is gone
}

// awaitedOn is a row on each gateway that it is for.
func (p *program) awaitedOn(ctx context.Context, where scope, key grant.Key, revision string, s *session) ([]awaited, error) {
	concerned, err := managed(ctx, where, agentcore.New(s.config, agentcore.Deployment(p.settings.reach)))
	all := make([]awaited, len(concerned))
	for i, gateway := range concerned {
		all[i] = awaited{gateway, key, revision}
	}
	return all, err
}

func (p *program) awaitedGrants(ctx context.Context, granted []granting, s *session) ([]awaited, error) {
	var all []awaited
	for _, g := range granted {
		each, err := p.awaitedOn(ctx, g.where, g.row.Key, g.row.Revision, s)
		if err != nil {
			return nil, err
		}
		all = append(all, each...)
	}
	return all, nil
}

// await waits until the functions have recorded every row. It fails for rows that they
// leave out, with their reason, and for those that are not recorded in time.
func (p *program) await(ctx context.Context, states reconcile.States, all []awaited, w waiting) error {
	deadline, total := p.now().Add(w.most), len(all)
	shown := p.steps("Waiting until it is in force", total)
	defer shown.clear()
	var reasons []string
	for {
		var open []awaited
		for _, a := range all {
			done, reason, err := a.look(ctx, states)
			if err != nil {
				return err
			}
			if !done {
				open = append(open, a)
			}
			if reason != "" {
				reasons = append(reasons, reason)
			}
		}
		all = open
		shown.at(total - len(all))
		switch {
		case len(all) == 0 && len(reasons) > 0:
			return refuse("not in force: %s", strings.Join(reasons, "; "))
		case len(all) == 0:
			shown.clear()
			if !p.settings.structured() {
				fmt.Fprintln(p.out, p.paint(p.out).green("In force."))
			}
			return nil
		case !p.now().Before(deadline):
			return refuse("not in force after %s: %s; gateway-grants doctor looks for the cause", w.most, strings.Join(append(reasons, late(ctx, states, all)...), "; "))
		}
		if err := p.clock.Sleep(ctx, lookEvery); err != nil {
			return err
		}
	}
}

// look reports whether the row is recorded as it has to be, and why it is not in force
// then; "" where it is.
func (a awaited) look(ctx context.Context, states reconcile.States) (done bool, reason string, err error) {
	state, err := states.Load(ctx, a.gateway)
	if err != nil {
		return false, "", err
	}
	status, known := state.Grants[a.key]
	switch {
	case a.revision == "":
		return !known, "", nil
	case !known || status.Revision != a.revision:
		return false, "", nil
	case status.Phase == grant.PhaseAdmitted && status.Reason == "":
		return true, "", nil
	}
	return true, strings.TrimSuffix(fmt.Sprintf("grant %s on %s is %s %s: %s", a.key.ID, a.gateway.ID(), status.Phase, status.Reason, oneLine(status.Message)), ": "), nil
}

// late says of rows that are not recorded yet what is known of their gateways.
func late(ctx context.Context, states reconcile.States, all []awaited) []string {
	var texts []string
	for _, a := range all {
		text := "grant " + a.key.ID + " on " + a.gateway.ID() + " is not recorded yet"
		if state, err := states.Load(ctx, a.gateway); err == nil && state.Gateway.LastError != "" {
			text += " (" + string(state.Gateway.LastError) + ": " + oneLine(state.Gateway.LastMessage) + ")"
		}
		texts = append(texts, text)
	}
	return texts
}
