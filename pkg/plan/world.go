// Package plan decides what a gateway's resource policy should be. One World
// goes in, one Plan comes out; nothing else is consulted. It is pure.
package plan

import (
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// World is everything that a decision may depend on, read completely.
type World struct {
	Gateway  Observed
	Rows     []grant.Row // for this gateway and for every gateway
	Accounts directory.Snapshot
	Now      time.Time
}

// Observed is one gateway as AWS shows it, and what was recorded about it.
type Observed struct {
	Gateway    grant.Gateway
	Exists     bool
	Authorizer string           // AWS_IAM, CUSTOM_JWT, …, as the API says
	Status     string           // READY, CREATING, …, as the API says
	Managed    bool             // carries the tag ManagedTag = ManagedValue
	Policy     *policy.Document // nil: none
	Recorded   State
}

// The tag by which a gateway asks to be managed.
const (
	ManagedTag   = "gateway-grants:managed"
	ManagedValue = "true"
)

// State is what the state table holds about one gateway.
type State struct {
	Gateway GatewayState
	Grants  map[grant.Key]grant.Status
}

// GatewayState is the gateway's own item in the state table. The zero value
// stands for a gateway never seen.
type GatewayState struct {
	Version       int // counts what was recorded; a record on top of another version than was loaded is refused
	Authorizer    string
	AppliedHash   string // of our statements, when last seen to be right; "" if never seen
	PendingHash   string // of our statements in a write whose end was not recorded yet; "" for none
	Size          Size
	LastError     grant.Code // of the last run that failed; "" after one that did not
	LastMessage   string
	Failures      int       // runs failed in a row
	Due           time.Time // when to look again; zero for never
	InFlightUntil time.Time // until when a write may be under way, which must be looked at then; zero for none
	// Overwritten counts how often in a row our statements were found changed by
	// somebody else, and OverwrittenAt says when last.
	Overwritten   int
	OverwrittenAt time.Time
	// Refused are the principals, by ARN, that AWS would not take.
	Refused map[string]Refusal
	// Pinned are the roles and users that were last seen let in by identity, as
	// ARNs, sorted.
	Pinned []string
	// ExpandedSizeObserved tells that AWS refused for its size a policy that fits as submitted:
	// it measures after it has expanded account ids.
	ExpandedSizeObserved bool
	// ListsRefused tells that AWS rejected a list of principals and accepted the same
	// principals in a statement each.
	ListsRefused bool
	// Open names the Allow of others that opens the gateway to everyone; "" for none.
	Open string
	WriteAhead
}

// WriteAhead is what is recorded before the write that lets somebody in: a directory
// that cannot be read later never removes access, and a role that is deleted right
// after is not taken for a new one.
type WriteAhead struct {
	// Selected is whom each selector in use was last known to mean: account ids,
	// sorted, by SelectionKey.
	Selected map[string][]string
	// InFlight are the roles and users that writes which may be under way name by
	// identity, as ARNs, sorted. The key tells the unique ids, sorted and with
	// spaces between, that were found before such a write: they are none of theirs.
	InFlight map[string][]string
	// HadDirectory tells that the directory could be read once. One that seems never
	// to have been listed then has lost the mark of it, and is not to be taken for
	// none: without a directory, accounts outside the organization are let in.
	HadDirectory bool
}

// Refusal is what is known of a principal that AWS would not take.
type Refusal struct {
	Code    grant.Code // CodeQuarantined, CodePolicyRefused or CodeRecreated
	Since   time.Time
	Tries   int       // puts refused because of it, one a run
	NextTry time.Time // zero for held until somebody confirms it
}

// Held tells whether the principal waits for somebody to confirm it, instead of
// being tried again.
func (r Refusal) Held() bool { return r.NextTry.IsZero() }

// holds tells whether the principal is still to be left out.
func (r Refusal) holds(now time.Time) bool { return r.Held() || now.Before(r.NextTry) }

// Intent is what is recorded before a write, so that a crash in the middle of
// it is understood afterwards.
type Intent struct {
	Due     time.Time          // when to look again, whatever happens now; becomes the InFlightUntil
	Hash    string             // becomes the PendingHash
	Refused map[string]Refusal // the write may wipe away what they are known by
	WriteAhead
}

// Size is how much of AWS's limits a policy uses.
type Size struct {
	Bytes      int // as measured under the accounting in force
	Statements int
}

// Limits is what AWS and the deployment allow.
type Limits struct {
	MaxBytes      int        // of a policy; foreign statements included
	MaxStatements int        // of a policy; foreign statements included
	Accounting    Accounting // whether account ids count expanded
	Installation  string     // tells our statements from those of another installation
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
