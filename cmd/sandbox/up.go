package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

type upOptions struct {
	port      int
	directory string
	quirks    []string
	python    string
	functions string
}

func upCommand() *cobra.Command {
	var options upOptions
	command := &cobra.Command{
		Use:   "up",
		Short: "Serve the stand-in on one loopback endpoint until interrupted",
		Long: `Serve the stand-in on one loopback endpoint until interrupted.

AgentCore's control plane, the gateways' MCP endpoints, STS and the product's
own functions are served here; every other AWS service by a moto server, in the
account that the caller's key belongs to. Nothing outlives the command.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return up(command.Context(), options, command.OutOrStdout())
		},
	}
	python := os.Getenv("GATEWAY_GRANTS_PYTHON")
	if python == "" {
		python = filepath.Join(".venv", "bin", "python")
	}
	flags := command.Flags()
	flags.IntVar(&options.port, "port", 4566, "port of the endpoint on 127.0.0.1; 0 takes a free one")
	flags.StringVar(&options.directory, "dir", ".sandbox", "directory for the clients' configuration and the logs")
	flags.StringArrayVar(&options.quirks, "quirk", nil, "have AWS's other possible answer to an open question; may be repeated\n"+quirkList())
	flags.StringVar(&options.python, "python", python, "interpreter that has moto[server] ($GATEWAY_GRANTS_PYTHON)")
	flags.StringVar(&options.functions, "functions", filepath.Join("build", "local"), "directory of the functions' executables")
	return command
}

func quirkList() string {
	var list strings.Builder
	for _, quirk := range model.AllQuirks() {
		fmt.Fprintf(&list, "  %s: %s\n", quirk.Quirk, quirk.Sentence)
	}
	return list.String()
}

// up serves until ctx ends, which is no error, or until something that it needs
// does.
func up(ctx context.Context, options upOptions, out io.Writer) (err error) {
	quirks, err := model.ParseQuirks(options.quirks)
	if err != nil {
		return err
	}
	listener, err := listen(ctx, options.port)
	if err != nil {
		return err
	}
	defer listener.Close() // the server has closed it, unless there was none
	h, err := claim(options.directory)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.release()) }()
	file, err := os.OpenFile(h.log("sandbox"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening the log: %w", err)
	}
	defer file.Close()
	moto, err := cloud.StartMoto(ctx, cloud.Options{
		Python: options.python, Log: h.log("moto"), Accounts: []string{management, accountA, accountB},
	})
	if err != nil {
		return fmt.Errorf("%w (is %s there? `make .venv/ready` sets it up)", err, options.python)
	}
	defer func() { err = errors.Join(err, moto.Stop()) }()
	err = serve(ctx, listener, moto, h, quirks, options.functions, slog.New(slog.NewTextHandler(file, nil)), out)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil // asked to stop while starting
	}
	return err
}

// serve sets everything up behind the listener, says that it is ready and waits.
func serve(ctx context.Context, listener net.Listener, moto *cloud.Moto, h *home, quirks model.Quirks, executables string, log *slog.Logger, out io.Writer) (err error) {
	endpoint := "http://" + listener.Addr().String()
	decisions, err := os.OpenFile(h.decisions(), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening the log of decisions: %w", err)
	}
	defer decisions.Close()
	s, err := newStandIn(moto, endpoint, quirks, decisions, log)
	if err != nil {
		return err
	}
	if err := foundOrganization(ctx, moto); err != nil {
		return err
	}
	if err := createGatewayRole(ctx, moto); err != nil {
		return err
	}
	functions, err := startFunctions(ctx, s, h, executables, endpoint)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, functions.stop()) }()
	deployed, err := deploy(ctx, moto, functions, log)
	if err != nil {
		return err
	}
	s.upstream.TableWritten = deployed.wake
	if err := writeProfiles(ctx, h.config(), endpoint, moto, s.identities); err != nil {
		return err
	}

	server := &http.Server{Handler: s.handler, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	background, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { deployed.run(background) })
	defer running.Wait()
	defer stop()
	defer server.Close() // clients that are still there need no answer

	fmt.Fprintf(out, "ready: %s, logs in %s; to use it: export AWS_CONFIG_FILE=%s AWS_PROFILE=account-a (or account-b, admin, management)\n",
		endpoint, filepath.Join(h.path, "logs"), h.config())
	select {
	case <-ctx.Done():
		return nil
	case <-moto.Done():
		return moto.Err()
	case err := <-failed:
		return fmt.Errorf("serving %s: %w", endpoint, err)
	}
}

// listen takes the port before anything else is started, so that a second
// stand-in fails at once.
func listen(ctx context.Context, port int) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("port %d is in use: stop what listens there, or choose another with --port", port)
	}
	if err != nil {
		return nil, fmt.Errorf("listening on port %d: %w", port, err)
	}
	return listener, nil
}
