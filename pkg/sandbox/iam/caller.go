// Package iam is the part of AWS Identity and Access Management that the
// stand-in needs: who holds an access key, which principals exist, and what
// identity and resource policies say to a call.
package iam

import (
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// Kind says what sort of principal a caller is.
type Kind string

// The kinds of callers that hold credentials of their own.
const (
	KindRoot        Kind = "Root"
	KindUser        Kind = "User"
	KindAssumedRole Kind = "AssumedRole"
)

// Caller is who signed a request, in the forms that AWS shows and compares.
type Caller struct {
	// Account is the twelve digits of the caller's account.
	Account string
	// ARN is what sts:GetCallerIdentity answers: the session of an assumed
	// role, without the role's path; the user; or the account's root.
	ARN string
	// PrincipalARN is the value of aws:PrincipalArn: for a session the ARN of
	// its role, path included.
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalarn
	PrincipalARN string
	// UserID is the value of aws:userid: "AROA…:session" for a role session,
	// "AIDA…" for a user, the account's id for root.
	UserID string
	Kind   Kind
}

// UniqueID is the part of UserID that names the principal and outlives its
// sessions: it changes when a role or user is deleted and created again.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
func (c Caller) UniqueID() string {
	id, _, _ := strings.Cut(c.UserID, ":")
	return id
}

// Principal is the caller as policies are decided for it.
func (c Caller) Principal() policy.Caller {
	switch c.Kind {
	case KindRoot:
		return policy.Caller{Kind: policy.RootUser, Account: c.Account, PrincipalARN: c.PrincipalARN}
	case KindUser:
		return policy.Caller{Kind: policy.IAMUser, Account: c.Account, PrincipalARN: c.PrincipalARN, UniqueID: c.UniqueID()}
	case KindAssumedRole:
		return policy.Caller{Kind: policy.RoleSession, Account: c.Account, PrincipalARN: c.PrincipalARN, SessionARN: c.ARN, UniqueID: c.UniqueID()}
	default:
		return policy.Caller{}
	}
}
