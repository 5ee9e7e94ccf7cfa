package main

import (
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol"
	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/agentcore"
)

func (p *program) gatewayCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "gateway",
		Short: "Set up a gateway, take over its policy, hand it back, or take it down",
		Example: `  gateway-grants gateway import tools-abcdefghij
  gateway-grants gateway detach tools-abcdefghij --dry-run`,
		Args: onlySubcommands,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.gatewayCreateCommand(), p.gatewayImportCommand(), p.gatewayDetachCommand(), p.gatewayDeleteCommand())
	return cmd
}

// setup sets up gateways with the given configuration, and shows what it waits
// for.
func (p *program) setup(config aws.Config) (agentcore.Setup, *progress) {
	shown := &progress{to: p.err}
	return agentcore.Setup{
		Control: bedrockagentcorecontrol.NewFromConfig(config),
		Clock:   p.clock,
		Waiting: shown.look,
	}, shown
}

// progress shows what is waited for: one line a thing, one dot a look, and the
// status that it ended in.
type progress struct {
	to     io.Writer
	what   string // waited for now; "" for nothing
	status string
}

func (p *progress) look(what, status string) {
	if what != p.what {
		p.end()
		fmt.Fprintf(p.to, "Waiting for %s: %s", what, status)
	} else if status != p.status {
		fmt.Fprintf(p.to, " %s", status)
	}
	fmt.Fprint(p.to, ".")
	p.what, p.status = what, status
}

// end ends the line, if one was begun.
func (p *progress) end() {
	if p.what != "" {
		fmt.Fprintln(p.to)
	}
	p.what, p.status = "", ""
}
