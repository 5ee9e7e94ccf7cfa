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
	template  string
	cloud     bool
	then      string
	progress  io.Writer // takes what then says
}

func upCommand() *cobra.Command {
	var options upOptions
	command := &cobra.Command{
		Use:   "up",
		Short: "Serve the stand-in on one loopback endpoint until interrupted",
		Long: `Serve the stand-in on one loopback endpoint until interrupted.

AgentCore's control plane, the gateways' MCP endpoints, STS and calls of functions
are served here; every other AWS service by a moto server, in the account that the
caller's key belongs to. What is deployed there runs: functions, the streams and
queues that they read, rules and schedules. The product's own template is deployed
at the start, without SAM CLI and with no rights but those that it gives; with
--cloud it is left to the caller. Nothing outlives the command.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			options.progress = command.ErrOrStderr()
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
	flags.StringVar(&options.then, "then", "", "shell command that is run against it before it is ready, as profile account-a;\nif that fails, so does the stand-in")
	flags.StringVar(&options.template, "template", "template.yaml", "template of the product; infra/organization-events.yaml is beside it")
	flags.BoolVar(&options.cloud, "cloud", false, "deploy nothing")
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
	// Functions run in directories of their own, where a relative path leads nowhere.
	if strings.ContainsRune(options.python, filepath.Separator) {
		if options.python, err = filepath.Abs(options.python); err != nil {
			return fmt.Errorf("finding the interpreter: %w", err)
		}
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
	events, err := listenForEvents(ctx)
	if err != nil {
		return err
	}
	defer events.Close()
	moto, err := cloud.StartMoto(ctx, cloud.Options{
		Python: options.python, Log: h.log("moto"), Accounts: []string{management, accountA, accountB}, Events: events.url,
	})
	if err != nil {
		return fmt.Errorf("%w (is %s there? `make .venv/ready` sets it up)", err, options.python)
	}
	defer func() { err = errors.Join(err, moto.Stop()) }()
	err = serve(ctx, listener, events, options, site{
		moto: moto, endpoint: "http://" + listener.Addr().String(), python: options.python, home: h, quirks: quirks,
		log: slog.New(slog.NewTextHandler(file, nil)),
	}, out)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil // asked to stop while starting
	}
	return err
}

// serve sets everything up behind the listener, says that it is ready and waits.
func serve(ctx context.Context, listener net.Listener, events *eventsListener, options upOptions, on site, out io.Writer) error {
	decisions, err := os.OpenFile(on.home.decisions(), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening the log of decisions: %w", err)
	}
	defer decisions.Close()
	on.decisions = decisions
	s, err := newStandIn(on)
	if err != nil {
		return err
	}
	if err := foundOrganization(ctx, on.moto); err != nil {
		return err
	}
	if !options.cloud {
		if err := deployProduct(ctx, on.moto, options.template, options.functions); err != nil {
			return err
		}
	}
	if err := writeProfiles(ctx, on.home.config(), on.endpoint, on.moto, s.identities); err != nil {
		return err
	}

	server := &http.Server{Handler: s.handler, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(on.log.Handler(), slog.LevelWarn)}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	go events.serve(s.runner.Events())
	background, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { s.runner.Run(background) })
	defer running.Wait()
	defer stop()
	defer server.Close()  // clients that are still there need no answer
	defer s.runner.Stop() // before: the last output of functions is still to be sent

	if options.then != "" {
		if err := runThen(ctx, options.then, on.home.config(), options.progress); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "ready: %s, logs in %s; to use it: export AWS_CONFIG_FILE=%s AWS_PROFILE=account-a (or account-b, admin, management)\n",
		on.endpoint, on.home.logs(), on.home.config())
	select {
	case <-ctx.Done():
		return nil
	case <-on.moto.Done():
		return on.moto.Err()
	case err := <-failed:
		return fmt.Errorf("serving %s: %w", on.endpoint, err)
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
