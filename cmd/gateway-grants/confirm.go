package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/settings"
)

func (p *program) confirmCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "confirm [GATEWAY] ROLE",
		Short: "Confirm that a role which was created again may be let in",
		Long: `Confirm that a role, or user, which was created again may be let in.

A grant that follows a role by identity holds for the role that was there. When it
was deleted, and made again under the same name, the grant is held as
PrincipalRecreated: the new role may be somebody else's. Confirm it here once you
know whose it is; it is let in within two minutes, or at once by reconcile.
A principal that AWS did not know (Quarantined) is tried again by the same means.`,
		Example: `  gateway-grants confirm arn:aws:iam::444455556666:role/AgentRole
  gateway-grants confirm tools-abcdefghij arn:aws:iam::444455556666:role/AgentRole`,
		Args: checked(between(1, 2, "an optional GATEWAY and the ARN of a ROLE"), func(_ *cobra.Command, args []string) error {
			if len(args) > 1 && args[0] == grant.EveryGateway {
				return refuse("a role is confirmed for one gateway at a time: name the gateway")
			}
			_, err := heldPrincipal(args[len(args)-1])
			return err
		}),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.confirm(cmd.Context(), strings.Join(args[:len(args)-1], ""), args[len(args)-1])
		},
	}
	settingFlag(cmd, settings.StateTable)
	p.configFlag(cmd)
	return cmd
}

// heldPrincipal is a principal that may be held.
func heldPrincipal(text string) (grant.Principal, error) {
	principal, err := grant.ParsePrincipal(text)
	if err != nil {
		return grant.Principal{}, refuse("nothing was confirmed: %v", err)
	}
	if principal.IsSelector() || principal.Kind() == grant.KindRolePattern {
		return grant.Principal{}, refuse("%s is not one principal: name the role or user that is held, as list shows it", text)
	}
	return principal, nil
}

func (p *program) confirm(ctx context.Context, name, text string) error {
	principal, err := heldPrincipal(text)
	if err != nil {
		return err
	}
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	where, err := p.scopeOf(ctx, name, s)
	if err != nil {
		return err
	}
	arn := principal.ARN(where.gateway.Partition())
	state, err := p.confirmed(ctx, p.open(s.config, p.settings.tables).states, where, arn)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.out, "Confirmed %s on %s%s\n", arn, where, grantsOf(state, arn))
	fmt.Fprintln(p.out, "It is let in by the next sweep, within two minutes; gateway-grants reconcile does it now.")
	return nil
}

// confirmed records that the principal may be let in, on top of whatever reconciles
// record at the same time, and asks for another look. It returns what was recorded
// before.
func (p *program) confirmed(ctx context.Context, states reconcile.States, where scope, arn string) (ledger.State, error) {
	state, err := states.Load(ctx, where.gateway)
	if err != nil {
		return ledger.State{}, err
	}
	if _, held := state.Gateway.Refused[arn]; !held {
		return ledger.State{}, refuse("%s is not held on %s: gateway-grants list shows what is", arn, where)
	}
	_, err = states.Update(ctx, where.gateway, state, ledger.Confirmed{Principal: arn, At: p.now()})
	return state, err
}

// grantsOf names the grants that are waiting for the principal.
func grantsOf(state ledger.State, arn string) string {
	var ids []string
	for key, status := range state.Grants {
		if status.Phase == grant.PhaseLeftOut && strings.Contains(status.Message, arn) {
			ids = append(ids, key.ID)
		}
	}
	if len(ids) == 0 {
		return ""
	}
	slices.Sort(ids)
	return " (grant " + strings.Join(ids, ", ") + ")"
}
