package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol/types"
	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/agentcore"
	"github.com/gateway-grants/gateway-grants/pkg/handler"
)

type createFlags struct {
	name, roleARN, lambdaARN, target, description string
}

func (p *program) gatewayCreateCommand() *cobra.Command {
	var flags createFlags
	cmd := &cobra.Command{
		Use:   "create --name NAME --role-arn ROLE --lambda-arn FUNCTION",
		Short: "Make a managed gateway with IAM authentication and an echo tool",
		Long: `Make a managed gateway with IAM authentication and an echo tool.

The gateway speaks MCP, authenticates callers with AWS_IAM, carries the tag
gateway-grants:managed = true, and gets a Lambda target with the tool
echo_message. What is there already is kept and completed, so that the command
may be repeated; a gateway of that name with another authorizer is refused.

ROLE is what the gateway acts as: it trusts bedrock-agentcore.amazonaws.com and
may invoke FUNCTION.`,
		Example: `  gateway-grants gateway create --name cross-account-test \
    --role-arn arn:aws:iam::111122223333:role/AgentCoreGatewayServiceRole \
    --lambda-arn arn:aws:lambda:us-east-1:111122223333:function:echo`,
		Args: checked(between(0, 0, "flags only"), func(*cobra.Command, []string) error { return flags.check() }),
		RunE: func(cmd *cobra.Command, _ []string) error { return p.createGateway(cmd.Context(), flags) },
	}
	set := cmd.Flags()
	set.StringVar(&flags.name, "name", "", "name of the gateway, unique in the account and region")
	set.StringVar(&flags.roleARN, "role-arn", "", "ARN of the role that the gateway acts as")
	set.StringVar(&flags.lambdaARN, "lambda-arn", "", "ARN of the Lambda function behind the target")
	set.StringVar(&flags.target, "target", "echo-tools", "name of the target, and the first part of its tools' names")
	set.StringVar(&flags.description, "description", "", "description of a gateway that is made")
	p.configFlag(cmd)
	return cmd
}

// https://docs.aws.amazon.com/bedrock-agentcore-control/latest/APIReference/API_CreateGateway.html
var (
	nameForm   = regexp.MustCompile(`^(?:[0-9a-zA-Z]-?){1,48}$`)
	targetForm = regexp.MustCompile(`^(?:[0-9a-zA-Z]-?){1,100}$`)
	roleForm   = regexp.MustCompile(`^arn:[a-z-]+:iam::\d{12}:role/\S+$`)
	lambdaForm = regexp.MustCompile(`^arn:[a-z-]+:lambda:[a-z0-9-]+:\d{12}:function:\S+$`)
)

func (f createFlags) check() error {
	switch {
	case !nameForm.MatchString(f.name):
		return refuse("--name %q is not a gateway's name: write 1 to 48 letters and digits, with single hyphens between them", f.name)
	case !targetForm.MatchString(f.target):
		return refuse("--target %q is not a target's name: write 1 to 100 letters and digits, with single hyphens between them", f.target)
	case !roleForm.MatchString(f.roleARN):
		return refuse("--role-arn %q is not a role: write arn:aws:iam::ACCOUNT:role/NAME", f.roleARN)
	case !lambdaForm.MatchString(f.lambdaARN):
		return refuse("--lambda-arn %q is not a function: write arn:aws:lambda:REGION:ACCOUNT:function:NAME", f.lambdaARN)
	}
	return nil
}

func (p *program) createGateway(ctx context.Context, flags createFlags) error {
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	who, err := s.identity(ctx)
	if err != nil {
		return err
	}
	if err := p.checkConfigIsFree(flags.name, who.Account, s.config.Region); err != nil {
		return err
	}
	setup, waiting := p.setup(s.config)
	gateway, err := setup.Gateway(ctx, agentcore.GatewaySpec{Name: flags.name, Description: flags.description, RoleARN: flags.roleARN})
	waiting.end()
	if err != nil {
		return err
	}
	p.sayGateway(gateway, flags)
	// What exists is on record before anything more is made, so that gateway
	// delete finds it even if the target fails.
	config := gatewayConfig{
		GatewayID: gateway.ID, GatewayURL: gateway.URL, GatewayARN: gateway.ARN,
		LambdaARN: flags.lambdaARN, AccountID: who.Account, Region: s.config.Region,
	}
	if err := p.recordGateway(config); err != nil {
		return err
	}
	target, created, err := setup.Target(ctx, gateway.ID, agentcore.TargetSpec{Name: flags.target, LambdaARN: flags.lambdaARN, Tools: []types.ToolDefinition{toolDefinition(handler.EchoTool())}})
	waiting.end()
	if err != nil {
		return err
	}
	fmt.Fprintf(p.err, "%s target %s\n", madeOrFound(created), flags.target)
	config.TargetID = target
	if err := config.write(p.settings.config); err != nil {
		return err
	}
	return p.sayCreated(config)
}

// checkConfigIsFree refuses to write over the record of another gateway, which
// its owner may still need to delete it.
func (p *program) checkConfigIsFree(name, account, region string) error {
	config, err := readGatewayConfig(p.settings.config)
	if err != nil || config == nil {
		return err
	}
	if config.AccountID == account && config.Region == region && strings.HasPrefix(config.GatewayID, strings.ToLower(name)+"-") {
		return nil
	}
	return refuse("%s describes another gateway, %s: name another file with --config, or remove that one", p.settings.config, config.GatewayARN)
}

// recordGateway writes the file unless the gateway is on record already.
func (p *program) recordGateway(config gatewayConfig) error {
	known, err := readGatewayConfig(p.settings.config)
	if err != nil || known != nil && known.GatewayARN == config.GatewayARN {
		return err
	}
	return config.write(p.settings.config)
}

func (p *program) sayGateway(gateway agentcore.SetUp, flags createFlags) {
	fmt.Fprintf(p.err, "%s gateway %s\n", madeOrFound(gateway.Created), gateway.ID)
	if gateway.Tagged {
		fmt.Fprintln(p.err, "Tagged it as managed")
	}
	if gateway.RoleARN != flags.roleARN {
		fmt.Fprintf(p.err, "%s it keeps the role that it had, %s\n", p.paint(p.err).yellow("Note:"), gateway.RoleARN)
	}
}

func madeOrFound(created bool) string {
	if created {
		return "Created"
	}
	return "Found"
}

func (p *program) sayCreated(config gatewayConfig) error {
	if p.settings.structured() {
		return p.printValue(config)
	}
	fmt.Fprintf(p.out, "Gateway ID: %s\nGateway URL: %s\nGateway ARN: %s\nTarget ID: %s\nConfiguration saved to: %s\n",
		config.GatewayID, config.GatewayURL, config.GatewayARN, config.TargetID, p.settings.config)
	return nil
}
