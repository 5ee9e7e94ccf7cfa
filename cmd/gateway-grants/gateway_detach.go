package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/agentcore"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

func (p *program) gatewayDetachCommand() *cobra.Command {
	var yes bool
	d := detaching{program: p}
	cmd := &cobra.Command{
		Use:   "detach GATEWAY|--all",
		Short: "Take this installation's statements out of a gateway, or of every one",
		Long: `Take this installation's statements out of a gateway's policy, or out of every one.
The callers that they let in lose access; statements of others keep their bytes. Grants
stay in the table.

With a GATEWAY of your own account its tag gateway-grants:managed goes first, so that no
function puts back what is taken out. Tag it again to have it managed again. A function
that is at work at that moment may put the statements back once: --dry-run shows it.

With --all, before a deployment is destroyed, the row that proves the grants table goes
first: the product stands still until make deploy puts that row back. Gateways that lost
the tag are detached, too. It asks first: --yes or an answer confirms it.

With --dry-run nothing changes, and the exit code is 1 if anybody is let in. With
--keep the statements stay, and the principals that they let in are named: of a GATEWAY
only the tag is removed, with --all nothing.`,
		Example: `  gateway-grants gateway detach tools-abcdefghij
  gateway-grants gateway detach --all --dry-run
  gateway-grants gateway detach --all --yes`,
		Args: checked(between(0, 1, "a GATEWAY or --all"), func(cmd *cobra.Command, args []string) error {
			switch {
			case d.all == (len(args) > 0):
				return usage(cmd, "detach takes a GATEWAY or --all: to end single grants, revoke them")
			case slices.Contains(args, grant.EveryGateway):
				return usage(cmd, "one gateway is detached by its name, and every one with --all instead of '*'")
			}
			return nil
		}),
		RunE: func(cmd *cobra.Command, args []string) error {
			deployment, err := p.readDeployment(cmd)
			if err != nil {
				return err
			}
			changes := d.all && !d.keep && !d.dryRun
			if changes && !yes && !p.asks("Take this installation's statements out of every gateway, so that their callers lose access? [y/N] ") {
				return refuse("nothing was detached (--dry-run shows who would lose access): answer y, or repeat the command with --yes")
			}
			return d.run(cmd.Context(), strings.Join(args, ""), deployment)
		},
	}
	set := cmd.Flags()
	set.BoolVar(&d.all, "all", false, "every gateway of the deployment")
	set.BoolVar(&d.keep, "keep", false, "keep the access that was granted")
	set.BoolVarP(&yes, "yes", "y", false, "take them out of every gateway without asking")
	set.BoolVar(&d.dryRun, "dry-run", false, "only show who would lose access")
	cmd.MarkFlagsMutuallyExclusive("keep", "dry-run")
	p.deploymentFlags(cmd)
	p.completeNames(cmd, false)
	return cmd
}

// detaching is one run of the command.
type detaching struct {
	*program
	all, keep, dryRun bool

	installation string
	gateways     reconcile.Gateways
	texts        []detachedText
	failures     []error
}

// detachedText is what became of one gateway that had statements of ours.
type detachedText struct {
	Gateway    string   `json:"gateway"`
	Detached   bool     `json:"detached"`
	Principals []string `json:"principals"` // of our statements, as they were found
}

func (r *detaching) run(ctx context.Context, name string, d deployment) error {
	s, err := r.session(ctx)
	if err != nil {
		return err
	}
	gateways := d.gateways(s.config)
	r.gateways, r.installation, r.texts = gateways, d.limits.Installation, []detachedText{}
	if r.all {
		err = r.every(ctx, s, gateways)
	} else {
		err = r.single(ctx, s, name)
	}
	if err != nil {
		return err
	}
	return r.end()
}

// single detaches one gateway, whose tag goes first.
func (r *detaching) single(ctx context.Context, s *session, name string) error {
	where, err := r.scopeOf(ctx, name, s)
	if err != nil {
		return err
	}
	who, err := s.identity(ctx)
	switch {
	case err != nil:
		return err
	case who.Account != where.gateway.Account():
		return refuse("gateway %s belongs to account %s and you are in %s: choose the right --profile", where, where.gateway.Account(), who.Account)
	}
	if !r.dryRun {
		there := s.config.Copy()
		there.Region = where.gateway.Region()
		setup, _ := r.setup(there)
		if err := setup.Untag(ctx, where.gateway); err != nil {
			return err
		}
	}
	r.note(r.one(ctx, where.gateway))
	return nil
}

// every detaches all gateways. With the grants proved no more, no reconcile decides
// anything.
func (r *detaching) every(ctx context.Context, s *session, gateways *agentcore.Gateways) error {
	if !r.keep && !r.dryRun {
		sentinel := store.SentinelKey()
		if _, err := r.open(s.config, r.settings.tables).grants.Delete(ctx, grant.Key{Gateway: sentinel.Partition, ID: sentinel.Sort}); err != nil {
			return fmt.Errorf("stop the product before its statements go: %w", err)
		}
	}
	var found []grant.Gateway
	r.note(gateways.Walk(ctx, func(grant.Gateway) bool { return true }, func(gateway grant.Gateway, _ bool) {
		found = append(found, gateway)
	}))
	slices.SortFunc(found, func(a, b grant.Gateway) int { return cmp.Compare(a.ARN(), b.ARN()) })
	for _, gateway := range found {
		r.note(r.one(ctx, gateway))
	}
	return nil
}

// note keeps an error for the end: no gateway waits for another.
func (r *detaching) note(err error) {
	if err != nil {
		r.failures = append(r.failures, err)
	}
}

// detachAttempts is how often our statements are taken out of a gateway's policy
// while others write it, too.
const detachAttempts = 5

// one takes our statements out of the policy that it has just read, until a
// reading shows none.
func (r *detaching) one(ctx context.Context, gateway grant.Gateway) error {
	var text *detachedText
	for range detachAttempts {
		document, err := r.gateways.Policy(ctx, gateway)
		if err != nil {
			return err
		}
		rest, owned := plan.Release(document, r.installation)
		if text == nil && len(owned) > 0 {
			r.texts = append(r.texts, detachedText{Gateway: gateway.ARN(), Principals: letIn(owned)})
			text = &r.texts[len(r.texts)-1]
		}
		switch {
		case len(owned) == 0:
			if text != nil {
				text.Detached = true
			}
			return nil
		case r.keep || r.dryRun:
			return nil
		case rest == nil:
			err = r.gateways.DeletePolicy(ctx, gateway)
		default:
			err = r.gateways.PutPolicy(ctx, gateway, rest)
		}
		if err != nil && grant.CodeOf(err) != reconcile.CodeUnknownOutcome { // which the next reading shows
			return err
		}
	}
	return fmt.Errorf("detach %s: our statements were put back each time they were taken out: find out which writer does that, and try again", gateway)
}

// letIn are the principals of statements, each once.
func letIn(statements []policy.Statement) []string {
	var all []string
	for _, statement := range statements {
		if statement.Principal != nil {
			all = append(all, statement.Principal.AWS...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (r *detaching) end() error {
	if r.settings.structured() {
		if err := r.printValue(r.texts); err != nil {
			return err
		}
	} else {
		r.say()
	}
	if err := errors.Join(r.failures...); err != nil {
		return err
	}
	if r.dryRun && len(r.texts) > 0 {
		return errPrinted
	}
	return nil
}

func (r *detaching) say() {
	paint := r.paint(r.out)
	for _, text := range r.texts {
		fmt.Fprintln(r.out, text.Gateway)
		for _, principal := range text.Principals {
			if r.keep {
				fmt.Fprintln(r.out, "   ", principal)
			} else {
				fmt.Fprintln(r.out, paint.red("  -"), principal)
			}
		}
	}
	gateways := counted(len(r.texts), "gateway")
	switch {
	case len(r.failures) > 0:
		fmt.Fprintln(r.out, paint.red("Not complete:"), "not every gateway could be looked at.")
	case len(r.texts) == 0 && r.all:
		fmt.Fprintln(r.out, paint.green("Nothing to detach:"), "no gateway holds a statement of this installation.")
	case len(r.texts) == 0:
		fmt.Fprintln(r.out, paint.green("Nothing to take out:"), "the gateway holds no statement of this installation.")
	case r.keep && r.all:
		fmt.Fprintln(r.out, paint.yellow("Kept:"), "they stay let in at", gateways+", and nothing ends it any more once the stack is gone.")
	case r.keep:
		fmt.Fprintln(r.out, paint.yellow("Kept:"), "they stay let in, and no grant changes that any more until the gateway is tagged again.")
	case r.dryRun:
		fmt.Fprintln(r.out, paint.yellow("Nothing was changed:"), "they are let in at", gateways+", and would lose access.")
	case r.all:
		fmt.Fprintln(r.out, paint.green("Detached:"), gateways+". The product stands still until make deploy.")
	default:
		fmt.Fprintln(r.out, paint.green("Detached:"), "the gateway is managed no more until it is tagged again. Its grants stay in the table.")
	}
}
