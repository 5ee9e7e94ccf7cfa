package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/cmd/sandbox/demo"
)

func demoCommand() *cobra.Command {
	var functions string
	var verbose bool
	command := &cobra.Command{
		Use:   "demo",
		Short: "Play the story of Gateway Grants in one process",
		Long: "Play the story of Gateway Grants in one process, with tables in memory: from a gateway\n" +
			"that refuses another account to a policy that follows grants, people and time.\n" +
			"It ends with exit code 0 only if every step ended as it should.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			options := demo.Options{Functions: functions, Out: command.OutOrStdout(), Log: io.Discard}
			if verbose {
				options.Log = command.ErrOrStderr()
			}
			return demo.Play(command.Context(), options)
		},
	}
	command.Flags().StringVar(&functions, "functions", "build/local", "directory of the functions built for this machine")
	command.Flags().BoolVarP(&verbose, "verbose", "v", false, "print the product's own log to standard error")
	return command
}
