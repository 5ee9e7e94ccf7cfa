package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/settings"
)

func (p *program) listCommand() *cobra.Command {
	var flags listFlags
	cmd := &cobra.Command{
		Use:   "list [GATEWAY]",
		Short: "Show grants, and whether they are in the policy or why not",
		Long: `Show grants, and whether they are in the policy or why not.

With a GATEWAY: its rows and those for every gateway, each as it stands on that
gateway. With '*': the rows for every gateway. Without: the whole table.

PHASE is Admitted (in the policy; with ForeignDeny where a Deny of others refuses its
calls all the same, ForeignDenyPartly where some of them), LeftOut, Invalid, Expired,
or Pending while nothing is recorded yet about the row as it is now. An Invalid row
keeps what its last valid revision gave, until its expiry or until it is corrected or
deleted.

As YAML the rows are printed as they were written, in the form of a file that apply
takes.`,
		Example: `  gateway-grants list
  gateway-grants list tools-abcdefghij --output json
  gateway-grants list --expiring 30d
  gateway-grants list --phase LeftOut,Invalid --principal 444455556666
  gateway-grants list --principal "Agents of B"
  gateway-grants list --output yaml > grants.yaml`,
		Args: checked(between(0, 1, "an optional GATEWAY"), func(*cobra.Command, []string) error {
			_, err := flags.filter(p.now())
			return err
		}),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.list(cmd.Context(), strings.Join(args, ""), flags)
		},
	}
	set := cmd.Flags()
	set.StringVar(&flags.expiring, "expiring", "", "only grants that end within this time, such as 30d or 8h, or before a date")
	set.StringSliceVar(&flags.phases, "phase", nil, "only grants in these phases, such as LeftOut,Invalid")
	set.StringVar(&flags.principal, "principal", "", "only grants that name this principal, or one of this account, by its id or name")
	completeWith(cmd, "phase", phases...)
	settingFlag(cmd, settings.GrantsTable)
	settingFlag(cmd, settings.StateTable)
	settingFlag(cmd, settings.AccountsTable)
	printsRows(cmd)
	p.completeNames(cmd, false)
	return cmd
}

func (p *program) list(ctx context.Context, name string, flags listFlags) error {
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	stored := p.open(s.config, p.settings.tables)
	if flags.principal, err = p.withoutName(ctx, stored.directory, flags.principal); err != nil {
		return err
	}
	wanted, err := flags.filter(p.now())
	if err != nil {
		return err
	}
	known := &statuses{load: stored.states.Load, of: map[string]ledger.State{}}
	var listed []listedRow
	if name == "" || name == grant.EveryGateway {
		listed, err = p.listTable(ctx, stored.grants, known, name)
	} else {
		listed, err = p.listGateway(ctx, stored.grants, known, name, s)
	}
	if err != nil {
		return err
	}
	listed = slices.DeleteFunc(listed, func(row listedRow) bool { return !wanted(row) })
	if p.settings.output == outputYAML {
		return p.listFile(ctx, stored.grants, listed)
	}
	if err := p.nameListed(ctx, stored.directory, listed); err != nil {
		return err
	}
	return p.sayListed(listed, known)
}

// nameListed adds the names of the accounts that rows name.
func (p *program) nameListed(ctx context.Context, table directoryTable, rows []listedRow) error {
	var principals []string
	for _, row := range rows {
		principals = append(principals, row.Principal)
	}
	names, err := p.accountNames(ctx, table, principals)
	for i := range rows {
		rows[i].AccountName = names.of(rows[i].Principal)
	}
	return err
}

// listTable lists the rows of every partition, or of that one.
func (p *program) listTable(ctx context.Context, table grantsTable, known *statuses, only string) ([]listedRow, error) {
	rows, err := table.All(ctx)
	if err != nil {
		return nil, err
	}
	listed := []listedRow{}
	for _, row := range rows {
		if only == "" || row.Gateway == only {
			listed = append(listed, listedOn(row.Gateway, row, known.find(ctx, row.Gateway, row.Key), p.now()))
		}
	}
	return listed, nil
}

// listGateway lists the rows that concern a gateway, as they stand there.
func (p *program) listGateway(ctx context.Context, table grantsTable, known *statuses, name string, s *session) ([]listedRow, error) {
	where, err := p.scopeOf(ctx, name, s)
	if err != nil {
		return nil, err
	}
	rows, err := table.ForGateway(ctx, where.gateway)
	if err != nil {
		return nil, err
	}
	listed := make([]listedRow, len(rows))
	for i, row := range rows {
		listed[i] = listedOn(where.key(), row, known.find(ctx, where.key(), row.Key), p.now())
	}
	return listed, nil
}

func (p *program) sayListed(rows []listedRow, known *statuses) error {
	if err := p.printListed(rows); err != nil {
		return err
	}
	note := p.paint(p.err).yellow("Note:")
	if known.failed != nil {
		fmt.Fprintln(p.err, note, "statuses are missing, as the state table could not be read:", oneLine(p.explain(known.failed)))
	}
	for _, gateway := range slices.Sorted(maps.Keys(known.of)) {
		state := known.of[gateway].Gateway
		switch {
		case state.LastError == grant.CodeObserved:
			fmt.Fprintf(p.err, "%s %s: %s\n", note, shortGateway(gateway), oneLine(state.LastMessage))
		case state.LastError != "":
			fmt.Fprintf(p.err, "%s the last reconcile of %s failed (%s): %s\n", note, shortGateway(gateway), state.LastError, oneLine(state.LastMessage))
		}
		if state.Open != "" {
			fmt.Fprintf(p.err, "%s %s is open: %s\n", note, shortGateway(gateway), oneLine(plan.OpenMessage(state.Open)))
		}
	}
	return nil
}

func (p *program) printListed(rows []listedRow) error {
	return printRows(p, rows, "No grants.", []column[listedRow]{
		{name: "GATEWAY", text: func(row listedRow) string { return shortGateway(row.Gateway) }},
		{name: "GRANT", text: func(row listedRow) string { return row.Grant }},
		{name: "PRINCIPAL", text: listedRow.principalText},
		{name: "NAME", text: func(row listedRow) string { return row.AccountName }, optional: true},
		{name: "PHASE", text: func(row listedRow) string { return string(row.Phase) }, paint: p.paintStatus},
		{name: "REASON", text: func(row listedRow) string { return string(row.Reason) }},
		{name: "EXPIRES", text: func(row listedRow) string { return row.Expires }},
		{name: "AGE", text: func(row listedRow) string { return row.age(p.now()) }},
		{name: "MESSAGE", text: func(row listedRow) string { return row.Message }},
	})
}

func (l listedRow) status() string {
	text := string(l.Phase)
	if l.Reason != "" {
		text += " " + string(l.Reason)
	}
	if l.Since != "" {
		text += " since " + l.Since
	}
	if l.Message != "" {
		text += ": " + l.Message
	}
	return text
}

// paintStatus colours the phase, not the reason after it.
func (p *program) paintStatus(row listedRow, text string) string {
	paint := p.paint(p.out)
	colour := paint.faint
	switch {
	case row.Phase == grant.PhaseAdmitted && row.Reason != "":
		colour = paint.yellow
	case row.Phase == grant.PhaseAdmitted:
		colour = paint.green
	case row.Phase == grant.PhaseInvalid, row.Phase == grant.PhaseLeftOut:
		colour = paint.red
	}
	rest := strings.TrimPrefix(text, string(row.Phase))
	return colour(string(row.Phase)) + rest
}

// shortGateway is the id of a gateway, which is enough to tell those of one
// table apart.
func shortGateway(key string) string {
	if gateway, err := grant.ParseGateway(key); err == nil {
		return gateway.ID()
	}
	return dash(key)
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
