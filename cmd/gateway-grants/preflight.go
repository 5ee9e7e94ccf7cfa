package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/infra/permissions"
	"github.com/gateway-grants/gateway-grants/pkg/doctor"
	"github.com/gateway-grants/gateway-grants/pkg/inspect"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// preflight is a deployment to be, as flags say it.
type preflight struct {
	only        bool
	name        string
	concurrency int
	regions     []string
}

func (b *preflight) flags(cmd *cobra.Command) {
	set := cmd.Flags()
	set.BoolVar(&b.only, "preflight", false, "look before a deployment, at what it will meet")
	set.StringVar(&b.name, "name", "gateway-grants", "with --preflight: parameter Name of the deployment")
	set.IntVar(&b.concurrency, "reconcile-concurrency", 5, "with --preflight: parameter ReconcileConcurrency of the deployment")
	set.StringSliceVar(&b.regions, "regions", nil, "with --preflight: parameter GatewayRegions of the deployment (default: the Region in use)")
}

func (p *program) preflight(ctx context.Context, before preflight) error {
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	who, err := s.identity(ctx)
	if err != nil {
		return err
	}
	actions, err := actionsOf(permissions.Deploy)
	if err != nil {
		return err
	}
	reader := &inspect.Reader{Config: s.config, Now: p.now, Explain: func(err error) string { return oneLine(p.explain(err)) }}
	regions := before.regions
	if len(regions) == 0 {
		regions = []string{s.config.Region}
	}
	results := doctor.Preflight(reader.Before(ctx, inspect.Plan{
		Stack: cmp.Or(p.settings.stack, variable(stackVariable, "gateway-grants")), Name: before.name, Regions: regions,
		Concurrency: before.concurrency, Actions: actions, Principal: p.beyond.roleOf(ctx, s.config, who), Account: who.Account,
	}))
	if err := ctx.Err(); err != nil {
		return err // an interrupted look found nothing
	}
	return p.sayPreflight(results)
}

// actionsOf lists the actions that a policy allows, sorted.
func actionsOf(text []byte) ([]string, error) {
	document, err := policy.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("read the permissions of deploying: %w", err)
	}
	var actions []string
	for _, statement := range document.Statements {
		actions = append(actions, statement.Action...)
	}
	slices.Sort(actions)
	return slices.Compact(actions), nil
}

// sayPreflight prints what was found. Only what a deployment would fail for is a no.
func (p *program) sayPreflight(results []doctor.Result) error {
	if p.settings.structured() {
		if err := p.printValue(examined{doctor.Healthy(results), results}); err != nil {
			return err
		}
	} else {
		p.sayChecks(results)
	}
	if doctor.Blocked(results) {
		return errPrinted
	}
	return nil
}
