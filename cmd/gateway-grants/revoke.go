package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/settings"
)

type revokeFlags struct {
	gateways []string
	role     string
	wait     waiting
}

func (p *program) revokeCommand() *cobra.Command {
	var flags revokeFlags
	cmd := &cobra.Command{
		Use:   "revoke [GATEWAY] ID|PRINCIPAL...",
		Short: "Take back grants, by their ids, or every grant of principals",
		Long: `Take back grants: delete rows of the grants table.

An ID deletes that row. A PRINCIPAL, with the --role that it was granted with,
deletes every row of the gateway that lets in exactly that principal; rows for a
wider or narrower one, and rows for every gateway, stay, and those of the same
principal are named. Nothing is deleted if one of several is not there. With --wait
the command ends once the policies are without them.`,
		Example: `  gateway-grants revoke 444455556666
  gateway-grants revoke 444455556666 --role AgentRole
  gateway-grants revoke tools-abcdefghij arn:aws:iam::444455556666:role/AgentRole
  gateway-grants revoke 444455556666 555566667777 --gateway tools --gateway search --wait
  gateway-grants revoke '*' ou-abcd-11112222`,
		Args: checked(between(1, maxTargets, "an optional GATEWAY and IDs or PRINCIPALs"), func(cmd *cobra.Command, _ []string) error {
			return flags.wait.check(cmd)
		}),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.revoke(cmd.Context(), targetsOf(args, flags.gateways), flags)
		},
	}
	p.gatewayFlag(cmd, &flags.gateways)
	cmd.Flags().StringVar(&flags.role, "role", "", "the role that the principal was narrowed to")
	waitFlags(cmd, &flags.wait)
	settingFlag(cmd, settings.GrantsTable)
	settingFlag(cmd, settings.StateTable)
	p.configFlag(cmd)
	p.completeNames(cmd, true)
	return cmd
}

// revoking is what one gateway loses.
type revoking struct {
	where     scope
	meant     []grant.Row
	gone      []grant.Row // of those that are meant
	remaining []grant.Row // for every gateway, of the same principals
}

func (p *program) revoke(ctx context.Context, on targets, flags revokeFlags) error {
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	scopes, err := p.scopes(ctx, on.gateways, s)
	if err != nil {
		return err
	}
	stored := p.open(s.config, p.settings.tables)
	rows, err := stored.grants.All(ctx)
	if err != nil {
		return err
	}
	all, err := decideRevocations(rows, scopes, on.what, flags.role)
	if err != nil {
		return err
	}
	failure := deleteGrants(ctx, stored.grants, all)
	if err := p.sayRevoked(all); err != nil || failure != nil {
		return errors.Join(failure, err)
	}
	if !flags.wait.on {
		return nil
	}
	var rest []awaited
	for _, r := range all {
		for _, row := range r.gone {
			each, err := p.awaitedOn(ctx, r.where, row.Key, "", s)
			if err != nil {
				return err
			}
			rest = append(rest, each...)
		}
	}
	return p.await(ctx, stored.states, rest, flags.wait)
}

// decideRevocations says which rows go, and refuses all if one is not there.
func decideRevocations(rows []grant.Row, scopes []scope, what []string, role string) ([]revoking, error) {
	var all []revoking
	for _, where := range scopes {
		r := revoking{where: where}
		there := matching(rows, func(row grant.Row) bool { return row.Gateway == where.key() })
		for _, text := range what {
			meant := rowsMeant(there, text, role)
			if len(meant) == 0 {
				return nil, noneMeant(there, where, text, role)
			}
			for _, row := range meant {
				if !slices.ContainsFunc(r.meant, func(other grant.Row) bool { return other.Key == row.Key }) {
					r.meant = append(r.meant, row)
				}
			}
		}
		r.remaining = alsoEverywhere(rows, where, r.meant)
		all = append(all, r)
	}
	return all, nil
}

func deleteGrants(ctx context.Context, table grantsTable, all []revoking) error {
	for i := range all {
		for _, row := range all[i].meant {
			if err := ctx.Err(); err != nil {
				return err
			}
			if _, err := table.Delete(ctx, row.Key); err != nil {
				return err
			}
			all[i].gone = append(all[i].gone, row)
		}
	}
	return nil
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

// alsoEverywhere are the grants for every gateway that still let in principals of the
// revoked ones.
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

// revokedText is what one gateway lost, for other programs.
type revokedText struct {
	Gateway   string   `json:"gateway"`
	Revoked   []string `json:"revoked"`
	Remaining []string `json:"remainingOnEveryGateway"`
}

func (p *program) sayRevoked(all []revoking) error {
	if p.settings.structured() {
		texts := make([]revokedText, len(all))
		for i, r := range all {
			texts[i] = revokedText{r.where.key(), ids(r.gone), ids(r.remaining)}
		}
		return p.printValue(texts)
	}
	paint := p.paint(p.out)
	for _, r := range all {
		for _, row := range r.gone {
			fmt.Fprintf(p.out, "%s %s on %s (grant %s)\n", paint.green("Revoked"), describe(row), r.where, oneLine(row.ID))
		}
		for _, row := range r.remaining {
			fmt.Fprintf(p.out, "%s %s is still let in on every gateway: gateway-grants revoke '*' '%s' ends that\n", paint.yellow("Note:"), describe(row), oneLine(row.ID))
		}
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
