// Package plan decides what a gateway's resource policy should be. One World
// goes in, one Plan comes out; nothing else is consulted. It is pure.
package plan

import (
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// World is everything that a decision may depend on, read completely.
type World struct {
	Gateway   Observed
	Rows      []grant.Row // for this gateway and for every gateway
	Accounts  directory.Snapshot
	Takeover  bool            // NeedsTakeover
	Approvals grant.Approvals // of the gateway, where Takeover or HoldsAny
	Now       time.Time
}

// Observed is one gateway as AWS shows it, and what was recorded about it.
type Observed struct {
	Gateway    grant.Gateway
	Exists     bool
	Authorizer string           // AWS_IAM, CUSTOM_JWT, …, as the API says
	Status     string           // READY, CREATING, …, as the API says
	Managed    bool             // carries the tag ManagedTag = ManagedValue
	Policy     *policy.Document // nil: none
	Recorded   ledger.State
	// Listed says that its account is on the list of owners, besides those of Limits.Owners.
	// ListFault says why that is not known: the list could not be read; nil where it is.
	Listed    bool
	ListFault *grant.Error
}

// The tag by which a gateway asks to be managed.
const (
	ManagedTag   = "gateway-grants:managed"
	ManagedValue = "true"
)

// Limits is what AWS and the deployment allow.
type Limits struct {
	MaxBytes      int        // of a policy; foreign statements included
	MaxStatements int        // of a policy; foreign statements included
	Accounting    Accounting // whether account ids count expanded
	Installation  string     // distinguishes our statements from those of another installation
	Trusted       []string   // ids of accounts outside the organization that may be let in
	Owners        []string   // ids of accounts whose gateways are managed; empty for any
	Regions       []string   // in which gateways are managed; empty for any
	Observe       bool       // no policy is written: everything is read, planned and reported
}

// Accounting is how the size of a policy is measured. AWS does not document
// whether it measures before or after it expands account ids to ARNs.
type Accounting uint8

const (
	// ExpandedSize counts every account as its root ARN, and writes it so.
	ExpandedSize Accounting = iota
	// SubmittedSize writes accounts as 12-digit ids and counts those.
	SubmittedSize
)

// The limits of a gateway's resource policy:
// https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/bedrock-agentcore-limits.html
// https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/resource-based-policies.html
const (
	MaxPolicyBytes      = 20480
	MaxPolicyStatements = 100
)

// DefaultLimits are AWS's own, for one installation.
func DefaultLimits() Limits {
	return Limits{MaxBytes: MaxPolicyBytes, MaxStatements: MaxPolicyStatements, Installation: "main"}
}
