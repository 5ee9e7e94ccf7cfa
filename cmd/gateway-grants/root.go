package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/settings"
)

// options are what flags and the environment say, for any command.
type options struct {
	profile, region string
	stack           string
	output          string
	noColor         bool
	config          string // the file that gateway create writes
	tables          settings.Tables
	reach           settings.Reach // where a gateway is looked for by its name
}

func (p *program) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "gateway-grants",
		Short: "Let other AWS accounts call your AgentCore gateways, as a table of grants says",
		Long: `Let other AWS accounts call your AgentCore gateways, as a table of grants says.

A call from another account needs two yeses: the identity policy of the caller
(see caller-policy) and the resource policy of the gateway, which follows the
grants table (see grant, revoke, list and reconcile).

GATEWAY is the ARN of a gateway; the id of one in your own account and region; the
name of one of the deployment; '*' for every managed gateway; or nothing where
gateway_config.json, which gateway create writes, is in the current directory (see
--config).

PRINCIPAL is an account (444455556666), a role or user ARN, a role pattern
(arn:aws:iam::444455556666:role/Agent*), an OU (ou-abcd-11112222, or
ou-abcd-11112222/direct without the OUs below it), the organization
(o-exampleorgid), or accounts with a tag (tag:Key=Value).

The settings of the deployment, such as the names of its tables, are read from its
stack in your account and Region; --stack names it where there are several. Flags and
variables go before the stack, and do without the right to read it.

Credentials, region and endpoint are found as by the AWS CLI: --profile,
AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL and the shared configuration files.

Exit codes: 0 done, 1 for any error; 2 for changes with plan --detailed-exitcode.`,
		Example: `  gateway-grants gateway create --name tools --role-arn arn:aws:iam::111122223333:role/GatewayRole \
    --lambda-arn arn:aws:lambda:us-east-1:111122223333:function:echo
  gateway-grants grant 444455556666 --expires 30d
  gateway-grants --profile account-b invoke`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          onlySubcommands,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := cmd.ValidateFlagGroups(); err != nil { // cobra would look at them after this
				return usage(cmd, err.Error())
			}
			if err := p.checkOutput(cmd); err != nil {
				return err
			}
			if err := p.findStack(cmd.Context(), cmd); err != nil {
				return err
			}
			return p.readTables(cmd)
		},
	}
	flags := root.PersistentFlags()
	flags.StringVar(&p.settings.profile, "profile", "", "profile of the AWS configuration to act with")
	flags.StringVar(&p.settings.region, "region", "", "AWS region of the tables, and of a gateway named by its id")
	flags.StringVar(&p.settings.stack, "stack", "", "stack of the deployment, which has the settings that neither flag nor variable gives; needed where there are several ($"+stackVariable+")")
	flags.StringVarP(&p.settings.output, "output", "o", outputTable, "how to print: table, json, yaml or, for rows, csv")
	flags.BoolVar(&p.settings.noColor, "no-color", false, "print without colour, as on anything but a terminal or with NO_COLOR set")
	completeWith(root, "output", outputTable, outputJSON, outputYAML, outputCSV)

	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usage(cmd, err.Error()) })
	root.AddCommand(
		p.gatewayCommand(), p.grantCommand(), p.revokeCommand(), p.listCommand(), p.describeCommand(), p.accessCommand(), p.approveCommand(),
		p.accountCommand(), p.historyCommand(), p.undoCommand(),
		p.planCommand(), p.reportCommand(), p.applyCommand(), p.reconcileCommand(), p.invokeCommand(), p.callerPolicyCommand(), p.versionCommand(),
		p.doctorCommand(), p.selftestCommand(),
	)
	return root
}

// usage refuses a command line and says where the right one is explained.
func usage(cmd *cobra.Command, problem string) error {
	return refuse("%s: see %s --help", problem, cmd.CommandPath())
}

// checked takes arguments as args does, and refuses what the command line alone shows to
// be wrong. cobra asks for that before anything else: no Region, credentials or stack
// are needed to hear of it.
func checked(args cobra.PositionalArgs, check func(cmd *cobra.Command, args []string) error) cobra.PositionalArgs {
	return cobra.MatchAll(args, check)
}

// between takes a number of arguments, which the text describes.
func between(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return usage(cmd, fmt.Sprintf("%s takes %s, and was given %s", cmd.Name(), what, counted(len(args), "argument")))
		}
		return nil
	}
}

// onlySubcommands refuses the name of a command that there is not.
func onlySubcommands(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	problem := fmt.Sprintf("there is no command %q", args[0])
	cmd.SuggestionsMinimumDistance = 2 // letters, as cobra's own message has it
	if similar := cmd.SuggestionsFor(args[0]); len(similar) > 0 {
		problem += ", but " + strings.Join(similar, ", ")
	}
	return usage(cmd, problem)
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprint(n, " ", what, "s")
}

// configFlag lets a command read or write the file that describes a gateway.
func (p *program) configFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.settings.config, "config", "gateway_config.json", "file that describes the gateway")
	if err := cmd.MarkFlagFilename("config", "json"); err != nil {
		panic(err) // the flag was defined on the line above
	}
}

// variable is an environment variable, or otherwise if it is unset or empty.
func variable(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func completeWith(cmd *cobra.Command, flag string, values ...string) {
	complete := cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)
	if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(err) // the flag was defined before
	}
}
