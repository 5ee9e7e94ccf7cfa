package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/grantfile"
)

// fileFlags say which file of grants is meant, and how.
type fileFlags struct {
	file  string
	prune bool
}

func (f *fileFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.file, "file", "f", "", "file of grants, in YAML or JSON; - for the standard input")
	cmd.Flags().BoolVar(&f.prune, "prune", false, "also remove the rows that the file's source wrote and the file lacks")
	if err := cmd.MarkFlagFilename("file", "yaml", "yml", "json"); err != nil {
		panic(err) // the flag was defined above
	}
}

func (p *program) applyCommand() *cobra.Command {
	var flags fileFlags
	var yes bool
	cmd := &cobra.Command{
		Use:   "apply [PLAN]",
		Short: "Make the grants table what a file says, or carry out a saved plan",
		Long: `Make the grants table what a file says, or carry out a saved plan.

With --file: what the table lacks is added, and what differs is changed. With --prune
the rows whose source is that of the file, and that the file lacks, are removed: write
source: NAME above its grants: to say which that is. Rows of another source stay.
The changes are shown first, as rows and as principals gained and lost on each
gateway, and --yes or an answer confirms them. list --output yaml prints the table as
such a file.

With a PLAN, which plan --out wrote: just that is done, without a question. It is
rejected as stale if a row or a policy of its gateways changed since.

Each row is written only if it still is what was shown. A file that is not valid
changes nothing.`,
		Example: `  gateway-grants list --output yaml > grants.yaml
  gateway-grants apply --file grants.yaml
  gateway-grants apply --file grants.yaml --prune --yes
  gateway-grants apply tonight.plan`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case (flags.file == "") == (len(args) == 0):
				return usage(cmd, "apply takes either --file FILE or a PLAN")
			case len(args) > 0 && flags.prune:
				return usage(cmd, "--prune goes with --file: a PLAN says already what is removed")
			}
			return between(0, 1, "--file FILE or a PLAN")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := p.readDeployment(cmd)
			if err != nil {
				return err
			}
			if len(args) > 0 {
				return p.applyPlan(cmd.Context(), args[0], d)
			}
			return p.applyFile(cmd.Context(), flags, yes, d)
		},
	}
	flags.add(cmd)
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "apply what is shown without asking")
	p.deploymentFlags(cmd)
	return cmd
}

func (p *program) applyFile(ctx context.Context, flags fileFlags, yes bool, d deployment) error {
	run, made, err := p.proposeFile(ctx, flags, d)
	if err != nil {
		return err
	}
	if !p.settings.structured() {
		p.sayProposal(made, d)
	}
	switch {
	case len(made.steps) == 0:
	case yes:
	case made.failed():
		return refuse("nothing was applied, because not every gateway could be planned: repeat the command, or apply the rows all the same with --yes")
	case flags.file == "-" || !p.asks("Apply this? [y/N] "):
		return refuse("nothing was applied: answer y, or repeat the command with --yes")
	}
	return run.carryOut(ctx, made)
}

// asks puts a question on a terminal; no other input can answer it.
func (p *program) asks(question string) bool {
	return isTerminal(p.in) && !p.settings.structured() && confirmed(p.in, p.err, question)
}

// applied is what became of the rows, for other programs.
type applied struct {
	Rows      []stepText `json:"rows"`
	Gateways  []planned  `json:"gateways"`
	Written   int        `json:"written"`
	Unwritten []failure  `json:"unwritten,omitempty"` // rows that stayed as they are, and why
}

// failure is a row that could not be written.
type failure struct {
	Gateway string `json:"gateway"`
	Grant   string `json:"grant"`
	Message string `json:"message"`
}

// carryOut writes the rows: what is added or changed first, so that a grant that moves
// to another id is never without a row. A row that cannot be written holds up no other.
func (r *proposing) carryOut(ctx context.Context, made proposal) error {
	table := r.open(r.session.config, r.settings.tables).grants
	result := applied{Rows: stepTexts(made.steps), Gateways: []planned{}}
	for _, g := range made.gateways {
		if g.failure == nil {
			result.Gateways = append(result.Gateways, plannedText(g.gateway, g.decided, r.deployment.limits))
		}
	}
	for _, step := range made.steps {
		if err := table.Swap(ctx, step.Key, step.Shown, step.After); err != nil {
			result.Unwritten = append(result.Unwritten, failure{step.Key.Gateway, step.Key.ID, oneLine(r.explain(err))})
			if ctx.Err() != nil {
				break
			}
			continue
		}
		result.Written++
	}
	return r.sayApplied(ctx, made.steps, result)
}

func (p *program) sayApplied(ctx context.Context, steps []grantfile.Step, result applied) error {
	paint := p.paint(p.out)
	if p.settings.structured() {
		if err := p.printValue(result); err != nil {
			return err
		}
	}
	for _, f := range result.Unwritten {
		why := f.Message
		if !strings.Contains(why, f.Grant) {
			why = shortKey(grant.Key{Gateway: f.Gateway, ID: f.Grant}.String()) + ": " + why
		}
		fmt.Fprintln(p.err, p.paint(p.err).red("gateway-grants:"), why)
	}
	switch {
	case len(steps) == 0:
		return nil
	case ctx.Err() != nil:
		fmt.Fprintf(p.err, "%d of %s written. What is written stays.\n", result.Written, counted(len(steps), "row"))
		return ctx.Err()
	case len(result.Unwritten) > 0:
		fmt.Fprintf(p.err, "%d of %s written. Repeat the command to see what is left.\n", result.Written, counted(len(steps), "row"))
		return errPrinted
	case !p.settings.structured():
		fmt.Fprintf(p.out, "\n%s %s (%s).\n", paint.green("Applied:"), counted(result.Written, "row"), grantfile.Summary(steps))
		fmt.Fprintln(p.out, paint.faint("It takes effect once it is in the policies: gateway-grants list shows that."))
	}
	return nil
}
