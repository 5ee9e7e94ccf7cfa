package plan

import (
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// Plan is what a reconcile would do to one gateway. The output of the command plan, the
// recorded statuses and the notices are all printed from it.
type Plan struct {
	Want    *policy.Document           // nil: no policy
	Write   bool                       // Want differs in meaning from what was observed
	Hash    string                     // of our statements in Want, the same for the same meaning; "none" where there are none
	Drift   bool                       // our statements are neither as last seen right nor as last written
	Size    ledger.Size                // of Want, foreign statements included
	Changes []Change                   // sorted by principal
	Status  map[grant.Key]grant.Status // of every row
	Refused map[string]ledger.Refusal  // what stays known of principals that AWS would not take
	Pinned  []string                   // the roles and users that it lets in by identity, as ARNs, sorted
	Blocked *grant.Error               // why nothing may be written to this gateway now; nil if nothing is in the way
	Waits   *grant.Error               // why nothing may be added to this gateway, although removals go through; nil if nothing waits for it
	Due     time.Time                  // when the next grant expires or is tried again; zero for never
	Notices []Notice                   // to publish once the plan is applied
	// NotApplied is what the deployment's mode, or a takeover that is not approved, keeps
	// from being written; nil for nothing.
	NotApplied *Pending
	TakeoverOf string  // what to approve where a takeover waits: what was found and is planned; "" where none is needed
	Outside    Outside // what statements of others do about it
	ledger.WriteAhead

	Problem     Problem  // what Want was compiled from, and parts of it can be
	Standing    []string // principals of the plan that the policy names already, as ARNs
	Additions   []string // and those that it does not name yet
	Observed    []Access // what our statements were found to say, without ends
	Unexplained []string // unique ids that deleted roles and users left in our statements
}

// Pending is a write that a plan asks for and that is not made.
type Pending struct {
	Hash           string   // of our statements, once written
	Added, Removed []string // principals, sorted
}

// Verb is what becomes of a principal's access.
type Verb string

// What becomes of a principal's access.
const (
	Add      Verb = "Add"
	Remove   Verb = "Remove"
	Keep     Verb = "Keep"
	LeaveOut Verb = "LeaveOut"
)

// Change is what becomes of one principal, and because of which grants.
type Change struct {
	Verb      Verb
	Principal string // an ARN, or what the grant names where it means no account
	Access    Access // zero where it is none, as of a grant that means no account
	Under     string // the conditions, in words; "" for none
	Grants    []grant.Key
	Reason    grant.Code // of LeaveOut
	Message   string
}
