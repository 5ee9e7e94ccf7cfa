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
	if caller.Account == "" {
		return caller
	}
	partition := strings.SplitN(arn, ":", 3)[1]
	caller.SessionARN = SessionARN{partition, caller.Account, lastName(arn), session}.String()
	return caller
}

// Service is an AWS service acting for itself, such as lambda.amazonaws.com.
func Service(name string) Caller { return Caller{Kind: ServiceCaller, Service: name} }

// String names the caller: by its session where it has one.
func (c Caller) String() string {
	switch {
	case c.SessionARN != "":
		return c.SessionARN
	case c.PrincipalARN != "":
		return c.PrincipalARN
	case c.Service != "":
		return c.Service
	}
	return "an anonymous caller"
}

// isIAM reports whether the caller is a user or a role, which is who can have
// policies of its own.
func (c Caller) isIAM() bool { return c.Kind == IAMUser || c.Kind == RoleSession }

func (c Caller) principalType() string {
	switch c.Kind {
	case RootUser:
		return "Account"
	case IAMUser:
		return "User"
	case RoleSession:
		return "AssumedRole"
	case Anonymous:
		return "Anonymous"
	default:
		return ""
	}
}

func (c Caller) userID() string {
	switch {
	case c.Kind == Anonymous:
		return "anonymous"
	case c.Kind == RootUser:
		return c.Account
	case c.Kind == RoleSession && c.UniqueID != "" && c.SessionARN != "":
		return c.UniqueID + ":" + lastName(c.SessionARN)
	case c.Kind == IAMUser:
		return c.UniqueID
	}
	return ""
}

func (c Caller) userName() string {
	if c.Kind != IAMUser {
		return ""
	}
	return lastName(c.PrincipalARN)
}

// lastName is what follows the last slash of an ARN: the name without the path.
func lastName(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }
