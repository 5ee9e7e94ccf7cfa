package main

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/spf13/cobra"

	"github.com/gateway-grants/gateway-grants/pkg/access"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

type accessFlags struct {
	principal, callerProfile string
	from                     access.Place
}

func (p *program) accessCommand() *cobra.Command {
	var flags accessFlags
	cmd := &cobra.Command{
		Use:   "access [GATEWAY] [--principal PRINCIPAL]",
		Short: "Show who may call a gateway, or whether a principal may and why not",
		Long: `Show who may call a gateway, or whether a principal may and why not.

access GATEWAY lists every caller that the gateway's policy lets in, by grants or by
statements of others, and the principals that grants mean and that are not in it.
access --principal P, without a GATEWAY or with '*', says of each managed gateway
whether P may call it. access GATEWAY --principal P says whether it is allowed or
denied, by which side, and what is missing.

PRINCIPAL is an account by its id or name, the ARN of a role or user, or that of a
role's session as aws sts get-caller-identity prints it. Its identity policies and
permissions boundary are read where it is of your account, or with --caller-profile;
otherwise they are assumed to allow the call. Service control policies, session policies and endpoint
policies are always assumed to. Where you may not read the gateway or the tables, the
answer says what is not known.`,
		Example: `  gateway-grants access tools-abcdefghij
  gateway-grants access --principal 444455556666
  gateway-grants access tools-abcdefghij --principal arn:aws:iam::444455556666:role/AgentRole --caller-profile account-b
  gateway-grants access tools-abcdefghij --principal arn:aws:sts::444455556666:assumed-role/AgentRole/session --source-vpce vpce-0123456789abcdef0`,
		Args: checked(between(0, 1, "an optional GATEWAY"), func(*cobra.Command, []string) error { return flags.check() }),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := p.readDeployment(cmd)
			if err != nil {
				return err
			}
			name := ""
			if len(args) > 0 {
				name = args[0]
			} else if flags.principal != "" {
				name = grant.EveryGateway
			}
			return p.access(cmd.Context(), name, flags, d)
		},
	}
	set := cmd.Flags()
	set.StringVar(&flags.principal, "principal", "", "account, by its id or name, role, user or session that would call")
	set.StringVar(&flags.callerProfile, "caller-profile", "", "profile of the principal's account, to read its own policies with")
	set.StringVar(&flags.from.IP, "source-ip", "", "address that the call would come from")
	set.StringVar(&flags.from.VPCE, "source-vpce", "", "VPC endpoint that the call would come through")
	set.StringVar(&flags.from.VPC, "source-vpc", "", "VPC that the call would come from")
	p.deploymentFlags(cmd)
	printsRows(cmd)
	p.completeNames(cmd, false)
	return cmd
}

func (f accessFlags) check() error {
	if f.principal == "" {
		if f.from != (access.Place{}) || f.callerProfile != "" {
			return refuse("--source-ip, --source-vpce, --source-vpc and --caller-profile are about one caller: name it with --principal")
		}
		return nil
	}
	if isAccountName(f.principal) {
		return nil
	}
	_, err := parseAsked(f.principal, "")
	return err
}

func (p *program) access(ctx context.Context, name string, flags accessFlags, d deployment) error {
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	where, err := p.scopeOf(ctx, name, s)
	if err != nil {
		return err
	}
	gateways := d.gateways(s.config)
	run := &accessing{
		callerReader: callerReader{program: p, session: s, callerProfile: flags.callerProfile},
		deployment:   d, reconciler: p.reconciler(s.config, gateways, d), gateways: gateways,
		directory: p.open(s.config, p.settings.tables).directory,
	}
	if flags.principal == "" {
		concerned, err := managed(ctx, where, gateways)
		if err != nil {
			return err
		}
		return run.list(ctx, concerned)
	}
	question, notes, err := run.question(ctx, flags)
	if err != nil {
		return err
	}
	concerned, err := managed(ctx, where, gateways)
	if err != nil {
		return err
	}
	return run.answer(ctx, concerned, where, question, notes)
}

// accessing is one run of the command.
type accessing struct {
	callerReader

	deployment deployment
	reconciler *reconcile.Reconciler
	directory  directoryTable
	gateways   reconcile.Gateways
	callerName string // of the account of the caller that is asked about
	account    string // of the admin
	partly     bool   // what may not be read of a gateway is left out
	failed     bool
}

// question is the call that the flags describe.
func (r *accessing) question(ctx context.Context, flags accessFlags) (access.Question, []string, error) {
	who, err := r.session.identity(ctx)
	if err != nil {
		return access.Question{}, nil, err
	}
	r.account = who.Account
	principal, err := r.withoutName(ctx, r.directory, flags.principal)
	if err != nil {
		return access.Question{}, nil, err
	}
	named, err := parseAsked(principal, who.Partition)
	if err != nil {
		return access.Question{}, nil, err
	}
	caller, notes, err := r.resolve(ctx, named)
	if err != nil {
		return access.Question{}, nil, err
	}
	question := access.Question{Caller: caller, From: flags.from}
	account, found, err := r.directory.Account(ctx, caller.Account)
	switch {
	case err != nil:
		notes = append(notes, "the accounts table cannot be read, so the caller's organization is not known: "+oneLine(r.explain(err)))
	case found:
		question.Organization, r.callerName = account.Organization, account.Name
	}
	return question, notes, nil
}

// observe reads a gateway, and plans it.
func (r *accessing) observe(ctx context.Context, gateway grant.Gateway) (access.Gateway, error) {
	world, err := r.reconciler.Observe(ctx, gateway)
	if r.partly && r.mayNotRead(world, gateway, err) {
		return r.policyAlone(ctx, gateway)
	}
	if err != nil {
		return access.Gateway{}, err
	}
	decided, err := plan.Make(world, r.deployment.limits)
	if err != nil {
		return access.Gateway{}, err
	}
	if !world.Gateway.Exists {
		return access.Gateway{}, refuse("there is no gateway %s: gateway-grants list shows the gateways that have grants", gateway)
	}
	return access.Gateway{World: world, Plan: decided, Installation: r.deployment.limits.Installation}, nil
}

// mayNotRead tells a gateway that the caller has no rights to from one that is not there.
// AWS looks for a gateway in the caller's own account.
func (r *accessing) mayNotRead(world plan.World, gateway grant.Gateway, err error) bool {
	elsewhere := gateway.Account() != r.account && r.deployment.reach.Role == ""
	_, noTable := errors.AsType[*types.ResourceNotFoundException](err)
	return isDenied(err) || elsewhere && (noTable || err == nil && !world.Gateway.Exists)
}

// policyAlone is a gateway of which at most the policy may be read.
func (r *accessing) policyAlone(ctx context.Context, gateway grant.Gateway) (access.Gateway, error) {
	seen := access.Gateway{
		World:  plan.World{Now: r.now(), Gateway: plan.Observed{Gateway: gateway, Authorizer: "AWS_IAM"}},
		Unread: access.UnreadGrants, Installation: r.deployment.limits.Installation,
	}
	document, err := r.gateways.Policy(ctx, gateway)
	switch {
	case isDenied(err), err == nil && document == nil && gateway.Account() != r.account:
		seen.Unread = access.UnreadPolicy
		return seen, nil
	case err != nil:
		return access.Gateway{}, err
	}
	seen.World.Gateway.Policy = document
	return seen, nil
}

// unreadNotes say what is not known of the gateway's side.
func unreadNotes(g access.Gateway) []string {
	gateway := g.World.Gateway.Gateway
	switch g.Unread {
	case access.UnreadGrants:
		return []string{"AWS does not let you read the tables of the deployment: the gateway's side is what the policy of " + gateway.ID() + " says, which grants it follows is not known, and the gateway is assumed to authorize callers by IAM"}
	case access.UnreadPolicy:
		return []string{"AWS does not let you read gateway " + gateway.ID() + ", which is of account " + gateway.Account() + ": nothing is assumed of its policy, and the gateway is assumed to authorize callers by IAM"}
	case access.UnreadNothing:
	}
	return nil
}

// each observes one gateway after the other. One that cannot be read keeps no other
// from being shown.
func (r *accessing) each(ctx context.Context, concerned []grant.Gateway, show func(access.Gateway)) error {
	shown := r.steps("Reading gateways", len(concerned))
	defer shown.clear()
	for _, gateway := range concerned {
		observed, err := r.observe(ctx, gateway)
		shown.done()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && len(concerned) == 1:
			return err
		case err != nil:
			r.sayFailed(gateway, err)
			r.failed = true
		default:
			show(observed)
		}
	}
	return nil
}

func (r *accessing) end() error {
	if r.failed {
		return errPrinted
	}
	return nil
}
