// Command sandbox is a local stand-in for AWS, as far as Gateway Grants needs
// it: AgentCore gateways that sign, decide and answer as AWS's do, with every
// other service from moto behind the same endpoint. It is no part of the product.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := Run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Run runs the command line and returns its exit code: 0 for done, 1 for an
// error, which stderr tells in one line.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:           "sandbox",
		Short:         "A local stand-in for AWS to try Gateway Grants on",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(upCommand(), demoCommand())
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(stderr, "sandbox:", err)
		return 1
	}
	return 0
}
