package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/settings"
)

func (p *program) revokeCommand() *cobra.Command {
	var role string
	cmd := &cobra.Command{
		Use:   "revoke [GATEWAY] ID|PRINCIPAL",
		Short: "Take back a grant, by its id, or every grant of a principal",
		Long: `Take back a grant: delete rows of the grants table.

An ID deletes that row. A PRINCIPAL, with the --role that it was granted with,
deletes every row of the gateway that lets in exactly that principal; rows for a
wider or narrower one, and rows for every gateway, stay, and those of the same
principal are named.`,
		Example: `  gateway-grants revoke 444455556666
  gateway-grants revoke 444455556666 --role AgentRole
  gateway-grants revoke tools-abcdefghij arn:aws:iam::444455556666:role/AgentRole
  gateway-grants revoke '*' ou-abcd-11112222`,
		Args: between(1, 2, "an optional GATEWAY and an ID or PRINCIPAL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			gateway, what := gatewayAndLast(args)
			return p.revoke(cmd.Context(), gateway, what, role)
		},
	}
	cmd.Flags().StringVar(&role, "role", "", "the role that the principal was narrowed to")
	settingFlag(cmd, settings.GrantsTable)
	p.configFlag(cmd)
	return cmd
}

func (p *program) revoke(ctx context.Context, gateway, what, role string) error {
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	where, err := p.scopeOf(ctx, gateway, s)
	if err != nil {
		return err
	}
	table := p.open(s.config, p.settings.tables).grants
	rows, err := table.All(ctx)
	if err != nil {
		return err
	}
	rowsThere := matching(rows, func(row grant.Row) bool { return row.Gateway == where.key() })
	meant := rowsMeant(rowsThere, what, role)
	if len(meant) == 0 {
		return noneMeant(rowsThere, where, what, role)
	}
	for _, row := range meant {
		if _, err := table.Delete(ctx, row.Key); err != nil {
			return err
		}
	}
	return p.sayRevoked(where, meant, alsoEverywhere(rows, where, meant))
}

// rowsMeant are the row of that id, or else every row that lets in exactly that
// principal.
func rowsMeant(rows []grant.Row, what, role string) []grant.Row {
	if role == "" {
		if row := matching(rows, func(row grant.Row) bool { return row.ID == what }); len(row) > 0 {
			return row
		}
	}
	principal, err := grant.ParsePrincipal(what)
	if err != nil {
		return nil // no principal; then it was an id
	}
	named := subject(&grant.Grant{Principal: principal, Role: role})
	return matching(rows, func(row grant.Row) bool { return row.Grant != nil && subject(row.Grant) == named })
}

// noneMeant refuses, and names what was perhaps meant: grants of the principal
// that are narrowed to a role.
func noneMeant(rows []grant.Row, where scope, what, role string) error {
	if role != "" {
		what += " --role " + role
	}
	narrower := matching(rows, func(row grant.Row) bool {
		return row.Grant != nil && role == "" && strings.HasPrefix(subject(row.Grant), what+":role/")
	})
	if len(narrower) > 0 {
		return refuse("no grant on %s has the id or principal %s, but there is %s: name that", where, what, strings.Join(ids(narrower), ", "))
	}
	return refuse("no grant on %s has the id or principal %s: gateway-grants list shows those there are", where, what)
}

// alsoEverywhere are the grants for every gateway that keep letting in whom the
// revoked ones did.
func alsoEverywhere(rows []grant.Row, where scope, revoked []grant.Row) []grant.Row {
	if where.every {
		return nil
	}
	return matching(rows, func(row grant.Row) bool {
		return row.Gateway == grant.EveryGateway && row.Grant != nil && slices.ContainsFunc(revoked, func(gone grant.Row) bool {
			return gone.Grant != nil && subject(gone.Grant) == subject(row.Grant)
		})
	})
}

func matching(rows []grant.Row, wanted func(grant.Row) bool) []grant.Row {
	var found []grant.Row
	for _, row := range rows {
		if wanted(row) {
			found = append(found, row)
		}
	}
	return found
}

func (p *program) sayRevoked(where scope, revoked, remaining []grant.Row) error {
	if p.settings.structured() {
		return p.printValue(struct {
			Gateway   string   `json:"gateway"`
			Revoked   []string `json:"revoked"`
			Remaining []string `json:"remainingOnEveryGateway"`
		}{where.key(), ids(revoked), ids(remaining)})
	}
	for _, row := range revoked {
		fmt.Fprintf(p.out, "%s %s on %s (grant %s)\n", p.paint(p.out).green("Revoked"), describe(row), where, row.ID)
	}
	for _, row := range remaining {
		fmt.Fprintf(p.out, "%s %s is still let in on every gateway: gateway-grants revoke '*' '%s' ends that\n",
			p.paint(p.out).yellow("Note:"), describe(row), row.ID)
	}
	return nil
}

func ids(rows []grant.Row) []string {
	list := make([]string, len(rows))
	for i, row := range rows {
		list[i] = row.ID
	}
	return list
}
