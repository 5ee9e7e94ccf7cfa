package main

import (
	"log/slog"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/agentcore"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// deployment is how the deployment is configured, which the command line
// has to know too to decide as its functions do.
type deployment struct {
	bus, installation, accounting string
	trusted, owners, regions      []string
	role, externalID              string // assumed in owner accounts
	trustKnown                    bool   // somebody said who is trusted, be it nobody
}

// deploymentFlags lets a command decide as the deployed functions do.
func (p *program) deploymentFlags(cmd *cobra.Command, d *deployment) {
	set := cmd.Flags()
	set.StringVar(&d.bus, "event-bus", setting("EVENT_BUS", "gateway-grants"), "event bus for notices ($EVENT_BUS)")
	set.StringVar(&d.installation, "installation-id", setting("INSTALLATION_ID", plan.DefaultLimits().Installation), "whose statements are ours ($INSTALLATION_ID)")
	set.StringVar(&d.accounting, "size-accounting", setting("SIZE_ACCOUNTING", accountingExpanded), "how policies are measured: expanded or submitted ($SIZE_ACCOUNTING)")
	set.StringSliceVar(&d.trusted, "trusted-accounts", listSetting("TRUSTED_ACCOUNTS"), "accounts outside the organization that may be let in ($TRUSTED_ACCOUNTS)")
	set.StringSliceVar(&d.owners, "owner-accounts", listSetting("OWNER_ACCOUNTS"), "accounts whose gateways are managed; none for any ($OWNER_ACCOUNTS)")
	set.StringSliceVar(&d.regions, "gateway-regions", listSetting("GATEWAY_REGIONS"), "regions in which gateways are managed; none for any ($GATEWAY_REGIONS)")
	set.StringVar(&d.role, "owner-role-name", setting("OWNER_ROLE_NAME", ""), "role to assume in owner accounts ($OWNER_ROLE_NAME)")
	set.StringVar(&d.externalID, "owner-external-id", setting("OWNER_EXTERNAL_ID", ""), "external id that it asks for ($OWNER_EXTERNAL_ID)")
	completeWith(cmd, "size-accounting", accountingExpanded, accountingSubmitted)
	p.grantsTableFlag(cmd)
	p.accountsTableFlag(cmd)
	p.stateTableFlag(cmd)
	p.configFlag(cmd)
}

// read is the deployment once the command line has been parsed.
func (d deployment) read(cmd *cobra.Command) deployment {
	_, fromVariable := os.LookupEnv("TRUSTED_ACCOUNTS")
	d.trustKnown = fromVariable || cmd.Flags().Changed("trusted-accounts")
	return d
}

const (
	accountingExpanded  = "expanded"
	accountingSubmitted = "submitted"
)

func (d deployment) limits() (plan.Limits, error) {
	limits := plan.DefaultLimits()
	limits.Installation, limits.Trusted, limits.Owners, limits.Regions = d.installation, d.trusted, d.owners, d.regions
	switch d.accounting {
	case accountingExpanded:
	case accountingSubmitted:
		limits.Accounting = plan.SubmittedSize
	default:
		return plan.Limits{}, refuse("--size-accounting %s is unknown: write %s or %s", d.accounting, accountingExpanded, accountingSubmitted)
	}
	return limits, nil
}

// gateways are those of the deployment, reached as its functions reach them.
func (d deployment) gateways(config aws.Config) *agentcore.Gateways {
	return agentcore.New(config, agentcore.Deployment{
		Regions: d.regions, Owners: d.owners, Role: d.role, ExternalID: d.externalID,
	})
}

func (p *program) reconciler(config aws.Config, gateways reconcile.Gateways, limits plan.Limits, bus string) *reconcile.Reconciler {
	stored := p.open(config, p.settings.tables)
	return reconcile.New(reconcile.Dependencies{
		Gateways:  gateways,
		Grants:    stored.grants,
		Directory: stored.directory,
		States:    stored.states,
		Notices:   p.notices(config, bus),
		Now:       p.now,
		Log:       slog.New(slog.NewTextHandler(p.err, &slog.HandlerOptions{Level: slog.LevelError})),
	}, limits)
}
