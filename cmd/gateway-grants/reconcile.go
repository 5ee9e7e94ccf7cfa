package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/agentcore"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

func (p *program) reconcileCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reconcile [GATEWAY]",
		Short: "Make a gateway's policy what its grants say: now, from here",
		Long: `Make a gateway's policy what its grants say: now, from here.

This does what the deployed functions do by themselves, with your own rights, and
prints what changed. With '*' every managed gateway is reconciled, one after the other.`,
		Example: `  gateway-grants reconcile
  gateway-grants reconcile tools-abcdefghij --output json`,
		Args: between(0, 1, "an optional GATEWAY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := p.readDeployment(cmd)
			if err != nil {
				return err
			}
			return p.reconcile(cmd.Context(), strings.Join(args, ""), d)
		},
	}
	p.deploymentFlags(cmd)
	p.completeNames(cmd, false)
	return cmd
}

func (p *program) reconcile(ctx context.Context, name string, d deployment) error {
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
	if !where.every && where.gateway.Account() != who.Account && d.reach.Role == "" {
		return refuse("gateway %s belongs to account %s and you are in %s: choose the right --profile, or name the role to assume there with --owner-role-name and --owner-accounts", where, where.gateway.Account(), who.Account)
	}
	gateways := d.gateways(s.config)
	concerned, err := managed(ctx, where, gateways)
	if err != nil {
		return err
	}
	run := reconciling{
		program:    p,
		reconciler: p.reconciler(s.config, gateways, d),
		cause:      reconcile.Cause{Text: "command line", By: who.ARN, RequestedAt: p.now()},
		trustGiven: d.trustGiven,
		texts:      []reconciled{},
	}
	if len(concerned) == 0 && !p.settings.structured() {
		fmt.Fprintln(p.out, "No managed gateways.")
	}
	if err := run.all(ctx, concerned, where); err != nil {
		return err
	}
	return run.end()
}

// reconciling is one reconcile after the other.
type reconciling struct {
	*program
	reconciler *reconcile.Reconciler
	cause      reconcile.Cause
	trustGiven bool
	unsettled  bool
	texts      []reconciled // for JSON
}

func (r *reconciling) all(ctx context.Context, concerned []grant.Gateway, where scope) error {
	for _, gateway := range concerned {
		if err := r.checkTrust(ctx, gateway); err != nil {
			return err
		}
		err := r.one(ctx, gateway)
		if err != nil && (!where.every || ctx.Err() != nil) {
			return err
		}
		if err != nil { // which keeps no other from its own
			r.sayFailed(gateway, err)
			r.unsettled = true
		}
	}
	return nil
}

func (r *reconciling) one(ctx context.Context, gateway grant.Gateway) error {
	result, err := r.reconciler.Reconcile(ctx, gateway, r.cause)
	if err != nil {
		return err
	}
	r.unsettled = r.unsettled || result.Failure != nil
	if r.settings.structured() {
		r.texts = append(r.texts, r.reconciledText(gateway, result))
		return nil
	}
	r.sayReconciled(gateway, result)
	return nil
}

// checkTrust refuses to end the access of accounts outside the organization where
// the command line was not given the accounts that the deployment trusts.
func (r *reconciling) checkTrust(ctx context.Context, gateway grant.Gateway) error {
	if r.trustGiven {
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

func (r *reconciling) end() error {
	if r.settings.structured() {
		if err := r.printValue(r.texts); err != nil {
			return err
		}
	}
	if r.unsettled {
		return errPrinted
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
