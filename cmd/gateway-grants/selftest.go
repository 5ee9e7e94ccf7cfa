package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol/types"
	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/agentcore"
	"github.com/gateway-grants/gateway-grants/pkg/handler"
	"github.com/gateway-grants/gateway-grants/pkg/mcpclient"
	"github.com/gateway-grants/gateway-grants/pkg/selftest"
	"github.com/gateway-grants/gateway-grants/pkg/settings"
	"github.com/gateway-grants/gateway-grants/pkg/version"
)

type selftestFlags struct {
	caller, roleARN, lambdaARN, clean string
	within, trailWithin               time.Duration
}

func (p *program) selftestCommand() *cobra.Command {
	var flags selftestFlags
	cmd := &cobra.Command{
		Use:   "selftest --caller-profile PROFILE",
		Short: "Try the deployment on AWS, from no to yes and back",
		Long: `Try the deployment on AWS, from no to yes and back.

Makes a gateway with the echo tool, calls it from another account, and sees 403;
grants, and sees SUCCESS; narrows the grant to a role; revokes, and sees 403. Then
it asks AWS, on a second gateway, what AWS does not document. All that was made is
removed, also after Ctrl-C; what cannot be removed is named with a command.

--profile is an admin of the deployment, --caller-profile a role or user of another
account that may invoke gateways. The report names neither account: it can be sent
to the maintainers. Exits with 0 if all came out as wanted.`,
		Example: `  gateway-grants selftest --profile account-a --caller-profile account-b
  gateway-grants selftest --caller-profile account-b --trail-within 0s --output json > report.json
  gateway-grants selftest --caller-profile account-b --clean gateway-grants-selftest-abcdef`,
		Args: checked(between(0, 0, "flags only"), func(*cobra.Command, []string) error { return flags.check() }),
		RunE: func(cmd *cobra.Command, _ []string) error { return p.selftest(cmd.Context(), flags) },
	}
	set := cmd.Flags()
	set.StringVar(&flags.caller, "caller-profile", "", "profile of the account that calls")
	set.StringVar(&flags.roleARN, "role-arn", "", "ARN of the role that gateways act as (default: that of the stack)")
	set.StringVar(&flags.lambdaARN, "lambda-arn", "", "ARN of the function behind the target (default: the echo function of the stack)")
	set.DurationVar(&flags.within, "within", 5*time.Minute, "how long a change may take to show")
	set.DurationVar(&flags.trailWithin, "trail-within", 15*time.Minute, "how long to wait for CloudTrail; 0s leaves its question out")
	set.StringVar(&flags.clean, "clean", "", "remove what a run of that name has left, and do nothing else")
	settingFlag(cmd, settings.GrantsTable)
	return cmd
}

// selftestName is what a run names all that it makes. A gateway's name has 48 letters at most.
var selftestName = regexp.MustCompile(`^gateway-grants-selftest-[a-z0-9]{6}$`)

func (f selftestFlags) check() error {
	switch {
	case f.caller == "":
		return refuse("no account is named that calls: name a profile of it with --caller-profile")
	case f.clean != "" && !selftestName.MatchString(f.clean):
		return refuse("--clean %q is not the name of a run: write gateway-grants-selftest-, and the six letters that the run printed", f.clean)
	case f.within <= 0:
		return refuse("--within %s leaves no time for a change to show: write how long it may take, such as 5m", f.within)
	case f.trailWithin < 0:
		return refuse("--trail-within %s is no time: write how long to wait for CloudTrail, such as 15m, or 0s to leave it out", f.trailWithin)
	}
	return nil
}

func (p *program) selftest(ctx context.Context, flags selftestFlags) error {
	c, err := p.selftestConfig(ctx, flags)
	if err != nil {
		return err
	}
	var report selftest.Report
	if flags.clean != "" {
		c.Name = flags.clean
		report = selftest.Clean(ctx, c)
	} else {
		fmt.Fprintf(p.err, "All that this makes has a name that begins with %s. If it is killed: gateway-grants selftest --caller-profile %s --clean %s\n", c.Name, flags.caller, c.Name)
		report = selftest.Run(ctx, c)
	}
	return p.saySelftest(report)
}

// selftestConfig wires a run: the hub with the profile in use, and the caller with its own.
func (p *program) selftestConfig(ctx context.Context, flags selftestFlags) (selftest.Config, error) {
	hub, err := p.session(ctx)
	if err != nil {
		return selftest.Config{}, err
	}
	host, err := hub.identity(ctx)
	if err != nil {
		return selftest.Config{}, err
	}
	caller, err := p.sessionOf(ctx, flags.caller, hub.config.Region)
	if err != nil {
		return selftest.Config{}, err
	}
	who, err := caller.identity(ctx)
	if err != nil {
		return selftest.Config{}, err
	}
	if who.Account == host.Account {
		return selftest.Config{}, refuse("--caller-profile %s is in account %s, as the gateways are: name a profile of another account", flags.caller, who.Account)
	}
	target, err := p.selftestTarget(flags)
	if err != nil {
		return selftest.Config{}, err
	}
	setup, _ := p.setup(hub.config)
	setup.Waiting = nil
	return selftest.Config{
		Name:    "gateway-grants-selftest-" + strings.ToLower(rand.Text()[:6]),
		Account: host.Account, Region: hub.config.Region, Caller: who.Account, CallerARN: p.beyond.roleOf(ctx, caller.config, who), CallerProfile: flags.caller,
		Target: target,
		Within: flags.within, TrailWithin: flags.trailWithin,
		Setup: setup, Policies: bedrockagentcorecontrol.NewFromConfig(hub.config), Grants: p.open(hub.config, p.settings.tables).grants, Clock: p.clock,
		Call:     func(ctx context.Context, url string) selftest.Answer { return p.tryCall(ctx, url, caller) },
		Beyond:   p.beyond.of(hub.config, caller.config),
		Progress: func(line string) { fmt.Fprintln(p.err, p.paint(p.err).faint(line)) },
	}, nil
}

// selftestTarget is what stands behind the gateways: what the flags name, or the stack has.
func (p *program) selftestTarget(flags selftestFlags) (selftest.TargetSpec, error) {
	if p.stack != nil {
		flags.roleARN = cmp.Or(flags.roleARN, p.stack.Outputs["GatewayServiceRoleArn"])
		flags.lambdaARN = cmp.Or(flags.lambdaARN, p.stack.Outputs["EchoFunctionArn"])
	}
	if flags.clean == "" && (flags.roleARN == "" || flags.lambdaARN == "") {
		return selftest.TargetSpec{}, refuse("there is no stack that has a role and a function for gateways: name one with --stack, or both with --role-arn and --lambda-arn")
	}
	return selftest.TargetSpec{RoleARN: flags.roleARN, TargetSpec: agentcore.TargetSpec{
		Name: "echo-tools", LambdaARN: flags.lambdaARN, Tools: []types.ToolDefinition{toolDefinition(handler.EchoTool())},
	}}, nil
}

// sessionOf is one of another profile than the one in use.
func (p *program) sessionOf(ctx context.Context, profile, region string) (*session, error) {
	other := *p
	other.opened, other.settings.profile, other.settings.region = nil, profile, region
	return other.session(ctx)
}

// tryCall lists the tools of a gateway as the caller.
func (p *program) tryCall(ctx context.Context, url string, caller *session) selftest.Answer {
	call := invocation{URL: url}
	err := call.make(ctx, nil, mcpclient.Options{Credentials: caller.config.Credentials, Region: caller.config.Region, Now: p.now})
	if refused, ok := errors.AsType[*mcpclient.RefusedError](err); ok {
		return selftest.Answer{Status: refused.Status, Body: strings.TrimSpace(refused.Body)}
	}
	return selftest.Answer{OK: err == nil, Err: err}
}

func (p *program) saySelftest(report selftest.Report) error {
	report.Version = version.Product()
	if p.settings.structured() {
		if err := p.printValue(report); err != nil {
			return err
		}
	} else {
		fmt.Fprint(p.out, report)
	}
	if !report.Passed() {
		return errPrinted
	}
	return nil
}
