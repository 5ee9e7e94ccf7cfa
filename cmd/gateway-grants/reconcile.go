package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/agentcore"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// reconcileFlags are how the deployment is configured, which the command line
// has to know too to decide as its functions do.
type reconcileFlags struct {
	bus, installation, accounting string
	trusted, owners, regions      []string
	trustKnown                    bool // somebody said who is trusted, be it nobody
}

func (p *program) reconcileCommand() *cobra.Command {
	var flags reconcileFlags
	cmd := &cobra.Command{
		Use:   "reconcile [GATEWAY]",
		Short: "Make a gateway's policy what its grants say: now, from here",
		Long: `Make a gateway's policy what its grants say: now, from here.

This does what the deployed functions do by themselves, with your own rights, and
prints what changed. Give it the settings of the deployment, by flag or variable.
With '*' every managed gateway is reconciled, one after the other.`,
		Example: `  gateway-grants reconcile
  gateway-grants reconcile tools-abcdefghij --output json`,
		Args: between(0, 1, "an optional GATEWAY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, fromVariable := os.LookupEnv("TRUSTED_ACCOUNTS")
			flags.trustKnown = fromVariable || cmd.Flags().Changed("trusted-accounts")
			return p.reconcile(cmd.Context(), strings.Join(args, ""), flags)
		},
	}
	set := cmd.Flags()
	set.StringVar(&flags.bus, "event-bus", setting("EVENT_BUS", "gateway-grants"), "event bus for notices ($EVENT_BUS)")
	set.StringVar(&flags.installation, "installation-id", setting("INSTALLATION_ID", plan.DefaultLimits().Installation), "whose statements are ours ($INSTALLATION_ID)")
	set.StringVar(&flags.accounting, "size-accounting", setting("SIZE_ACCOUNTING", accountingExpanded), "how policies are measured: expanded or submitted ($SIZE_ACCOUNTING)")
	set.StringSliceVar(&flags.trusted, "trusted-accounts", listSetting("TRUSTED_ACCOUNTS"), "accounts outside the organization that may be let in ($TRUSTED_ACCOUNTS)")
	set.StringSliceVar(&flags.owners, "owner-accounts", listSetting("OWNER_ACCOUNTS"), "accounts whose gateways are managed; none for any ($OWNER_ACCOUNTS)")
	set.StringSliceVar(&flags.regions, "gateway-regions", listSetting("GATEWAY_REGIONS"), "regions in which gateways are managed; none for any ($GATEWAY_REGIONS)")
	completeWith(cmd, "size-accounting", accountingExpanded, accountingSubmitted)
	p.grantsTableFlag(cmd)
	p.accountsTableFlag(cmd)
	p.stateTableFlag(cmd)
	p.configFlag(cmd)
	return cmd
}

const (
	accountingExpanded  = "expanded"
	accountingSubmitted = "submitted"
)

func (f reconcileFlags) limits() (plan.Limits, error) {
	limits := plan.DefaultLimits()
	limits.Installation, limits.Trusted, limits.Owners, limits.Regions = f.installation, f.trusted, f.owners, f.regions
	switch f.accounting {
	case accountingExpanded:
	case accountingSubmitted:
		limits.Accounting = plan.SubmittedSize
	default:
		return plan.Limits{}, refuse("--size-accounting %s is unknown: write %s or %s", f.accounting, accountingExpanded, accountingSubmitted)
	}
	return limits, nil
}

func (p *program) reconcile(ctx context.Context, name string, flags reconcileFlags) error {
	limits, err := flags.limits()
	if err != nil {
		return err
	}
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	where, err := p.scopeOf(ctx, name, s)
	if err != nil {
		return err
	}
	who, err := s.identity(ctx)
	if err != nil {
		return err
	}
	if !where.every && where.gateway.Account() != who.Account {
		return refuse("gateway %s belongs to account %s and you are in %s: choose the right --profile", where, where.gateway.Account(), who.Account)
	}
	gateways := agentcore.New(s.config, flags.regions)
	concerned, err := managed(ctx, where, gateways)
	if err != nil {
		return err
	}
	run := reconciling{
		program:    p,
		reconciler: p.reconciler(s.config, gateways, limits, flags.bus),
		cause:      reconcile.Cause{Text: "command line", By: who.ARN, RequestedAt: p.now()},
		trustKnown: flags.trustKnown,
		texts:      []reconciled{},
	}
	if len(concerned) == 0 && !p.settings.json() {
		fmt.Fprintln(p.out, "No managed gateways.")
	}
	for _, gateway := range concerned {
		if err := run.one(ctx, gateway); err != nil {
			return err
		}
	}
	return run.end(where)
}

// reconciling is one reconcile after the other.
type reconciling struct {
	*program
	reconciler *reconcile.Reconciler
	cause      reconcile.Cause
	trustKnown bool
	unsettled  bool
	texts      []reconciled // for JSON
}

func (r *reconciling) one(ctx context.Context, gateway grant.Gateway) error {
	if err := r.checkTrust(ctx, gateway); err != nil {
		return err
	}
	result, err := r.reconciler.Reconcile(ctx, gateway, r.cause)
	if err != nil {
		return err
	}
	r.unsettled = r.unsettled || result.Failure != nil
	if r.settings.json() {
		r.texts = append(r.texts, r.reconciledText(gateway, result))
		return nil
	}
	r.sayReconciled(gateway, result)
	return nil
}

// checkTrust refuses to end the access of accounts outside the organization for
// no better reason than that nobody said here which of them the deployment
// trusts.
func (r *reconciling) checkTrust(ctx context.Context, gateway grant.Gateway) error {
	if r.trustKnown {
		return nil
	}
	decided, err := r.reconciler.Plan(ctx, gateway)
	if err != nil {
		return nil //nolint:nilerr // Reconcile fails as well, and records it
	}
	removes := slices.ContainsFunc(decided.Changes, func(change plan.Change) bool { return change.Verb == plan.Remove })
	for key, status := range decided.Status {
		if removes && status.Reason == grant.CodeOutsideOrg {
			return refuse("grant %s is for an account outside the organization: name the accounts that the deployment trusts with --trusted-accounts or TRUSTED_ACCOUNTS, or give an empty --trusted-accounts= for none", key.ID)
		}
	}
	return nil
}

func (r *reconciling) end(where scope) error {
	if r.settings.json() {
		var all any = r.texts
		if !where.every {
			all = r.texts[0]
		}
		if err := r.printJSON(all); err != nil {
			return err
		}
	}
	if r.unsettled {
		return errSaid
	}
	return nil
}

// managed are the gateways of the scope.
func managed(ctx context.Context, where scope, gateways *agentcore.Gateways) ([]grant.Gateway, error) {
	if !where.every {
		return []grant.Gateway{where.gateway}, nil
	}
	return gateways.Managed(ctx)
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
