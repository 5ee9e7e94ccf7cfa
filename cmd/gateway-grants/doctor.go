package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/agentcore"
	"github.com/gateway-grants/gateway-grants/pkg/doctor"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/inspect"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/settings"
	"github.com/gateway-grants/gateway-grants/pkg/store"
	"github.com/gateway-grants/gateway-grants/pkg/version"
)

func (p *program) doctorCommand() *cobra.Command {
	var before preflight
	var probes probing
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what does not work as deployed, and say what mends it",
		Long: `Look for what does not work as deployed, and say what mends it.

Reads the stack and everything that it is made of, with your own rights, and
changes nothing. Where other accounts and Regions forward their events, it sends
probes there and waits until they arrive, which is recorded for a day. With
--preflight it reads what a deployment will meet, and exits with 1 only if the
deployment would fail. A check that you may not make says so, and does not count as
healthy. Exits with 0 if every check was made and found nothing, and with 1
otherwise.`,
		Example: `  gateway-grants doctor
  gateway-grants doctor --output json
  gateway-grants doctor --preflight --name gateway-grants`,
		Args: checked(between(0, 0, "flags only"), func(cmd *cobra.Command, _ []string) error {
			if set := cmd.Flags(); !before.only && (set.Changed("name") || set.Changed("reconcile-concurrency") || set.Changed("regions")) {
				return usage(cmd, "--name, --reconcile-concurrency and --regions are about a deployment to be: they go with --preflight")
			}
			return probes.check(cmd, before.only)
		}),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if before.only {
				return p.preflight(cmd.Context(), before)
			}
			return p.doctor(cmd.Context(), probes)
		},
	}
	before.flags(cmd)
	probes.flags(cmd)
	return cmd
}

func (p *program) doctor(ctx context.Context, probes probing) error {
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	who, err := s.identity(ctx)
	if err != nil {
		return err
	}
	stack, err := p.stackName(ctx, s)
	if err != nil {
		return err
	}
	look := examination{p: p, s: s, reader: &inspect.Reader{Config: s.config, Now: p.now, Explain: func(err error) string { return oneLine(p.explain(err)) }}}
	facts := look.reader.Deployment(ctx, stack, who.Account)
	facts.Program = version.Product()
	if facts.Stack.Err == "" && !facts.Stack.Value.Missing {
		look.recorded(ctx, &facts)
		look.owners(ctx, &facts)
		facts.Forwarders = look.forwarders(ctx, facts, who.Partition, probes)
	}
	if err := ctx.Err(); err != nil {
		return err // an interrupted examination found nothing
	}
	return p.sayExamined(doctor.Examine(facts))
}

// stackName is the stack that is meant: the one named, or the only one. One that cannot be
// found has the name that make deploy gives it, so that the doctor says what is wrong.
func (p *program) stackName(ctx context.Context, s *session) (string, error) {
	if name := cmp.Or(p.settings.stack, variable(stackVariable, "")); name != "" {
		return name, nil
	}
	deployments, err := deploymentsIn(ctx, s.config, "")
	if err != nil || len(deployments) == 0 {
		return "gateway-grants", nil //nolint:nilerr // the doctor asks again, and reports it
	}
	if len(deployments) > 1 {
		return "", severalStacks(s.config.Region, deployments)
	}
	return deployments[0].Name, nil
}

// examination adds to what AWS says of a deployment what the deployment says itself.
type examination struct {
	p      *program
	s      *session
	reader *inspect.Reader
}

// recorded reads what the tables say.
func (e examination) recorded(ctx context.Context, f *doctor.Facts) {
	outputs := f.Stack.Value.Outputs
	names := settings.Tables{Grants: outputs["GrantsTableName"], Accounts: outputs["AccountsTableName"], States: outputs["StateTableName"]}
	client := dynamodb.NewFromConfig(e.s.config)
	f.Synced = reading(e, func() (at time.Time, err error) { return store.NewAccounts(client, names.Accounts).Synced(ctx) })
	f.Approvals = reading(e, func() ([]string, error) { return waitingApprovals(ctx, openDynamo(e.s.config, names)) })
	f.Attention = reading(e, func() ([]doctor.Gateway, error) {
		wants, err := store.NewStates(client, names.States).Attention(ctx)
		if err != nil {
			return nil, err
		}
		return e.gateways(ctx, f.Stack.Value.Parameters, wants)
	})
}

func reading[T any](e examination, read func() (T, error)) doctor.Reading[T] {
	value, err := read()
	if err != nil {
		return doctor.Reading[T]{Err: e.reader.Explain(err)}
	}
	return doctor.Reading[T]{Value: value}
}

// waitingApprovals says what waits for an admin.
func waitingApprovals(ctx context.Context, stored opened) ([]string, error) {
	all, err := everythingWaiting(ctx, stored, func(context.Context, grant.Gateway) (plan.Plan, error) {
		return plan.Plan{}, refuse("gateway-grants approve shows it")
	})
	if err != nil {
		return nil, err
	}
	var texts []string
	for _, w := range all {
		texts = append(texts, "this waits for an admin: "+w.What)
	}
	return texts, nil
}

// gateways are those that need attention: what is recorded of them, and those whose
// policies hold statements of other installations, which only their policies tell.
func (e examination) gateways(ctx context.Context, parameters map[string]string, wants map[string]plan.Attention) ([]doctor.Gateway, error) {
	found := map[string]*doctor.Gateway{}
	of := func(arn string) *doctor.Gateway {
		if found[arn] == nil {
			found[arn] = &doctor.Gateway{ARN: arn}
		}
		return found[arn]
	}
	for arn, w := range wants {
		g := of(arn)
		g.Failing, g.LeftOut, g.NearlyFull, g.LetsIn = w.Failing, w.LeftOut, w.NearlyFull, w.LetsIn
	}
	gateways := agentcore.New(e.s.config, reachOf(parameters))
	managed, err := gateways.Managed(ctx)
	if err != nil {
		return nil, err
	}
	for _, gateway := range managed {
		document, err := gateways.Policy(ctx, gateway)
		if err != nil {
			return nil, err
		}
		if others := siblingsIn(document, parameters["InstallationId"]); len(others) > 0 {
			of(gateway.ARN()).Siblings = others
		}
	}
	var all []doctor.Gateway
	for _, arn := range slices.Sorted(maps.Keys(found)) {
		all = append(all, *found[arn])
	}
	return all, nil
}

// siblingsIn lists the installations, other than ours, whose statements a policy holds.
func siblingsIn(document *policy.Document, ours string) []string {
	if document == nil {
		return nil
	}
	var ids []string
	for _, statement := range document.Statements {
		if id := plan.InstallationOf(statement); id != "" && id != ours && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// owners tries the role in each owner's account but the hub's own.
func (e examination) owners(ctx context.Context, f *doctor.Facts) {
	if trusted := e.reader.StackSets(ctx); trusted.Err == "" {
		f.StackSets = &trusted
	}
	reach := reachOf(f.Stack.Value.Parameters)
	for _, owner := range reach.Owners {
		switch {
		case owner == f.Account:
		case reach.Role == "":
			f.Owners = append(f.Owners, doctor.Owner{Account: owner, Assumed: doctor.Reading[bool]{Err: "the stack has no OwnerRoleName"}})
		default:
			f.Owners = append(f.Owners, e.reader.Owner(ctx, owner, reach))
		}
	}
	f.Owners = append(f.Owners, e.listedOwners(ctx, f, reach.Owners)...)
}

// listedOwners are those of the list as sweeps have recorded them, which have tried the role
// of each.
func (e examination) listedOwners(ctx context.Context, f *doctor.Facts, tried []string) []doctor.Owner {
	outputs, client := f.Stack.Value.Outputs, dynamodb.NewFromConfig(e.s.config)
	listed, err := store.NewAccounts(client, outputs["AccountsTableName"]).Owners(ctx)
	recorded, unread := store.NewStates(client, outputs["StateTableName"]).RecordedOwners(ctx)
	if err := errors.Join(err, unread); err != nil {
		return []doctor.Owner{{Account: "of the list", Assumed: doctor.Reading[bool]{Err: e.reader.Explain(err)}}}
	}
	var owners []doctor.Owner
	for _, id := range listed {
		if id == f.Account || slices.Contains(tried, id) {
			continue
		}
		owner := recorded[id]
		owners = append(owners, doctor.Owner{
			Account: id, NotJoined: owner.JoinedAt.IsZero() && owner.FailingSince.IsZero(),
			Assumed: doctor.Reading[bool]{Value: owner.FailingSince.IsZero(), Err: owner.Message},
		})
	}
	return owners
}

// reachOf is how the functions of a stack with these parameters reach gateways.
func reachOf(parameters map[string]string) agentcore.Deployment {
	list := func(name string) []string {
		return strings.FieldsFunc(parameters[name], func(r rune) bool { return r == ',' || r == ' ' })
	}
	return agentcore.Deployment{
		Regions: list("GatewayRegions"), Owners: list("OwnerAccounts"),
		Role: parameters["OwnerRoleName"], ExternalID: parameters["OwnerExternalId"],
	}
}

// examined is a deployment as the doctor prints it.
type examined struct {
	Healthy bool            `json:"healthy"`
	Checks  []doctor.Result `json:"checks"`
}

// sayExamined prints what came of each check. Anything but health is a no.
func (p *program) sayExamined(results []doctor.Result) error {
	found := examined{doctor.Healthy(results), results}
	if p.settings.structured() {
		if err := p.printValue(found); err != nil {
			return err
		}
	} else {
		p.sayChecks(results)
	}
	if !found.Healthy {
		return errPrinted
	}
	return nil
}

func (p *program) sayChecks(results []doctor.Result) {
	paint := p.paint(p.out)
	mark := map[doctor.Status]string{
		doctor.OK: paint.green("ok"), doctor.Found: paint.red("found"), doctor.Unread: paint.yellow("unread"), doctor.Skipped: paint.faint("skipped"),
	}
	for _, r := range results {
		line := fmt.Sprintf("%-13s %s", r.Check, mark[r.Status])
		if r.Note != "" {
			line += " " + paint.faint("("+r.Note+")")
		}
		fmt.Fprintln(p.out, line)
		for _, f := range r.Findings {
			fmt.Fprintf(p.out, "  %s\n    %s %s\n", oneLine(f.What), paint.faint("to mend it:"), oneLine(f.Mend))
		}
		for _, why := range r.Unread {
			fmt.Fprintf(p.out, "  not looked at: %s\n", why)
		}
	}
}
