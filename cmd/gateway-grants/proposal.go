package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/agentcore"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/grantfile"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// proposal is what a change of rows means: the rows, and what a reconcile of each
// gateway that they concern would then do.
type proposal struct {
	steps    []grantfile.Step
	gateways []proposedGateway
}

// proposedGateway is the plan of one gateway, once the rows are changed.
type proposedGateway struct {
	gateway grant.Gateway
	rows    []grant.Row
	decided plan.Plan
	failure error // why there is no plan
}

// changesAnything reports whether a reconcile would write a policy.
func (p proposal) changesAnything() bool {
	return len(p.steps) > 0 || slices.ContainsFunc(p.gateways, func(g proposedGateway) bool { return g.decided.Write })
}

func (p proposal) failed() bool {
	return slices.ContainsFunc(p.gateways, func(g proposedGateway) bool { return g.failure != nil })
}

// readFile reads a file of grants; "-" is the standard input.
func (p *program) readFile(name string) (grantfile.File, error) {
	if name == "-" {
		return parseFile("(standard input)", p.in)
	}
	file, err := os.Open(name) //nolint:gosec // the admin names the file
	if err != nil {
		return grantfile.File{}, refuse("cannot read the grants: %v: name a file with --file", err)
	}
	defer file.Close()
	return parseFile(name, file)
}

// parseFile reads no more than shows that a file is too large: /dev/zero does not end.
func parseFile(name string, from io.Reader) (grantfile.File, error) {
	text, err := io.ReadAll(io.LimitReader(from, grantfile.MaxSize+1))
	if err != nil {
		return grantfile.File{}, refuse("cannot read the grants: %v: name a file with --file", err)
	}
	return grantfile.Parse(name, text)
}

// proposing makes proposals for one deployment.
type proposing struct {
	*program
	session    *session
	deployment deployment
	gateways   *agentcore.Gateways
	table      []grant.Attributes // as read
}

func (p *program) proposing(ctx context.Context, d deployment) (*proposing, error) {
	s, err := p.session(ctx)
	if err != nil {
		return nil, err
	}
	table, err := p.open(s.config, p.settings.tables).grants.Written(ctx)
	if err != nil {
		return nil, err
	}
	return &proposing{program: p, session: s, deployment: d, gateways: d.gateways(s.config), table: table}, nil
}

// proposeFile proposes to make the table what the file of the flags says.
func (p *program) proposeFile(ctx context.Context, flags fileFlags, d deployment) (*proposing, proposal, error) {
	file, err := p.readFile(flags.file)
	if err != nil {
		return nil, proposal{}, err
	}
	run, err := p.proposing(ctx, d)
	if err != nil {
		return nil, proposal{}, err
	}
	made, err := run.ofFile(ctx, file, flags.prune)
	return run, made, err
}

// ofFile proposes to make the table what the file says.
func (r *proposing) ofFile(ctx context.Context, file grantfile.File, prune bool) (proposal, error) {
	who, err := r.session.identity(ctx)
	if err != nil {
		return proposal{}, err
	}
	steps, err := file.Changes(r.table, prune, who.ARN)
	if err != nil {
		return proposal{}, err
	}
	return r.of(ctx, steps)
}

// of proposes the steps, and plans each gateway that they concern.
func (r *proposing) of(ctx context.Context, steps []grantfile.Step) (proposal, error) {
	concerned, err := r.concerned(ctx, steps)
	if err != nil {
		return proposal{}, err
	}
	rows := rowsAsIf(grantfile.Carried(r.table, steps))
	reconciler := r.reconciler(r.session.config, r.gateways, r.deployment)
	reconciler.Grants = rows
	made := proposal{steps: steps}
	progress := r.steps("Planning gateways", len(concerned))
	defer progress.clear()
	for _, gateway := range concerned {
		decided, err := reconciler.Plan(ctx, gateway)
		if ctx.Err() != nil {
			return proposal{}, ctx.Err()
		}
		made.gateways = append(made.gateways, proposedGateway{gateway, rows[gateway.ARN()], decided, err})
		progress.done()
	}
	return made, nil
}

// concerned are the gateways whose rows change, sorted by ARN.
func (r *proposing) concerned(ctx context.Context, steps []grantfile.Step) ([]grant.Gateway, error) {
	set := make(map[grant.Gateway]bool)
	for _, step := range steps {
		if step.Key.Gateway == grant.EveryGateway {
			every, err := r.gateways.Managed(ctx)
			if err != nil {
				return nil, err
			}
			for _, gateway := range every {
				set[gateway] = true
			}
			break
		}
	}
	for _, step := range steps {
		if gateway, err := grant.ParseGateway(step.Key.Gateway); err == nil {
			set[gateway] = true
		}
	}
	return byARN(set), nil
}

// byARN lists the gateways of a set in the order of their ARNs.
func byARN(set map[grant.Gateway]bool) []grant.Gateway {
	return slices.SortedFunc(maps.Keys(set), func(a, b grant.Gateway) int { return cmp.Compare(a.ARN(), b.ARN()) })
}

// asIf is the grants table as it would be, by gateway key.
type asIf map[string][]grant.Row

var _ reconcile.Grants = asIf{}

// Approvals are none: what is proposed is shown before an admin decides.
func (asIf) Approvals(context.Context, grant.Gateway) (grant.Approvals, error) {
	return nil, nil
}

func rowsAsIf(rows []grant.Row) asIf {
	table := make(asIf)
	for _, row := range rows {
		table[row.Gateway] = append(table[row.Gateway], row)
	}
	for _, partition := range table {
		slices.SortFunc(partition, func(a, b grant.Row) int { return cmp.Compare(a.ID, b.ID) })
	}
	return table
}

func (t asIf) ForGateway(_ context.Context, gateway grant.Gateway) ([]grant.Row, error) {
	return slices.Concat(t[grant.EveryGateway], t[gateway.ARN()]), nil
}

// stepText is what becomes of a row, for other programs.
type stepText struct {
	Verb    grantfile.Verb   `json:"verb"`
	Gateway string           `json:"gateway"`
	Grant   string           `json:"grant"`
	Fields  []string         `json:"fields,omitempty"` // of Change: the attributes that change
	Row     grant.Attributes `json:"row,omitempty"`    // as it will be
}

func stepTexts(steps []grantfile.Step) []stepText {
	texts := make([]stepText, len(steps))
	for i, step := range steps {
		texts[i] = stepText{Verb: step.Verb, Gateway: step.Key.Gateway, Grant: step.Key.ID, Row: step.After}
		if step.Verb == grantfile.Change {
			texts[i].Fields = step.Fields()
		}
	}
	return texts
}

// sayProposal shows the rows that change, and then each gateway's plan.
func (p *program) sayProposal(made proposal, d deployment) {
	paint := p.paint(p.out)
	for _, step := range made.steps {
		name := oneLine(shortKey(step.Key.String()))
		switch step.Verb {
		case grantfile.Add:
			fmt.Fprintf(p.out, "%s %s: %s\n", paint.green("+"), name, describe(grant.Parse(step.After)))
		case grantfile.Change:
			fmt.Fprintf(p.out, "%s %s: %s\n", paint.yellow("~"), name, oneLine(strings.Join(differing(step), ", ")))
		case grantfile.Remove:
			fmt.Fprintf(p.out, "%s %s: %s\n", paint.red("-"), name, describe(grant.Parse(step.Before)))
		}
	}
	if len(made.steps) == 0 {
		fmt.Fprintln(p.out, paint.green("Nothing to do:"), "the table is what the file says.")
		return
	}
	fmt.Fprintf(p.out, "Rows: %s.\n", grantfile.Summary(made.steps))
	for _, g := range made.gateways {
		fmt.Fprintln(p.out)
		if g.failure != nil {
			p.sayFailed(g.gateway, g.failure)
			continue
		}
		p.sayPlanned(g.gateway, g.decided, d.limits)
	}
}

// differing says attribute by attribute how a row changes.
func differing(step grantfile.Step) []string {
	var all []string
	for _, name := range step.Fields() {
		all = append(all, fmt.Sprintf("%s %s → %s", name, written(step.Before, name), written(step.After, name)))
	}
	return all
}

func written(attributes grant.Attributes, name string) string {
	value, has := attributes[name]
	if !has {
		return "(none)"
	}
	return oneLine(fmt.Sprint(value))
}
