package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

func (p *program) describeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "describe GATEWAY | [GATEWAY] GRANT",
		Short: "Show everything about a gateway, or about a grant",
		Long: `Show everything about a gateway, or about a grant.

Of a gateway: how much room its policy has left, when it is looked at next, whether
it drifted, statements of others, its grants, and the last changes of its policy with
plan hash and who asked for them. Of a grant, by its id: the row, and where it stands
on each gateway that it is for. Where several gateways have a grant of that id, name
the gateway first.`,
		Example: `  gateway-grants describe tools-abcdefghij
  gateway-grants describe agents-of-b
  gateway-grants describe '*' ou-abcd-11112222 --output json`,
		Args: between(1, 2, "a GATEWAY, a GRANT, or both"),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := p.readDeployment(cmd)
			if err != nil {
				return err
			}
			return p.describe(cmd.Context(), args, d)
		},
	}
	p.deploymentFlags(cmd)
	p.completeNames(cmd, true)
	return cmd
}

func (p *program) describe(ctx context.Context, args []string, d deployment) error {
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	stored := p.open(s.config, p.settings.tables)
	if len(args) == 2 {
		where, err := p.scopeOf(ctx, args[0], s)
		if err != nil {
			return err
		}
		return p.describeGrant(ctx, stored, d, s, args[1], where.key())
	}
	rows, err := stored.grants.All(ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(rows, func(row grant.Row) bool { return row.ID == args[0] }) {
		return p.describeGrant(ctx, stored, d, s, args[0], "")
	}
	where, err := p.scopeOf(ctx, args[0], s)
	if err != nil {
		return fmt.Errorf("no grant has the id %s: %w", args[0], err)
	}
	if where.every {
		return refuse("describe takes one gateway: name it by its ARN, id or name; gateway-grants list '*' shows the grants for every gateway")
	}
	text, err := p.describedGateway(ctx, stored, d, s, where.gateway)
	if err != nil {
		return err
	}
	if p.settings.structured() {
		return p.printValue(text)
	}
	return p.sayDescribed(text)
}

// describedGateway is a gateway as it is shown.
type describedGateway struct {
	Gateway       string        `json:"gateway"`
	Exists        bool          `json:"exists"`
	Status        string        `json:"status,omitempty"`
	Authorizer    string        `json:"authorizer,omitempty"`
	Managed       bool          `json:"managed"`
	Bytes         int           `json:"bytes"`
	MaxBytes      int           `json:"maxBytes"`
	Statements    int           `json:"statements"`
	MaxStatements int           `json:"maxStatements"`
	Settled       bool          `json:"settled"` // the policy is what the grants say
	Drift         bool          `json:"drift"`   // others changed our statements
	Reason        grant.Code    `json:"reason,omitempty"`
	Message       string        `json:"message,omitempty"`
	Due           string        `json:"due,omitempty"` // when it is looked at next, besides sweeps
	PlanHash      string        `json:"planHash"`
	Names         accountNames  `json:"accountNames,omitempty"` // by id, of the accounts in what follows
	Foreign       []foreignText `json:"foreign"`
	Grants        []listedRow   `json:"grants"`
	Changes       []journalText `json:"changes"` // of the policy, the newest first
}

// foreignText is a statement that is not this installation's.
type foreignText struct {
	Statement  int           `json:"statement"`
	Sid        string        `json:"sid,omitempty"`
	Effect     policy.Effect `json:"effect"`
	Principals []string      `json:"principals,omitempty"`
	Conditions bool          `json:"conditions,omitempty"`
}

// journalText is a change of a gateway's policy.
type journalText struct {
	At       string `json:"at"`
	Cause    string `json:"cause"`
	By       string `json:"by,omitempty"`
	PlanHash string `json:"planHash"`
	Outcome  string `json:"outcome"`
}

// changesShown is how many changes of a policy are shown.
const changesShown = 10

func (p *program) describedGateway(ctx context.Context, stored opened, d deployment, s *session, gateway grant.Gateway) (describedGateway, error) {
	world, err := p.reconciler(s.config, d.gateways(s.config), d).Observe(ctx, gateway)
	if err != nil {
		return describedGateway{}, err
	}
	decided, err := plan.Make(world, d.limits)
	if err != nil {
		return describedGateway{}, err
	}
	history, err := stored.states.History(ctx, gateway, changesShown)
	if err != nil {
		return describedGateway{}, err
	}
	observed, recorded := world.Gateway, world.Gateway.Recorded.Gateway
	text := describedGateway{
		Gateway: gateway.ARN(), Exists: observed.Exists, Status: observed.Status, Authorizer: observed.Authorizer, Managed: observed.Managed,
		Bytes: decided.Size.Bytes, MaxBytes: d.limits.MaxBytes, Statements: decided.Size.Statements, MaxStatements: d.limits.MaxStatements,
		Settled: !decided.Write && decided.Blocked == nil, Drift: decided.Drift, Due: moment(recorded.Due), PlanHash: decided.Hash,
		Foreign: foreignTexts(gateway, observed.Policy, d.limits.Installation), Grants: []listedRow{}, Changes: journalTexts(history),
	}
	switch {
	case decided.Blocked != nil:
		text.Reason, text.Message = decided.Blocked.Code, decided.Blocked.Hint
	case recorded.LastError != "":
		text.Reason, text.Message = recorded.LastError, oneLine(recorded.LastMessage)
	}
	for _, row := range world.Rows {
		status, known := world.Gateway.Recorded.Grants[row.Key]
		var recordedStatus *grant.Status
		if known {
			recordedStatus = &status
		}
		text.Grants = append(text.Grants, listedOn(gateway.ARN(), row, recordedStatus, p.now()))
	}
	err = p.nameDescribed(ctx, stored.directory, &text)
	return text, err
}

func (p *program) nameDescribed(ctx context.Context, table directoryTable, text *describedGateway) (err error) {
	var principals []string
	for _, f := range text.Foreign {
		principals = append(principals, f.Principals...)
	}
	for _, row := range text.Grants {
		principals = append(principals, row.Principal)
	}
	text.Names, err = p.accountNames(ctx, table, principals)
	for i := range text.Grants {
		text.Grants[i].AccountName = text.Names.of(text.Grants[i].Principal)
	}
	return err
}

func foreignTexts(gateway grant.Gateway, document *policy.Document, installation string) []foreignText {
	all := []foreignText{}
	if document == nil {
		return all
	}
	owned := make(map[int]bool)
	for _, entry := range plan.Entries(gateway, document, installation) {
		owned[entry.Number] = owned[entry.Number] || entry.Owned
	}
	for i, s := range document.Statements {
		if owned[i+1] {
			continue
		}
		text := foreignText{Statement: i + 1, Sid: s.Sid, Effect: s.Effect, Conditions: len(s.Condition) > 0}
		switch {
		case s.Principal == nil:
		case s.Principal.Everyone:
			text.Principals = []string{plan.Everyone}
		default:
			text.Principals = slices.Concat(s.Principal.AWS, s.Principal.Service, s.Principal.Federated)
		}
		all = append(all, text)
	}
	return all
}

func journalTexts(entries []reconcile.Entry) []journalText {
	all := make([]journalText, len(entries))
	for i, e := range entries {
		all[i] = journalText{At: moment(e.At), Cause: e.Cause, By: e.By, PlanHash: e.PlanHash, Outcome: e.Outcome}
	}
	return all
}

func (p *program) sayDescribed(t describedGateway) error {
	paint := p.paint(p.out)
	state := paint.green("settled: the policy is what the grants say")
	switch {
	case !t.Exists:
		state = paint.red("there is no such gateway")
	case t.Reason != "":
		state = paint.red(string(t.Reason) + ": " + oneLine(t.Message))
	case !t.Settled:
		state = paint.yellow("not settled: gateway-grants plan shows what a reconcile would change")
	}
	line := func(name, value string) { fmt.Fprintf(p.out, "%-12s%s\n", name+":", value) }
	line("Gateway", t.Gateway)
	line("Status", fmt.Sprintf("%s, authorizer %s, %s", cmp.Or(t.Status, "-"), cmp.Or(t.Authorizer, "-"), managedText(t.Managed)))
	line("Policy", state)
	line("Headroom", fmt.Sprintf("%d of %d bytes and %d of %d statements left", t.MaxBytes-t.Bytes, t.MaxBytes, t.MaxStatements-t.Statements, t.MaxStatements))
	line("Drift", map[bool]string{true: "others changed our statements", false: "none"}[t.Drift])
	line("Due", dash(t.Due))
	line("Plan", t.PlanHash)
	fmt.Fprintln(p.out, "\nForeign statements:")
	if err := printRows(p, t.Foreign, "None.", []column[foreignText]{
		{name: "STATEMENT", text: func(f foreignText) string { return strconv.Itoa(f.Statement) }},
		{name: "SID", text: func(f foreignText) string { return f.Sid }},
		{name: "EFFECT", text: func(f foreignText) string { return string(f.Effect) }},
		{name: "PRINCIPALS", text: func(f foreignText) string { return someOf(t.Names.besideEach(f.Principals)) }},
	}); err != nil {
		return err
	}
	fmt.Fprintln(p.out, "\nGrants:")
	if err := p.printListed(t.Grants); err != nil {
		return err
	}
	fmt.Fprintln(p.out, "\nRecent changes:")
	return printRows(p, t.Changes, "None.", []column[journalText]{
		{name: "AT", text: func(j journalText) string { return j.At }},
		{name: "CAUSE", text: func(j journalText) string { return j.Cause }},
		{name: "BY", text: func(j journalText) string { return j.By }},
		{name: "PLAN", text: func(j journalText) string { return j.PlanHash }},
		{name: "OUTCOME", text: func(j journalText) string { return j.Outcome }},
	})
}

func managedText(managed bool) string {
	if managed {
		return "managed"
	}
	return "not managed: it lacks the tag " + plan.ManagedTag + "=" + plan.ManagedValue
}

// age is how long ago a moment was, as kubectl prints it; "" for never.
func age(since, now time.Time) string {
	const day = 24 * time.Hour
	switch passed := now.Sub(since); {
	case since.IsZero():
		return ""
	case passed < time.Minute:
		return fmt.Sprintf("%ds", max(0, int(passed/time.Second)))
	case passed < time.Hour:
		return fmt.Sprintf("%dm", passed/time.Minute)
	case passed < 2*day:
		return fmt.Sprintf("%dh", passed/time.Hour)
	default:
		return fmt.Sprintf("%dd", passed/day)
	}
}
