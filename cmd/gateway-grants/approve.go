package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

func (p *program) approveCommand() *cobra.Command {
	var all, yes bool
	cmd := &cobra.Command{
		Use:   "approve [ID]...",
		Short: "Show what waits for an admin, and let it take effect",
		Long: `Show what waits for an admin, each with an ID and with what it would do; with IDs, let
those take effect.

Departures: when many accounts leave the organization, close, move or lose tags within a
day (by default more than 10 that are also more than 10 % of all), those that a grant
let in keep their access until an admin approves.

Roles that were created again: a grant that follows a role by identity holds for the
role that was there. One that was deleted, and made again under the same name, may be
another owner's. It is let in once an admin approves.

Takeovers: where a gateway's policy holds statements of this installation's id, and the
deployment has no record of the gateway, nothing is written there: the deployment is
new, renamed or restored, or another one has the same id. Restore or import the rows
first: what the table does not say is taken out once the takeover is approved.

What is approved is exactly what is shown: an ID names it, and what changed meanwhile
waits under another ID. It takes effect within about a minute.`,
		Example: `  gateway-grants approve
  gateway-grants approve role-1f0c2a9b takeover-77c04d1e
  gateway-grants approve --all --yes`,
		Args: func(_ *cobra.Command, args []string) error {
			if all && len(args) > 0 {
				return refuse("--all approves everything that waits: leave out the IDs, or --all")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := p.readDeployment(cmd)
			if err != nil {
				return err
			}
			return p.approve(cmd.Context(), choice{ids: args, all: all}, d, yes)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "approve everything that waits")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "approve what is shown without asking")
	p.deploymentFlags(cmd)
	return cmd
}

// choice is what of all that waits is to be approved.
type choice struct {
	ids []string
	all bool
}

// approval is what waits, or of that what was chosen.
type approval struct {
	Waiting  []undecided `json:"waiting"`
	Approved bool        `json:"approved"`
}

func (p *program) approve(ctx context.Context, chosen choice, d deployment, yes bool) error {
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	stored := p.open(s.config, p.settings.tables)
	all, err := everythingWaiting(ctx, stored, p.reconciler(s.config, d.gateways(s.config), d).Plan)
	if err != nil {
		return err
	}
	shown := approval{Waiting: append([]undecided{}, all...)}
	if len(chosen.ids) > 0 {
		if shown.Waiting, err = withIDs(all, chosen.ids); err != nil {
			return err
		}
	}
	if !p.settings.structured() {
		p.showWaiting(shown.Waiting)
	}
	if len(chosen.ids) > 0 || chosen.all && len(shown.Waiting) > 0 {
		return p.decide(ctx, s, stored, shown, yes)
	}
	if p.settings.structured() {
		return p.printValue(shown)
	}
	return nil
}

// withIDs are those of what waits that have one of the ids.
func withIDs(all []undecided, ids []string) ([]undecided, error) {
	var some []undecided
	for _, id := range ids {
		i := slices.IndexFunc(all, func(w undecided) bool { return w.ID == id && id != "" })
		if i < 0 {
			return nil, refuse("nothing that waits has the id %q: gateway-grants approve shows what waits, and its ids", id)
		}
		some = append(some, all[i])
	}
	return some, nil
}

// decide records the approvals in the grants table, which no function can write.
func (p *program) decide(ctx context.Context, s *session, stored opened, shown approval, yes bool) error {
	shown.Waiting = slices.DeleteFunc(shown.Waiting, func(w undecided) bool { return w.ID == "" })
	count := counted(len(shown.Waiting), "decision")
	if !yes && !p.asks(fmt.Sprintf("Let %s take effect? [y/N] ", count)) {
		if p.settings.structured() {
			if err := p.printValue(shown); err != nil {
				return err
			}
			return errPrinted
		}
		return refuse("nothing was approved: answer y, or repeat the command with --yes")
	}
	who, err := s.identity(ctx)
	if err != nil {
		return err
	}
	for _, w := range shown.Waiting {
		if err := stored.grants.Approve(ctx, w.decision, p.now(), who.ARN); err != nil {
			return err
		}
	}
	if shown.Approved = true; p.settings.structured() {
		return p.printValue(shown)
	}
	fmt.Fprintf(p.out, "%s %s. It takes effect within about a minute.\n", p.paint(p.out).green("Approved"), count)
	return nil
}

func (p *program) showWaiting(all []undecided) {
	if len(all) == 0 {
		fmt.Fprintln(p.out, "Nothing waits for an admin.")
	}
	paint := p.paint(p.out)
	for _, w := range all {
		line := w.What
		if w.ID != "" {
			line = w.ID + "  " + line
		}
		if w.Name != "" {
			line += " (" + w.Name + ")"
		}
		if w.Since != "" {
			line += ", since " + w.Since
		}
		fmt.Fprintln(p.out, line)
		for _, who := range w.Adds {
			fmt.Fprintln(p.out, paint.green("  +"), who)
		}
		for _, who := range w.Removes {
			fmt.Fprintln(p.out, paint.red("  -"), who)
		}
		for _, key := range w.Grants {
			fmt.Fprintln(p.out, "    grant", shortKey(key))
		}
	}
}

// shortKey names a grant without the part of its gateway's ARN that all share.
func shortKey(key string) string {
	gateway, id, _ := strings.Cut(key, "#")
	if gateway == grant.EveryGateway {
		return id + " on every gateway"
	}
	return id + " on " + gateway[strings.LastIndex(gateway, "/")+1:]
}

func confirmed(in io.Reader, out io.Writer, question string) bool {
	fmt.Fprint(out, question)
	answer, err := bufio.NewReader(in).ReadString('\n')
	if err != nil {
		fmt.Fprintln(out) // what is printed next has a line of its own
		return false
	}
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes"
}
