package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

func (p *program) releaseCommand() *cobra.Command {
	r := releasing{program: p}
	cmd := &cobra.Command{
		Use:   "release --all",
		Short: "Take every statement of this installation out of every gateway, before it is destroyed",
		Long: `Take every statement of this installation out of every gateway, before it is destroyed.

First the row that proves the grants table goes, so that no function puts back what
is taken out: the product stands still until make deploy puts that row back. Then each
gateway's policy is written without our statements, or deleted where nothing else is
left, and read again. Gateways that lost the tag are released, too. Grants stay.

With --dry-run nothing changes, and the exit code is 1 if anybody is let in. With
--keep nothing changes either: whoever is let in is named, and stays.`,
		Example: `  gateway-grants release --all --dry-run
  gateway-grants release --all`,
		Args: between(0, 0, "flags only"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !r.all {
				return usage(cmd, "release takes --all: to end single grants, revoke them")
			}
			d, err := p.readDeployment(cmd)
			if err != nil {
				return err
			}
			return r.run(cmd.Context(), d)
		},
	}
	set := cmd.Flags()
	set.BoolVar(&r.all, "all", false, "every gateway of the deployment")
	set.BoolVar(&r.keep, "keep", false, "leave whom was let in, knowingly")
	set.BoolVar(&r.dryRun, "dry-run", false, "only show whom this would take access from")
	cmd.MarkFlagsMutuallyExclusive("keep", "dry-run")
	p.deploymentFlags(cmd)
	return cmd
}

// releasing is one run of the command.
type releasing struct {
	*program
	all, keep, dryRun bool

	installation string
	gateways     reconcile.Gateways
	texts        []releasedText
	failures     []error
}

// releasedText is what became of one gateway that had statements of ours.
type releasedText struct {
	Gateway    string   `json:"gateway"`
	Released   bool     `json:"released"`
	Principals []string `json:"principals"` // of our statements, as they were found
}

func (r *releasing) run(ctx context.Context, d deployment) error {
	s, err := r.session(ctx)
	if err != nil {
		return err
	}
	gateways := d.gateways(s.config)
	r.gateways, r.installation, r.texts = gateways, d.limits.Installation, []releasedText{}
	if !r.keep && !r.dryRun {
		// With the grants proved no more, no reconcile decides anything.
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
	return r.end()
}

// note keeps an error for the end: no gateway waits for another.
func (r *releasing) note(err error) {
	if err != nil {
		r.failures = append(r.failures, err)
	}
}

// releaseAttempts is how often our statements are taken out of a gateway's policy
// while somebody else writes it, too.
const releaseAttempts = 5

// one takes our statements out of the policy that it has just read, until a
// reading shows none.
func (r *releasing) one(ctx context.Context, gateway grant.Gateway) error {
	var text *releasedText
	for range releaseAttempts {
		document, err := r.gateways.Policy(ctx, gateway)
		if err != nil {
			return err
		}
		rest, owned := plan.Release(document, r.installation)
		if text == nil && len(owned) > 0 {
			r.texts = append(r.texts, releasedText{Gateway: gateway.ARN(), Principals: letIn(owned)})
			text = &r.texts[len(r.texts)-1]
		}
		switch {
		case len(owned) == 0:
			if text != nil {
				text.Released = true
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
	return fmt.Errorf("release %s: our statements were put back each time they were taken out: find out by whom, and try again", gateway)
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

func (r *releasing) end() error {
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
		return errSaid
	}
	return nil
}

func (r *releasing) say() {
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
	case len(r.texts) == 0:
		fmt.Fprintln(r.out, paint.green("Nothing to release:"), "no gateway holds a statement of this installation.")
	case r.keep:
		fmt.Fprintln(r.out, paint.yellow("Kept:"), "they stay let in at", gateways+", and nothing ends it any more once the stack is gone.")
	case r.dryRun:
		fmt.Fprintln(r.out, paint.yellow("Applied:"), "they are let in at", gateways+".")
	default:
		fmt.Fprintln(r.out, paint.green("Released:"), gateways+". The product stands still until make deploy.")
	}
}
