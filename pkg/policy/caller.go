package policy

import "strings"

// CallerKind says what kind of principal makes a call.
type CallerKind string

// The kinds of caller. The zero value is an anonymous one.
const (
	Anonymous     CallerKind = ""
	RootUser      CallerKind = "root"
	IAMUser       CallerKind = "user"
	RoleSession   CallerKind = "role"
	ServiceCaller CallerKind = "service"
)

// Caller is the principal that makes a call. Root, User, Role and Service build
// one from what names it.
type Caller struct {
	Kind    CallerKind
	Account string // 12 digits; empty for a service

	// PrincipalARN is what aws:PrincipalArn says: for a role session the ARN of
	// the role.
	PrincipalARN string

	// SessionARN is arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION, for a role
	// session only.
	SessionARN string

	// UniqueID is the user's AIDA… or the role's AROA… id, where known.
	UniqueID string

	// Service is the service principal's name, such as lambda.amazonaws.com.
	Service string
}

// Root is the root user of an account.
func Root(account string) Caller {
	return Caller{Kind: RootUser, Account: account, PrincipalARN: "arn:aws:iam::" + account + ":root"}
}

// User is the IAM user with this ARN.
func User(arn string) Caller {
	return Caller{Kind: IAMUser, Account: arnAccount(arn), PrincipalARN: arn}
}

// Role is a session, of this name, of the role with this ARN.
func Role(arn, session string) Caller {
	caller := Caller{Kind: RoleSession, Account: arnAccount(arn), PrincipalARN: arn}
	fields := strings.SplitN(arn, ":", 6)
	if len(fields) == 6 {
		name := fields[5][strings.LastIndexByte(fields[5], '/')+1:]
		caller.SessionARN = "arn:" + fields[1] + ":sts::" + caller.Account + ":assumed-role/" + name + "/" + session
	}
	return caller
}

// Service is an AWS service acting for itself, such as lambda.amazonaws.com.
func Service(name string) Caller { return Caller{Kind: ServiceCaller, Service: name} }

// arnAccount is the account field of an ARN; empty if it is none.
func arnAccount(arn string) string {
	fields := strings.SplitN(arn, ":", 6)
	if len(fields) < 6 {
		return ""
	}
	return fields[4]
}
