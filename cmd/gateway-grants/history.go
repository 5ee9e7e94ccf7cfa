package main

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/settings"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

func (p *program) historyCommand() *cobra.Command {
	since := span{24 * time.Hour, "24h"}
	cmd := &cobra.Command{
		Use:   "history [GATEWAY]",
		Short: "Show what changed of rows and of policies, and who changed it",
		Long: `Show what changed of rows and of policies, and who changed it, the oldest first.

With a GATEWAY: its policy, its rows and those for every gateway. Without: all of
them. Changes are kept for 90 days.

BY is the row's requestedBy or source, DynamoDB where it deleted an expired row, and
for a policy who asked for the change, where CloudTrail recorded it. The stream of the table
does not say who wrote or deleted a row: CloudTrail does, where it logs the table's
data events.`,
		Example: `  gateway-grants history --since 1h
  gateway-grants history tools-abcdefghij --since 7d -o json`,
		Args: checked(between(0, 1, "an optional GATEWAY"), func(*cobra.Command, []string) error {
			if since.Duration <= 0 {
				return refuse("--since %s is no time back: write how far back to look, such as 1h", since.text)
			}
			return nil
		}),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.history(cmd.Context(), strings.Join(args, ""), since)
		},
	}
	cmd.Flags().Var(&since, "since", "how far back, such as 90m or 7d")
	settingFlag(cmd, settings.GrantsTable)
	settingFlag(cmd, settings.StateTable)
	printsRows(cmd)
	p.completeNames(cmd, false)
	return cmd
}

// changed is one change, of a row or of a policy.
type changed struct {
	At      string    `json:"at"`
	What    string    `json:"what"`    // row or policy
	Change  string    `json:"change"`  // added, changed, removed, written, or the code of a failure
	Gateway string    `json:"gateway"` // "*" for a row for every gateway
	Grant   string    `json:"grant,omitempty"`
	Detail  string    `json:"detail"`
	By      string    `json:"by,omitempty"`
	Cause   string    `json:"cause,omitempty"`
	Hash    string    `json:"planHash,omitempty"`
	when    time.Time // At, to sort by
}

func (p *program) history(ctx context.Context, name string, since span) error {
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	only := ""
	if name != "" {
		where, err := p.scopeOf(ctx, name, s)
		if err != nil {
			return err
		}
		only = where.key()
	}
	all, err := changesSince(ctx, p.open(s.config, p.settings.tables).states, p.now().Add(-since.Duration), only)
	if err != nil {
		return err
	}
	return printRows(p, all, "No changes in the last "+since.text+".", []column[changed]{
		{name: "AT", text: func(c changed) string { return c.At }},
		{name: "WHAT", text: func(c changed) string { return c.What }},
		{name: "GATEWAY", text: func(c changed) string { return shortGateway(c.Gateway) }},
		{name: "GRANT", text: func(c changed) string { return c.Grant }},
		{name: "CHANGE", text: func(c changed) string { return c.Change }},
		{name: "BY", text: func(c changed) string { return cmp.Or(c.By, c.Cause) }},
		{name: "DETAIL", text: func(c changed) string { return c.Detail }},
	})
}

// changesSince reads the changes since a time, the oldest first: of all, or of one
// gateway.
func changesSince(ctx context.Context, states statesTable, since time.Time, only string) ([]changed, error) {
	rows, err := states.RowChanges(ctx, since)
	if err != nil {
		return nil, err
	}
	journals, err := journalsSince(ctx, states, since, only)
	if err != nil {
		return nil, err
	}
	all := []changed{}
	for _, change := range rows {
		if only == "" || change.Gateway == only || change.Gateway == grant.EveryGateway {
			all = append(all, changedRow(change))
		}
	}
	for _, arn := range slices.Sorted(maps.Keys(journals)) {
		for _, entry := range journals[arn] {
			all = append(all, changedPolicy(arn, entry))
		}
	}
	slices.SortStableFunc(all, func(a, b changed) int { return a.when.Compare(b.when) })
	return all, nil
}

// mostEntries bounds what is read of one gateway's journal.
const mostEntries = 10_000

func journalsSince(ctx context.Context, states statesTable, since time.Time, only string) (map[string][]reconcile.Entry, error) {
	if only == "" || only == grant.EveryGateway {
		return states.Journals(ctx, since)
	}
	gateway, err := grant.ParseGateway(only)
	if err != nil {
		return nil, err
	}
	entries, err := states.History(ctx, gateway, mostEntries)
	if err != nil {
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e reconcile.Entry) bool { return e.At.Before(since) })
	slices.Reverse(entries)
	return map[string][]reconcile.Entry{only: entries}, nil
}

func changedRow(change grant.RowChange) changed {
	is, was := rowOf(change.Is), rowOf(change.Was)
	c := changed{
		At: moment(change.At), when: change.At, What: "row", Change: change.Verb(),
		Gateway: change.Gateway, Grant: change.ID, Detail: described(is), By: change.By,
	}
	switch change.Verb() {
	case "removed":
		c.Detail = described(was)
	case "changed":
		c.Detail = described(was) + " → " + described(is)
	}
	if c.By == "" && is != nil && is.Grant != nil {
		c.By = is.Grant.RequestedBy
		if c.By == "" {
			c.By = is.Grant.Source
		}
	}
	return c
}

// rowOf reads a row that is kept as text; nil for none.
func rowOf(text string) *grant.Row {
	item, err := store.RowItem(text)
	if err != nil {
		return nil
	}
	row := grant.Parse(store.PlainMap(item))
	return &row
}

// described says in one line which principal a row lets in.
func described(row *grant.Row) string {
	switch {
	case row == nil:
		return "(a row too large to be kept)"
	case row.Fault != nil:
		return "Invalid (" + string(row.Fault.Code) + ")"
	}
	text := rowItself(*row).principalText()
	if !row.Grant.Expires.IsZero() {
		text += " until " + moment(row.Grant.Expires)
	}
	return text
}

func changedPolicy(arn string, entry reconcile.Entry) changed {
	c := changed{
		At: moment(entry.At), when: entry.At, What: "policy", Change: entry.Outcome, Gateway: arn,
		By: entry.By, Cause: entry.Cause, Hash: entry.PlanHash,
	}
	before, after := namedIn(entry.Observed), namedIn(entry.Written)
	var parts []string
	for _, who := range after {
		if !slices.Contains(before, who) {
			parts = append(parts, "+"+who)
		}
	}
	for _, who := range before {
		if !slices.Contains(after, who) {
			parts = append(parts, "-"+who)
		}
	}
	if c.Detail = someOf(parts); len(parts) == 0 {
		c.Detail = "the same principals"
	}
	return c
}

// namedIn lists the principals that Allow statements of a policy name, sorted.
func namedIn(text string) []string {
	document, err := policy.Parse([]byte(text))
	if err != nil {
		return nil
	}
	var names []string
	for _, s := range document.Statements {
		if s.Effect == policy.Allow && s.Principal != nil {
			names = append(names, s.Principal.AWS...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
