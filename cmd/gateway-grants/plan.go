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
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// errChanges ends a plan that has something to do, which has been printed already.
var errChanges = errors.New("a reconcile would change something")

func (p *program) planCommand() *cobra.Command {
	var detailed bool
	var flags fileFlags
	var out string
	var organization bool
	var organizationProfile string
	cmd := &cobra.Command{
		Use:   "plan [GATEWAY...]",
		Short: "Show what a reconcile would change, without doing it",
		Long: `Show what a reconcile would change, without doing it: the principals that it adds
and removes, how many it keeps, those that are left out and why, and how much of
AWS's limits the policy uses. A row that cannot be understood is shown as Invalid,
with what it keeps of its last valid revision and until when.

With --file: what apply would do with a file of grants, as rows and as principals
gained and lost on each gateway. --out saves that for apply.

With --organization: the accounts that would be dropped once the deployment knows the
organization (ManagementAccountId), because they are neither in it nor trusted. It lists
the organization with your own rights; --organization-profile is a profile of its management
account, or of a delegated administrator, where yours is of neither.

Exit codes: 0 done, 1 for any error. With --detailed-exitcode: 0 nothing to do, 2
changes, 1 for any error. A gateway that no plan can be made for is named on stderr,
and every other one is planned all the same.`,
		Example: `  gateway-grants plan
  gateway-grants plan tools-abcdefghij search-klmnopqrst
  gateway-grants plan '*' --detailed-exitcode --output json
  gateway-grants plan --file grants.yaml --prune --out tonight.plan`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case !organization && organizationProfile != "":
				return usage(cmd, "--organization-profile goes with --organization")
			case organization && (len(args) > 0 || flags.file != "" || flags.prune || out != ""):
				return usage(cmd, "--organization goes with neither GATEWAY nor --file")
			case flags.file != "" && len(args) > 0:
				return usage(cmd, "a file names its gateways itself: leave out GATEWAY or --file")
			case flags.file == "" && (flags.prune || out != ""):
				return usage(cmd, "--prune and --out go with --file")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := p.readDeployment(cmd)
			if err != nil {
				return err
			}
			if organization {
				return p.planOrganization(cmd.Context(), organizationProfile, d, detailed)
			}
			if flags.file != "" {
				return p.planFile(cmd.Context(), flags, out, d, detailed)
			}
			return p.plan(cmd.Context(), args, d, detailed)
		},
	}
	flags.add(cmd)
	cmd.Flags().StringVar(&out, "out", "", "file to save the plan of --file in, for apply")
	cmd.Flags().BoolVar(&organization, "organization", false, "show which accounts would be dropped once the organization is turned on")
	cmd.Flags().StringVar(&organizationProfile, "organization-profile", "", "profile of the AWS configuration that lists the organization; yours where it is left out")
	cmd.Flags().BoolVar(&detailed, "detailed-exitcode", false, "end with exit code 2 if a reconcile would change something")
	p.deploymentFlags(cmd)
	p.completeNames(cmd, false)
	return cmd
}

// planned is a plan for other programs.
type planned struct {
	Gateway       string        `json:"gateway"`
	Write         bool          `json:"write"`
	Delete        bool          `json:"delete,omitempty"` // the whole policy
	Drift         bool          `json:"drift,omitempty"`
	Reason        grant.Code    `json:"reason,omitempty"` // why nothing may be written
	Message       string        `json:"message,omitempty"`
	Changes       []changedText `json:"changes"`
	Invalid       []invalidRow  `json:"invalid,omitempty"` // rows that cannot be understood
	Denials       []denialText  `json:"denials,omitempty"` // by statements of others, of what is admitted
	Open          []otherText   `json:"open,omitempty"`    // statements of others that let in everyone
	Bytes         int           `json:"bytes"`
	MaxBytes      int           `json:"maxBytes"`
	Statements    int           `json:"statements"`
	MaxStatements int           `json:"maxStatements"`
	PlanHash      string        `json:"planHash"`
}

func (p *program) plan(ctx context.Context, names []string, d deployment, detailed bool) error {
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	gateways := d.gateways(s.config)
	concerned, err := p.named(ctx, names, s, gateways)
	if err != nil {
		return err
	}
	run := planning{program: p, reconciler: p.reconciler(s.config, gateways, d), limits: d.limits, texts: []planned{}, detailed: detailed}
	progress := p.steps("Planning gateways", len(concerned))
	for _, gateway := range concerned {
		if ctx.Err() == nil {
			progress.clear()
			run.one(ctx, gateway)
			progress.done()
		}
	}
	progress.clear()
	return run.end(ctx)
}

// planning is one plan after the other. A gateway that none can be made for
// keeps no other from its own.
type planning struct {
	*program
	reconciler *reconcile.Reconciler
	limits     plan.Limits
	detailed   bool // an exit code says whether there are changes
	changes    bool
	failed     bool
	texts      []planned // for JSON
}

func (r *planning) one(ctx context.Context, gateway grant.Gateway) {
	decided, err := r.reconciler.Plan(ctx, gateway)
	if err != nil {
		if ctx.Err() == nil { // an interruption is reported once, at the end
			r.sayFailed(gateway, err)
			r.failed = true
		}
		return
	}
	r.changes = r.changes || decided.Write || decided.NotApplied != nil
	if r.settings.structured() {
		r.texts = append(r.texts, plannedText(gateway, decided, r.limits))
		return
	}
	r.sayPlanned(gateway, decided, r.limits)
}

// sayFailed says on one line what is wrong with the gateway.
func (p *program) sayFailed(gateway grant.Gateway, err error) {
	why := oneLine(p.explain(err))
	if !strings.Contains(why, gateway.ARN()) {
		why = gateway.ARN() + ": " + why
	}
	fmt.Fprintln(p.err, p.paint(p.err).red("gateway-grants:"), why)
}

func (r *planning) end(ctx context.Context) error {
	if r.settings.structured() {
		if err := r.printValue(r.texts); err != nil {
			return err
		}
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case r.failed:
		return errPrinted
	case r.changes && r.detailed:
		return errChanges
	}
	return nil
}

// named are the gateways that the command line names, each once.
func (p *program) named(ctx context.Context, names []string, s *session, gateways *agentcore.Gateways) ([]grant.Gateway, error) {
	if len(names) == 0 {
		names = []string{""}
	}
	var all []grant.Gateway
	seen := make(map[grant.Gateway]bool)
	for _, name := range names {
		where, err := p.scopeOf(ctx, name, s)
		if err != nil {
			return nil, err
		}
		concerned, err := managed(ctx, where, gateways)
		if err != nil {
			return nil, err
		}
		for _, gateway := range concerned {
			if !seen[gateway] {
				seen[gateway] = true
				all = append(all, gateway)
			}
		}
	}
	return all, nil
}

// invalidRow is a row that cannot be understood, and the principals that keep access by it.
type invalidRow struct {
	Scope   string     `json:"scope"`
	Grant   string     `json:"grant"`
	Reason  grant.Code `json:"reason"`
	Message string     `json:"message"`
	Keeps   []string   `json:"keeps,omitempty"` // principals of the last valid revision that stay
}

func invalidRows(decided plan.Plan) []invalidRow {
	var rows []invalidRow
	for key, status := range decided.Status {
		if status.Phase == grant.PhaseInvalid {
			rows = append(rows, invalidRow{Scope: key.Gateway, Grant: key.ID, Reason: status.Reason, Message: status.Message, Keeps: status.Admitted})
		}
	}
	slices.SortFunc(rows, func(a, b invalidRow) int { return cmp.Or(cmp.Compare(a.Scope, b.Scope), cmp.Compare(a.Grant, b.Grant)) })
	return rows
}

func plannedText(gateway grant.Gateway, decided plan.Plan, limits plan.Limits) planned {
	text := planned{
		Gateway: gateway.ARN(), Write: decided.Write, Delete: decided.Write && decided.Want == nil, Drift: decided.Drift,
		Changes: changeTexts(decided.Changes), Invalid: invalidRows(decided), PlanHash: decided.Hash,
		Bytes: decided.Size.Bytes, MaxBytes: limits.MaxBytes, Statements: decided.Size.Statements, MaxStatements: limits.MaxStatements,
	}
	text.Denials, text.Open = outsideTexts(decided.Outside)
	if reason := cmp.Or(decided.Blocked, decided.Waits); reason != nil {
		text.Reason, text.Message = reason.Code, reason.Hint
	}
	return text
}

func (p *program) sayPlanned(gateway grant.Gateway, decided plan.Plan, limits plan.Limits) {
	paint := p.paint(p.out)
	fmt.Fprintln(p.out, gateway.ARN())
	count := map[plan.Verb]int{}
	for _, change := range decided.Changes {
		count[change.Verb]++
		if change.Verb != plan.Keep {
			fmt.Fprintln(p.out, p.changeLine(change))
		}
	}
	for _, row := range invalidRows(decided) {
		fmt.Fprintf(p.out, "  %s grant %s (%s): %s\n", paint.yellow("Invalid"), oneLine(row.Grant), row.Reason, oneLine(row.Message))
	}
	fmt.Fprintf(p.out, "%d to add, %d to remove, %d to keep, %d left out. The policy takes %d of %d bytes and %d of %d statements.\n",
		count[plan.Add], count[plan.Remove], count[plan.Keep], count[plan.LeaveOut],
		decided.Size.Bytes, limits.MaxBytes, decided.Size.Statements, limits.MaxStatements)
	p.sayOutside(decided.Outside)
	switch {
	case decided.NotApplied != nil:
		fmt.Fprintln(p.out, paint.yellow("Changes:"), oneLine(decided.Blocked.Hint)+".")
	case decided.Blocked != nil:
		fmt.Fprintf(p.out, "%s nothing may be written: %s (%s)\n", paint.yellow("Blocked:"), oneLine(decided.Blocked.Hint), decided.Blocked.Code)
	case decided.Write && decided.Want == nil:
		fmt.Fprintln(p.out, paint.yellow("Changes:"), "a reconcile would delete the policy.")
	case decided.Write:
		fmt.Fprintln(p.out, paint.yellow("Changes:"), "a reconcile would write the policy.")
	default:
		fmt.Fprintln(p.out, paint.green("Nothing to do:"), "the policy is what the grants say.")
	}
}
