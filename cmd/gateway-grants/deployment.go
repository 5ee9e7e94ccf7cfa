package main

import (
	"context"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/agentcore"
	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/settings"
)

// deployment is how the deployment is configured, which the command line
// has to know too to decide as its functions do.
type deployment struct {
	limits     plan.Limits
	reach      settings.Reach
	bus        string
	trustGiven bool // the trusted accounts were named, be it none
	clock      agentcore.Clock
	owners     func(aws.Config) func(context.Context) ([]string, error) // reads the list of owner accounts
}

// deploymentFlags lets a command decide as the deployed functions do.
func (p *program) deploymentFlags(cmd *cobra.Command) {
	for _, s := range settings.Shared() {
		settingFlag(cmd, s)
	}
	completeWith(cmd, settings.SizeAccounting.Flag, settings.AccountingExpanded, settings.AccountingSubmitted)
	completeWith(cmd, settings.Mode.Flag, settings.ModeEnforce, settings.ModeObserve)
	p.configFlag(cmd)
}

// readDeployment reads the settings that a command was given.
func (p *program) readDeployment(cmd *cobra.Command) (deployment, error) {
	reader := p.settingsOf(cmd)
	d := deployment{limits: reader.Limits(), reach: reader.Reach(), bus: reader.Bus(), trustGiven: reader.TrustGiven(), clock: p.clock, owners: p.listedOwners}
	return d, reader.Err()
}

// gateways are those of the deployment, reached as its functions reach them.
func (d deployment) gateways(config aws.Config) *agentcore.Gateways {
	return agentcore.New(config, agentcore.Deployment(d.reach)).On(d.clock).WithOwners(d.owners(config))
}

// listedOwners reads the owner accounts that are items of the accounts table.
func (p *program) listedOwners(config aws.Config) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		owners, err := p.open(config, p.settings.tables).directory.List(ctx, directory.TopicOwner)
		return directory.IDs(owners), err
	}
}

func (p *program) reconciler(config aws.Config, gateways reconcile.Gateways, d deployment) *reconcile.Reconciler {
	stored := p.open(config, p.settings.tables)
	return reconcile.New(reconcile.Dependencies{
		Gateways:  gateways,
		Grants:    stored.grants,
		Directory: stored.directory,
		States:    stored.states,
		Notices:   p.notices(config, d.bus),
		Now:       p.now,
		Log:       slog.New(slog.NewTextHandler(p.err, &slog.HandlerOptions{Level: slog.LevelError})),
	}, d.limits)
}
