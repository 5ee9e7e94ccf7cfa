package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/agentcore"
)

func (p *program) gatewayDeleteCommand() *cobra.Command {
	var allTargets bool
	cmd := &cobra.Command{
		Use:   "delete",
		Short: "Delete the gateway of gateway_config.json: its policy, its target, then itself",
		Long: `Delete the gateway of gateway_config.json: its policy, its target, then itself.

What is gone already is passed over, so that the command may be repeated. Nothing
else is removed: the role, the function, the grants and the file stay. A gateway
with targets that the file does not name is refused unless --all-targets is given.`,
		Example: `  gateway-grants gateway delete
  gateway-grants gateway delete --config other.json --all-targets`,
		Args: between(0, 0, "flags only"),
		RunE: func(cmd *cobra.Command, _ []string) error { return p.deleteGateway(cmd.Context(), allTargets) },
	}
	cmd.Flags().BoolVar(&allTargets, "all-targets", false, "delete every target of the gateway, also those of others")
	p.configFlag(cmd)
	return cmd
}

func (p *program) deleteGateway(ctx context.Context, allTargets bool) error {
	config, err := readGatewayConfig(p.settings.config)
	if err != nil {
		return err
	}
	if config == nil {
		return refuse("there is no %s: name the file that gateway create wrote with --config", p.settings.config)
	}
	gateway, err := config.gateway()
	if err != nil {
		return err
	}
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	// In another account everything would look as if it were gone already.
	who, err := s.identity(ctx)
	if err != nil {
		return err
	}
	if who.Account != gateway.Account() {
		return refuse("gateway %s belongs to account %s and you are in %s: choose the right --profile", gateway.ID(), gateway.Account(), who.Account)
	}
	there := s.config.Copy()
	there.Region = gateway.Region()
	setup, waiting := p.setup(there)
	targets, err := p.targetsToDelete(ctx, setup, config, allTargets)
	if err != nil {
		return err
	}
	steps := []deletion{{"resource policy", func() (bool, error) { return setup.DeletePolicy(ctx, gateway) }}}
	for _, target := range targets {
		steps = append(steps, deletion{"target: " + target, func() (bool, error) { return setup.DeleteTarget(ctx, gateway.ID(), target) }})
	}
	steps = append(steps, deletion{"gateway: " + gateway.ID(), func() (bool, error) { return setup.DeleteGateway(ctx, gateway.ID()) }})
	return p.delete(steps, waiting)
}

// deletion removes one thing and reports whether it was there.
type deletion struct {
	what   string
	remove func() (bool, error)
}

// deleted is what a deletion removed, for other programs.
type deleted struct {
	Deleted []string `json:"deleted"`
	Gone    []string `json:"alreadyGone"`
}

func (p *program) delete(steps []deletion, waiting *progress) error {
	done := deleted{[]string{}, []string{}}
	for _, step := range steps {
		existed, err := step.remove()
		waiting.end()
		if err != nil {
			return err
		}
		word, list := "Deleted", &done.Deleted
		if !existed {
			word, list = "Already gone:", &done.Gone
		}
		*list = append(*list, step.what)
		if !p.settings.structured() {
			fmt.Fprintln(p.out, word, step.what)
		}
	}
	if p.settings.structured() {
		return p.printValue(done)
	}
	return nil
}

// targetsToDelete are the one that the file names and, if asked for, all others.
func (p *program) targetsToDelete(ctx context.Context, setup agentcore.Setup, config *gatewayConfig, all bool) ([]string, error) {
	targets, err := setup.Targets(ctx, config.GatewayID)
	if err != nil {
		return nil, err
	}
	var ids, strangers []string
	if config.TargetID != "" {
		ids = append(ids, config.TargetID)
	}
	for _, target := range targets {
		if id := aws.ToString(target.TargetId); id != config.TargetID {
			ids = append(ids, id)
			strangers = append(strangers, aws.ToString(target.Name))
		}
	}
	if len(strangers) > 0 && !all {
		return nil, refuse("gateway %s has targets that %s does not name (%s), and nothing was deleted: delete them first, or all of them with --all-targets",
			config.GatewayID, p.settings.config, strings.Join(strangers, ", "))
	}
	return ids, nil
}
