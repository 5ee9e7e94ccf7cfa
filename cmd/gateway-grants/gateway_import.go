package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/foreign"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/grantfile"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

func (p *program) gatewayImportCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "import [GATEWAY]",
		Short: "Turn statements that others wrote into a gateway's policy into grants",
		Long: `Turn statements that others wrote into a gateway's policy into grants.

An Allow for accounts, roles and users of other accounts becomes one grant for each,
with the source "import", and the statement is replaced by this installation's own. What
no grant can say stays as it is, and is named with the reason. The plan is shown first,
and --yes or an answer confirms it.

No caller gains or loses access: the policy evaluator compares the policies before and
after, for every principal of both, and nothing is written if they differ.
gateway detach is the way back.`,
		Example: `  gateway-grants gateway import tools-abcdefghij
  gateway-grants gateway import tools-abcdefghij --yes`,
		Args: checked(between(0, 1, "an optional GATEWAY"), func(_ *cobra.Command, args []string) error {
			if slices.Contains(args, grant.EveryGateway) {
				return refuse("policies are imported one gateway at a time: name the gateway")
			}
			return nil
		}),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := p.readDeployment(cmd)
			if err != nil {
				return err
			}
			return p.importGateway(cmd.Context(), strings.Join(args, ""), yes, d)
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "import what is shown without asking")
	p.deploymentFlags(cmd)
	p.completeNames(cmd, false)
	return cmd
}

// importing is one run of the command.
type importing struct {
	*proposing

	gateway    grant.Gateway
	before     *policy.Document // as observed
	statements []foreign.Statement
	keys       map[int][]grant.Key // of the rows of each statement, by its number
	steps      []grantfile.Step
	proof      foreign.Proof
}

func (p *program) importGateway(ctx context.Context, name string, yes bool, d deployment) error {
	run, err := p.proposing(ctx, d)
	if err != nil {
		return err
	}
	where, err := p.scopeOf(ctx, name, run.session)
	if err != nil {
		return err
	}
	i := importing{proposing: run, gateway: where.gateway}
	if err := i.observe(ctx); err != nil {
		return err
	}
	if err := i.decide(ctx); err != nil {
		return err
	}
	if !p.settings.structured() {
		i.say()
	}
	if len(i.chosen()) == 0 {
		return i.end(false)
	}
	if !yes && !p.asks("Import this? [y/N] ") {
		return refuse("nothing was imported: answer y, or repeat the command with --yes")
	}
	if err := i.carryOut(ctx); err != nil {
		return err
	}
	return i.end(true)
}

// observe reads the policy, and refuses a gateway whose policy is not what its grants
// say: what an import changes could not be separated from what a reconcile does.
func (i *importing) observe(ctx context.Context) error {
	decided, err := i.reconciler(i.session.config, i.gateways, i.deployment).Plan(ctx, i.gateway)
	switch {
	case err != nil:
		return err
	case decided.Blocked != nil:
		return refuse("nothing can be imported: %s (%s)", decided.Blocked.Hint, decided.Blocked.Code)
	case i.deployment.limits.Observe:
		return refuse("nothing can be imported, because the deployment observes and writes no policy: deploy it with Mode=enforce")
	case decided.Write:
		return refuse("the policy of %s is not what its grants say: run gateway-grants reconcile first", i.gateway)
	}
	i.before = decided.Problem.Base
	i.statements = foreign.Translate(i.before, i.gateway, decided.Owns)
	return nil
}

// chosen are the statements that become grants.
func (i *importing) chosen() []foreign.Statement {
	var chosen []foreign.Statement
	for _, s := range i.statements {
		if s.Why == "" {
			chosen = append(chosen, s)
		}
	}
	return chosen
}

// decide chooses the statements whose every grant would be in the policy, and proves
// that no caller gains or loses access by that.
func (i *importing) decide(ctx context.Context) error {
	who, err := i.session.identity(ctx)
	if err != nil {
		return err
	}
	for len(i.chosen()) > 0 {
		i.nameRows(who.ARN)
		reconciler := i.reconciler(i.session.config, i.hiding(), i.deployment)
		reconciler.Grants = rowsAsIf(grantfile.Carried(i.table, i.steps))
		after, err := reconciler.Plan(ctx, i.gateway)
		if err != nil {
			return err
		}
		if i.drop(after) {
			continue
		}
		i.proof, err = foreign.Same(i.before, inForce(after), i.gateway)
		return err
	}
	i.steps = nil
	return nil
}

// inForce is the policy once the plan is carried out.
func inForce(p plan.Plan) *policy.Document {
	if p.Write {
		return p.Want
	}
	return p.Problem.Base
}

// drop leaves foreign the statements of which a grant would not be in the policy.
func (i *importing) drop(after plan.Plan) (dropped bool) {
	for n := range i.statements {
		s := &i.statements[n]
		if s.Why != "" {
			continue
		}
		for _, key := range i.keys[s.Number] {
			if status := after.Status[key]; status.Phase != grant.PhaseAdmitted {
				s.Why, dropped = fmt.Sprintf("its grant %s would be left out, %s: %s", key.ID, status.Reason, status.Message), true
				break
			}
		}
	}
	return dropped
}

// nameRows gives the rows ids, and leaves out those that the table has already.
func (i *importing) nameRows(by string) {
	known := make(map[grant.Key]grant.Row)
	for _, attributes := range i.table {
		row := grant.Parse(attributes)
		known[row.Key] = row
	}
	i.steps, i.keys = nil, make(map[int][]grant.Key)
	for _, s := range i.chosen() {
		for _, attributes := range s.Rows {
			attributes[grant.AttrRequestedBy], attributes[grant.AttrGrant] = by, "to be named"
			id := idFor(grant.Parse(attributes).Grant)
			for n := 1; ; n++ {
				attributes[grant.AttrGrant] = id
				if n > 1 {
					attributes[grant.AttrGrant] = fmt.Sprintf("%s-%d", id, n)
				}
				row := grant.Parse(attributes)
				there, taken := known[row.Key]
				if taken && !sameAccess(there, row) {
					continue
				}
				if !taken {
					known[row.Key] = row
					i.steps = append(i.steps, grantfile.Step{Verb: grantfile.Add, Key: row.Key, After: attributes})
				}
				i.keys[s.Number] = append(i.keys[s.Number], row.Key)
				break
			}
		}
	}
}

// sameAccess reports whether a row that is there lets in the same as one that is wanted.
func sameAccess(there, wanted grant.Row) bool {
	asked := *wanted.Grant
	asked.Reason = ""
	return sameGrant(there.Grant, &asked)
}

// carryOut writes the rows, and then the policy in one put: this installation's
// statements in, those that became grants out.
func (i *importing) carryOut(ctx context.Context) error {
	table := i.open(i.session.config, i.settings.tables).grants
	for _, step := range i.steps {
		if err := table.Swap(ctx, step.Key, step.Shown, step.After); err != nil {
			return fmt.Errorf("import %s, whose statements all stay: %w", i.gateway, err)
		}
	}
	who, err := i.session.identity(ctx)
	if err != nil {
		return err
	}
	hiding := i.hiding()
	result, err := i.reconciler(i.session.config, hiding, i.deployment).
		Reconcile(ctx, i.gateway, reconcile.Cause{Text: "import", By: who.ARN, RequestedAt: i.now()})
	switch {
	case err != nil:
		return err
	case result.Failure != nil:
		return fmt.Errorf("import %s, whose statements stay beside the new grants: run it again: %w", i.gateway, result.Failure)
	}
	return hiding.removeHidden(ctx, i.gateway)
}

// hiding is the policies without the statements that become grants.
func (i *importing) hiding() hidingGateways {
	var hidden []policy.Statement
	for _, s := range i.chosen() {
		hidden = append(hidden, s.Statement)
	}
	return hidingGateways{i.gateways, hidden}
}

// imported is what became of a gateway's statements of others, for other programs.
type imported struct {
	Gateway    string         `json:"gateway"`
	Imported   bool           `json:"imported"`
	Statements []importedText `json:"statements"`
}

type importedText struct {
	otherText

	Grants []string `json:"grants,omitempty"`
	Stays  string   `json:"stays,omitempty"` // why it stays foreign
}

func (i *importing) say() {
	paint := i.paint(i.out)
	fmt.Fprintln(i.out, i.gateway.ARN())
	for _, s := range i.statements {
		if s.Why != "" {
			fmt.Fprintf(i.out, "  %s %s: %s\n", paint.yellow("Stays:"), s, oneLine(s.Why))
			continue
		}
		fmt.Fprintf(i.out, "  %s %s\n", paint.green("Imported:"), s)
		for n, key := range i.keys[s.Number] {
			s.Rows[n][grant.AttrGrant] = key.ID
			fmt.Fprintf(i.out, "    %s %s (grant %s)\n", paint.green("+"), describe(grant.Parse(s.Rows[n])), key.ID)
		}
	}
	switch {
	case len(i.statements) == 0:
		fmt.Fprintln(i.out, paint.green("Nothing to import:"), "the policy has no statement of others.")
	case len(i.chosen()) == 0:
		fmt.Fprintln(i.out, paint.yellow("Nothing to import:"), "no grant can say what is left.")
	default:
		fmt.Fprintf(i.out, "No caller gains or loses access: both policies decide alike for %s in %s each.\n",
			counted(i.proof.Callers, "caller"), counted(i.proof.Contexts, "context"))
	}
}

func (i *importing) end(done bool) error {
	if i.settings.structured() {
		text := imported{i.gateway.ARN(), done, []importedText{}}
		for _, s := range i.statements {
			one := importedText{otherText: otherText{Statement: s.Number, Sid: s.Sid}, Stays: s.Why}
			for _, key := range i.keys[s.Number] {
				if s.Why == "" {
					one.Grants = append(one.Grants, key.ID)
				}
			}
			text.Statements = append(text.Statements, one)
		}
		return i.printValue(text)
	}
	if done {
		fmt.Fprintf(i.out, "%s %s became %s. gateway-grants list %s shows them.\n", i.paint(i.out).green("Imported:"),
			counted(len(i.chosen()), "statement"), counted(i.grants(), "grant"), i.gateway.ID())
	}
	return nil
}

// grants counts the grants that the chosen statements mean.
func (i *importing) grants() int {
	keys := make(map[grant.Key]bool)
	for _, s := range i.chosen() {
		for _, key := range i.keys[s.Number] {
			keys[key] = true
		}
	}
	return len(keys)
}
