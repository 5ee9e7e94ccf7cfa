package main

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// completeFor is how long a shell waits for names, at most.
const completeFor = 3 * time.Second

// completeNames completes the gateways that rows name and, where ids are wanted, the
// rows' ids. What cannot be read completes nothing.
func (p *program) completeNames(cmd *cobra.Command, ids bool) {
	cmd.ValidArgsFunction = p.names(ids)
}

func (p *program) names(ids bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), completeFor)
		defer cancel()
		return p.namesFrom(ctx, cmd, begun, ids), cobra.ShellCompDirectiveNoFileComp
	}
}

func (p *program) namesFrom(ctx context.Context, cmd *cobra.Command, begun string, ids bool) []string {
	p.err = io.Discard // a shell would show stderr on the line that the user types
	if p.findStack(ctx, cmd) != nil || p.readTables(cmd) != nil {
		return nil
	}
	s, err := p.session(ctx)
	if err != nil {
		return nil
	}
	rows, err := p.open(s.config, p.settings.tables).grants.All(ctx)
	if err != nil {
		return nil
	}
	var names []string
	for _, row := range rows {
		if gateway, err := grant.ParseGateway(row.Gateway); err == nil {
			names = append(names, gateway.ID())
		}
		if ids {
			names = append(names, row.ID)
		}
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, begun) })
	slices.Sort(names)
	return slices.Compact(names)
}
