package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/access"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/report"
)

func (p *program) reportCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "report [GATEWAY...]",
		Short: "Write a page of who reaches what, for people without this program",
		Long: `Write a page of who reaches what, for people without this program.

One HTML file that needs nothing else: who reaches which gateway and because of which
grants, expiries by date, how full each policy is, grants that are left out and why,
statements of others, recent changes, and what waits for an admin. It shows
every managed gateway, or those that are named, and every row of the table.

--output csv prints a row for each principal on each gateway, for access reviews; json
and yaml print the whole report. What the page says is as private as the grants table.`,
		Example: `  gateway-grants report --out report.html
  gateway-grants report tools-abcdefghij > report.html
  gateway-grants report --output csv > access.csv`,
		Args: func(*cobra.Command, []string) error {
			if out == "" && !p.settings.structured() && isTerminal(p.out) {
				return refuse("the report is a page, not text for a terminal: name a file with --out report.html, or print rows with --output csv")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := p.readDeployment(cmd)
			if err != nil {
				return err
			}
			return p.report(cmd.Context(), args, out, d)
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "file to write instead of the standard output")
	p.deploymentFlags(cmd)
	printsRows(cmd)
	p.completeNames(cmd, false)
	return cmd
}

func (p *program) report(ctx context.Context, names []string, out string, d deployment) error {
	run, err := p.proposing(ctx, d)
	if err != nil {
		return err
	}
	made, err := reporting{run, rowsAsIf(rowsOf(run.table))}.all(ctx, names)
	if err != nil {
		return err
	}
	if out != "" {
		err = p.writeTo(out, func(p *program) error { return p.printReport(made) })
	} else {
		err = p.printReport(made)
	}
	unread := slices.ContainsFunc(made.Gateways, func(g report.Gateway) bool { return g.Unread != "" })
	if err == nil && unread {
		return errPrinted // the report has it, and stderr
	}
	return err
}

func (p *program) printReport(made report.Report) error {
	switch {
	case p.settings.output == outputCSV:
		return printCSV(p, made.AccessRows())
	case p.settings.structured():
		return p.printValue(made)
	default:
		return made.WritePage(p.out)
	}
}

// writeTo prints to a file, which only its owner can read, once all of it is there.
func (p *program) writeTo(name string, write func(*program) error) error {
	var text bytes.Buffer
	to := *p
	to.out = &text
	if err := write(&to); err != nil {
		return err
	}
	if err := os.WriteFile(name, text.Bytes(), 0o600); err != nil {
		return refuse("the report cannot be written: %v: name another file with --out", err)
	}
	fmt.Fprintln(p.err, "Written to", name)
	return nil
}

// reporting makes one report.
type reporting struct {
	*proposing

	rows asIf
}

func rowsOf(table []grant.Attributes) []grant.Row {
	rows := make([]grant.Row, len(table))
	for i, attributes := range table {
		rows[i] = grant.Parse(attributes)
	}
	return rows
}

func (r reporting) all(ctx context.Context, names []string) (report.Report, error) {
	concerned, err := r.concerned(ctx, names)
	if err != nil {
		return report.Report{}, err
	}
	stored := r.open(r.session.config, r.settings.tables)
	made := report.Report{At: r.now(), Installation: r.deployment.limits.Installation, Gateways: []report.Gateway{}, Grants: []report.Grant{}, Approvals: []report.Approval{}}
	for _, attributes := range r.table {
		made.Grants = append(made.Grants, grantOf(grant.Parse(attributes)))
	}
	reconciler := r.reconciler(r.session.config, r.gateways, r.deployment)
	reconciler.Grants = r.rows
	waits, err := everythingWaiting(ctx, stored, reconciler.Plan)
	if err != nil {
		return report.Report{}, err
	}
	for _, w := range waits {
		since, _ := time.Parse(time.RFC3339, w.Since) // "" is the zero time
		made.Approvals = append(made.Approvals, report.Approval{ID: w.ID, What: w.What, Account: w.Account, Adds: w.Adds, Removes: w.Removes, Grants: w.Grants, Since: since})
	}
	steps := r.steps("Reading gateways", len(concerned))
	defer steps.clear()
	for _, gateway := range concerned {
		one, err := r.one(ctx, gateway, reconciler, stored.states)
		if err != nil {
			return report.Report{}, err
		}
		made.Gateways = append(made.Gateways, one)
		steps.done()
	}
	steps.clear()
	made.Names, err = r.accountNames(ctx, stored.directory, made.Accounts())
	return made, err
}

// concerned are the gateways named; or every managed one, and those that a row names
// and that are not managed, sorted by ARN.
func (r reporting) concerned(ctx context.Context, names []string) ([]grant.Gateway, error) {
	if len(names) > 0 {
		return r.named(ctx, names, r.session, r.gateways)
	}
	set := make(map[grant.Gateway]bool)
	steps := r.steps("Looking for gateways", 0)
	err := r.gateways.Walk(ctx, func(grant.Gateway) bool { return true }, func(gateway grant.Gateway, managed bool) {
		if managed {
			set[gateway] = true
		}
		steps.done()
	})
	steps.clear()
	if err != nil {
		return nil, err
	}
	for key := range r.rows {
		if gateway, err := grant.ParseGateway(key); err == nil {
			set[gateway] = true
		}
	}
	return byARN(set), nil
}

// recentChanges is how many writes of each policy a report has.
const recentChanges = 20

// one reads one gateway. What cannot be read of it is in the report; only an
// interruption is an error.
func (r reporting) one(ctx context.Context, gateway grant.Gateway, reconciler *reconcile.Reconciler, states statesTable) (report.Gateway, error) {
	read := access.Gateway{Installation: r.deployment.limits.Installation}
	var err error
	if read.World, err = reconciler.Observe(ctx, gateway); err == nil {
		read.Plan, err = plan.Make(read.World, r.deployment.limits)
	}
	if ctx.Err() != nil {
		return report.Gateway{}, ctx.Err()
	}
	if err != nil {
		r.sayFailed(gateway, err)
		return report.Unread(gateway, oneLine(r.explain(err))), nil
	}
	one := report.Of(read, r.deployment.limits)
	entries, err := states.History(ctx, gateway, recentChanges)
	if err != nil {
		if ctx.Err() != nil {
			return report.Gateway{}, ctx.Err()
		}
		r.sayFailed(gateway, err)
	}
	for _, e := range entries {
		change := report.Change{At: e.At, Cause: e.Cause, By: e.By, PlanHash: e.PlanHash, Outcome: e.Outcome}
		one.Changes = append(one.Changes, report.Written(change, e.Observed, e.Written))
	}
	return one, nil
}

func grantOf(row grant.Row) report.Grant {
	g := report.Grant{Gateway: row.Gateway, ID: row.ID}
	if row.Grant == nil {
		return g
	}
	untimed := *row.Grant
	untimed.Expires = time.Time{} // it has a column of its own
	g.Principal, g.Expires = describe(grant.Row{Key: row.Key, Grant: &untimed}), moment(row.Grant.Expires)
	g.Reason, g.RequestedBy, g.Source = row.Grant.Reason, row.Grant.RequestedBy, row.Grant.Source
	return g
}
