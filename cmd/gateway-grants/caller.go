package main

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/gateway-grants/gateway-grants/pkg/access"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/iam"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// identities reads what principals' own sides say, in one account.
type identities interface {
	Role(ctx context.Context, name string) (iam.Principal, error)
	User(ctx context.Context, name string) (iam.Principal, error)
}

func openIAM(config aws.Config) identities { return iam.New(config) }

// asked is a principal as the command line names it.
type asked struct {
	partition, account string
	kind               policy.CallerKind // RootUser where all of the account is meant
	path, name         string
	session            string // "" for none named
	isSession          bool   // the ARN is of a session, which leaves out the role's path
}

// ssoPath is where the roles of IAM Identity Center are, which a session's ARN leaves
// out. Where the Identity Center is in another Region, that follows.
// https://docs.aws.amazon.com/singlesignon/latest/userguide/referencingpermissionsets.html
const ssoPath = "aws-reserved/sso.amazonaws.com/"

// parseAsked reads an account, a role, a user or a session, as `aws sts
// get-caller-identity` prints it.
func parseAsked(text, partition string) (asked, error) {
	if rest, is := strings.CutPrefix(text, "arn:"); is && strings.Contains(rest, ":sts::") {
		return parseSession(text)
	}
	principal, err := grant.ParsePrincipal(text)
	if err != nil {
		return asked{}, refuse("%v", err)
	}
	a := asked{partition: partition, account: principal.Account()}
	if principal.Partition() != "" {
		a.partition = principal.Partition()
	}
	arn, _ := policy.ParseIAMARN(principal.ARN(a.partition))
	kind, full, _ := strings.Cut(arn.Resource, "/")
	a.path, a.name = full[:strings.LastIndex(full, "/")+1], full[strings.LastIndex(full, "/")+1:]
	switch {
	case principal.Kind() == grant.KindAccount:
		a.kind, a.path, a.name = policy.RootUser, "", ""
	case principal.IsSelector() || principal.Kind() == grant.KindRolePattern:
		return asked{}, refuse("%s is not one caller: name an account, a role, a user or a session; gateway-grants access GATEWAY shows who all may call it", text)
	case kind == "user":
		a.kind = policy.IAMUser
	default:
		a.kind = policy.RoleSession
	}
	return a, nil
}

func parseSession(text string) (asked, error) {
	session, ok := policy.ParseSessionARN(text)
	if !ok || !policy.IsAccountID(session.Account) || session.Role == "" || session.Name == "" || strings.Contains(session.Name, "/") {
		return asked{}, refuse("%q is not the ARN of a role's session: write arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION, as aws sts get-caller-identity prints it", text)
	}
	a := asked{partition: session.Partition, account: session.Account, kind: policy.RoleSession, name: session.Role, session: session.Name, isSession: true}
	if strings.HasPrefix(a.name, "AWSReservedSSO_") {
		a.path = ssoPath
	}
	return a, nil
}

// caller is the principal as policies are decided for it, as far as the ARN tells.
func (a asked) caller() access.Caller {
	arn := policy.IAMARN{Partition: a.partition, Account: a.account, Resource: "role/" + a.path + a.name}
	switch a.kind {
	case policy.RootUser:
		root := policy.AccountRoot(a.partition, a.account)
		arn.Resource = "role/gateway-grants/Member" // any that no statement names
		return access.Caller{Caller: policy.Role(arn.String(), "session"), Name: root.Account, AnySession: true}
	case policy.IAMUser:
		arn.Resource = "user/" + a.path + a.name
		return access.Caller{Caller: policy.User(arn.String()), Name: arn.String()}
	default:
		session := a.session
		if session == "" {
			session = "session"
		}
		return access.Caller{Caller: policy.Role(arn.String(), session), Name: arn.String(), AnySession: a.session == ""}
	}
}

// callerReader reads what can be known of a caller, and notes what cannot.
type callerReader struct {
	*program
	session       *session
	callerProfile string
}

// resolve reads the caller's own side where the admin may.
func (r *callerReader) resolve(ctx context.Context, a asked) (caller access.Caller, notes []string, err error) {
	caller = a.caller()
	if a.kind == policy.RootUser {
		return caller, []string{"of account " + a.account + " any role is meant, whose identity policies and permissions boundary allow the call"}, nil
	}
	reader, note, err := r.readerOf(ctx, a.account)
	if err != nil || reader == nil {
		return caller, append(r.guessed(a), note), err
	}
	found, err := read(ctx, reader, a)
	if _, missing := errors.AsType[*types.NoSuchEntityException](err); missing {
		return caller, []string{caller.Name + " does not exist now: a grant that follows it by identity lets it in only once it does"}, nil
	}
	if isDenied(err) {
		return caller, append(r.guessed(a), "AWS does not let you read IAM of account "+a.account+": the caller's identity policies and permissions boundary are assumed to allow the call"), nil
	}
	if err != nil {
		return caller, nil, err
	}
	arn, _ := policy.ParseIAMARN(found.ARN)
	if !a.isSession && found.ARN != caller.PrincipalARN {
		return caller, nil, refuse("there is no %s, but %s: name that", caller.PrincipalARN, found.ARN)
	}
	a.path = arn.Resource[strings.Index(arn.Resource, "/")+1 : strings.LastIndex(arn.Resource, "/")+1]
	caller = a.caller()
	caller.UniqueID, caller.Read = found.UniqueID, true
	for _, p := range found.Policies {
		caller.Policies = append(caller.Policies, access.Policy(p))
	}
	if found.Boundary != nil {
		boundary := access.Policy(*found.Boundary)
		caller.Boundary = &boundary
	}
	return caller, nil, nil
}

func read(ctx context.Context, reader identities, a asked) (iam.Principal, error) {
	if a.kind == policy.IAMUser {
		return reader.User(ctx, a.name)
	}
	return reader.Role(ctx, a.name)
}

// guessed notes what a session's ARN leaves out.
func (r *callerReader) guessed(a asked) []string {
	if !a.isSession {
		return nil
	}
	return []string{"a session's ARN leaves out the path of its role: the role is taken for " + a.caller().PrincipalARN}
}

// readerOf reads IAM of the caller's account, with the session where it is of that
// account, or else with --caller-profile; nil, and why, where there is neither.
func (r *callerReader) readerOf(ctx context.Context, account string) (identities, string, error) {
	if r.callerProfile == "" {
		who, err := r.session.identity(ctx)
		if err == nil && who.Account == account {
			return r.identities(r.session.config), "", nil
		}
		return nil, "the caller's identity policies and permissions boundary are assumed to allow the call: give a profile of account " + account + " with --caller-profile to read them", err
	}
	theirs := &program{clock: r.clock, settings: options{profile: r.callerProfile, region: r.session.config.Region}}
	s, err := theirs.session(ctx)
	if err != nil {
		return nil, "", err
	}
	who, err := s.identity(ctx)
	if err != nil {
		return nil, "", err
	}
	if who.Account != account {
		return nil, "", refuse("profile %s is of account %s and the caller of %s: choose another --caller-profile", r.callerProfile, who.Account, account)
	}
	return r.identities(s.config), "", nil
}
