package main

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

func (p *program) callerPolicyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "caller-policy [GATEWAY]",
		Short: "Print the identity policy that the calling side needs",
		Long: `Print the identity policy that the calling side needs.

Attach it, in the caller's account, to the role or user that calls the gateway.
It is one of the two yeses; the other one is a grant. Give the gateway's ARN, as an
id stands for a gateway of your own account.`,
		Example: `  gateway-grants caller-policy arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/tools-abcdefghij > policy.json
  aws iam put-role-policy --role-name AgentRole --policy-name CallTools --policy-document file://policy.json`,
		Args: checked(between(0, 1, "an optional GATEWAY"), func(_ *cobra.Command, args []string) error {
			if slices.Contains(args, grant.EveryGateway) {
				return refuse("a caller's policy names one gateway: give its ARN or id instead of '*'")
			}
			return nil
		}),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := ""
			if len(args) > 0 {
				name = args[0]
			}
			return p.callerPolicy(cmd.Context(), name)
		},
	}
	p.configFlag(cmd)
	return cmd
}

func (p *program) callerPolicy(ctx context.Context, name string) error {
	where, err := p.scope(ctx, name, p.whoami)
	if err != nil {
		return err
	}
	type statement struct {
		Effect, Action, Resource string
	}
	return p.printValue(struct {
		Version   string
		Statement []statement
	}{"2012-10-17", []statement{{"Allow", "bedrock-agentcore:InvokeGateway", where.gateway.ARN()}}})
}

// whoami opens a session only where it is called.
func (p *program) whoami(ctx context.Context) (string, identity, error) {
	s, err := p.session(ctx)
	if err != nil {
		return "", identity{}, err
	}
	who, err := s.identity(ctx)
	return s.config.Region, who, err
}
