package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

// accountList is one of the lists of accounts: the items of the accounts table, and the
// parameter of the deployment that holds a small list.
type accountList struct {
	topic     directory.Topic
	member    string // what an account on the list is
	parameter string
	named     []string // by the parameter
}

func (p *program) accountCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "account",
		Short: "Edit and show the accounts that are trusted, and those that own gateways",
		Long: `Edit and show the accounts that are trusted, and those that own gateways.

With --trusted: accounts outside the organization that grants may let in. With --owner:
accounts whose gateways are managed. Both lists are items of the accounts table, which
no function and no editor of grants may write. The accounts that the parameters
TrustedAccounts and OwnerAccounts name count, too; the account of the deployment is always an
owner. A change takes effect within a minute.`,
		Example: `  gateway-grants account list
  gateway-grants account add --trusted 777788889999`,
		Args: onlySubcommands,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		p.accountSubcommand("add ACCOUNT...", "Add accounts to a list", "add --trusted 777788889999", (*program).addAccounts),
		p.accountSubcommand("remove ACCOUNT...", "Remove accounts from a list", "remove --owner 444455556666", (*program).removeAccounts),
		p.accountSubcommand("list", "Show the lists, or one of them", "list --owner", (*program).listAccounts),
	)
	return cmd
}

func (p *program) accountSubcommand(use, short, example string, run func(*program, context.Context, []accountList, []string) error) *cobra.Command {
	var trusted, owner bool
	cmd := &cobra.Command{
		Use: use, Short: short, Long: short + ".\n\nAll accounts are valid and written, or none is. What is on the list, or is not, stays as it is.",
		Example: "  gateway-grants account " + example,
		Args: func(cmd *cobra.Command, args []string) error {
			return checkAccountArguments(cmd, args, trusted, owner)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := p.readDeployment(cmd)
			if err != nil {
				return err
			}
			lists := []accountList{
				{topic: directory.TopicTrusted, member: "trusted", parameter: "TrustedAccounts", named: d.limits.Trusted},
				{topic: directory.TopicOwner, member: "owner", parameter: "OwnerAccounts", named: d.limits.Owners},
			}
			if trusted != owner {
				lists = slices.DeleteFunc(lists, func(l accountList) bool { return trusted != (l.topic == directory.TopicTrusted) })
			}
			return run(p, cmd.Context(), lists, args)
		},
	}
	cmd.Flags().BoolVar(&trusted, "trusted", false, "the accounts outside the organization that grants may let in")
	cmd.Flags().BoolVar(&owner, "owner", false, "the accounts whose gateways are managed")
	p.deploymentFlags(cmd)
	if cmd.Name() == "list" {
		cmd.Long = short + ".\n\nSINCE says when an account was added, and BY which admin added it. For an account that a\nparameter names, BY is the parameter. STATE is that of an owner: Joined once its gateways were\nlisted, NotJoined before, and Failing when they no longer can be."
		printsRows(cmd)
	}
	return cmd
}

var accountID = regexp.MustCompile(`^\d{12}$`)

func checkAccountArguments(cmd *cobra.Command, args []string, trusted, owner bool) error {
	switch list := cmd.Name() == "list"; {
	case list && len(args) > 0, !list && len(args) == 0:
		return usage(cmd, "add and remove take accounts, and list takes none")
	case !list && trusted == owner:
		return usage(cmd, "write --trusted or --owner")
	}
	for _, id := range args {
		if !accountID.MatchString(id) {
			return refuse("nothing was changed: %q is no account: write 12-digit account ids", id)
		}
	}
	return nil
}

// entries reads a list, by account.
func (l accountList) entries(ctx context.Context, table directoryTable) (map[string]directory.Note, error) {
	notes, err := table.List(ctx, l.topic)
	entries := make(map[string]directory.Note, len(notes))
	for _, note := range notes {
		entries[note.ID] = note
	}
	return entries, err
}

// readList reads a list that is to be edited.
func (p *program) readList(ctx context.Context, list accountList) (*session, directoryTable, map[string]directory.Note, error) {
	s, err := p.session(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	table := p.open(s.config, p.settings.tables).directory
	listed, err := list.entries(ctx, table)
	return s, table, listed, err
}

func (p *program) addAccounts(ctx context.Context, lists []accountList, ids []string) error {
	list := lists[0]
	s, table, listed, err := p.readList(ctx, list)
	if err != nil {
		return err
	}
	who, err := s.identity(ctx)
	if err != nil {
		return err
	}
	var added []directory.Note
	for _, id := range sorted(ids) {
		if _, is := listed[id]; !is {
			added = append(added, directory.Note{Topic: list.topic, ID: id, At: p.now(), Text: who.ARN})
		}
	}
	return p.changeList(ctx, list, "Added", added, len(sorted(ids)), table.AddToList)
}

func (p *program) removeAccounts(ctx context.Context, lists []accountList, ids []string) error {
	list := lists[0]
	_, table, listed, err := p.readList(ctx, list)
	if err != nil {
		return err
	}
	var removed []directory.Note
	for _, id := range sorted(ids) {
		if entry, is := listed[id]; is {
			removed = append(removed, entry)
		}
		if slices.Contains(list.named, id) {
			fmt.Fprintf(p.err, "%s account %s stays %s: parameter %s names it\n", p.paint(p.err).yellow("Note:"), id, list.member, list.parameter)
		}
	}
	return p.changeList(ctx, list, "Removed", removed, len(sorted(ids)), table.RemoveFromList)
}

// changeList writes entries, as many at once as a transaction takes.
func (p *program) changeList(ctx context.Context, list accountList, verb string, entries []directory.Note, asked int,
	write func(context.Context, directory.Topic, []directory.Note) error,
) error {
	written := 0
	for some := range slices.Chunk(entries, store.MostListed) {
		if err := write(ctx, list.topic, some); err != nil {
			if written > 0 {
				return fmt.Errorf("%s %d of %s; repeat the command for the others: %w", strings.ToLower(verb), written, counted(len(entries), "account"), err)
			}
			return err
		}
		written += len(some)
	}
	rows := make([]listedAccount, len(entries))
	for i, entry := range entries {
		rows[i] = listedAs(list, entry)
	}
	if p.settings.structured() {
		return p.printValue(rows)
	}
	if written > 0 {
		fmt.Fprintf(p.out, "%s %s (%s). It takes effect within a minute.\n", p.paint(p.out).green(verb), counted(written, "account"), list.member)
	}
	if same := asked - written; same > 0 {
		fmt.Fprintf(p.out, "%s: nothing to do, the list is as asked.\n", counted(same, "account"))
	}
	return nil
}

// listedAccount is an account of a list, as it is printed.
type listedAccount struct {
	Account string `json:"account"`
	Name    string `json:"accountName,omitempty"`
	List    string `json:"list"`            // trusted or owner
	State   string `json:"state,omitempty"` // of an owner: Joined, NotJoined or Failing
	Message string `json:"message,omitempty"`
	Since   string `json:"since,omitempty"`
	By      string `json:"by"`
}

func listedAs(list accountList, entry directory.Note) listedAccount {
	return listedAccount{Account: entry.ID, List: list.member, Since: entry.At.UTC().Format(time.RFC3339), By: entry.Text}
}

func (p *program) listAccounts(ctx context.Context, lists []accountList, _ []string) error {
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	stored := p.open(s.config, p.settings.tables)
	table := stored.directory
	recorded, err := p.recordedOwners(ctx, s, stored.states)
	if err != nil {
		return err
	}
	var rows []listedAccount
	for _, list := range lists {
		listed, err := list.entries(ctx, table)
		if err != nil {
			return err
		}
		for _, id := range sorted(append(slices.Collect(maps.Keys(listed)), list.named...)) {
			row := listedAccount{Account: id, List: list.member, By: "parameter " + list.parameter}
			if entry, is := listed[id]; is {
				row = listedAs(list, entry)
			}
			if list.topic == directory.TopicOwner {
				row.State, row.Message = ownerState(id, recorded)
			}
			rows = append(rows, row)
		}
	}
	if err := p.nameAccounts(ctx, table, rows); err != nil {
		return err
	}
	return printRows(p, rows, "No accounts.", []column[listedAccount]{
		{name: "ACCOUNT", text: func(a listedAccount) string { return a.Account }},
		{name: "NAME", text: func(a listedAccount) string { return a.Name }, optional: true},
		{name: "LIST", text: func(a listedAccount) string { return a.List }},
		{name: "STATE", text: func(a listedAccount) string { return a.State }},
		{name: "SINCE", text: func(a listedAccount) string { return a.Since }},
		{name: "BY", text: func(a listedAccount) string { return a.By }},
	})
}

// nameAccounts adds the names of the accounts.
func (p *program) nameAccounts(ctx context.Context, table directoryTable, rows []listedAccount) error {
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = row.Account
	}
	names, err := p.accountNames(ctx, table, ids)
	for i, id := range ids {
		rows[i].Name = names[id]
	}
	return err
}

// recordedOwners reads what sweeps have recorded of owners. The account of the deployment,
// in which no role is assumed, has always joined.
func (p *program) recordedOwners(ctx context.Context, s *session, states statesTable) (map[string]ledger.Owner, error) {
	recorded, err := states.RecordedOwners(ctx)
	if err != nil {
		return nil, err
	}
	who, err := s.identity(ctx)
	if err != nil {
		return nil, err
	}
	own, has := recorded[who.Account]
	if !has {
		own = recorded[ledger.OwnAccount]
	}
	own.JoinedAt = cmp.Or(own.JoinedAt, p.now())
	recorded[who.Account] = own
	return recorded, nil
}

// ownerState is what the sweep has recorded of an owner.
func ownerState(id string, recorded map[string]ledger.Owner) (state, message string) {
	switch owner := recorded[id]; {
	case !owner.FailingSince.IsZero():
		return "Failing", owner.Message
	case owner.JoinedAt.IsZero():
		return string(grant.CodeNotJoined), "its gateways were never listed: infra/owner-account.yaml is not deployed there, or its turn is yet to come"
	default:
		return "Joined", ""
	}
}

// sorted are the values in order, each once.
func sorted(values []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(values)))
}
