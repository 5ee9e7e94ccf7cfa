package grant

import (
	"slices"
	"time"
)

// Phase is where a row stands on one gateway.
type Phase string

// The phases of a row.
const (
	PhaseAdmitted Phase = "Admitted" // in the gateway's policy
	PhaseLeftOut  Phase = "LeftOut"  // live, and not in the policy for the reason given
	PhaseInvalid  Phase = "Invalid"  // the row has a fault; what its last valid revision gave is kept
	PhaseExpired  Phase = "Expired"  // no longer live
)

// Why a live grant is not, or not wholly, in the policy.
const (
	CodeNotManaged         Code = "NotManaged"          // the gateway lacks the tag
	CodeNotListed          Code = "NotListed"           // the gateway's region or owner is not on the deployment's list
	CodeNotJoined          Code = "NotJoined"           // the owner's account does not let the deployment assume its role
	CodeWrongAuthorizer    Code = "WrongAuthorizer"     // the gateway does not use IAM
	CodeGatewayGone        Code = "GatewayGone"         // there is no such gateway
	CodeGatewayNotReady    Code = "GatewayNotReady"     // still being created, or being deleted
	CodePolicyFull         Code = "PolicyFull"          // AWS's limits leave no room
	CodeQuarantined        Code = "Quarantined"         // AWS does not know the principal
	CodePolicyRefused      Code = "PolicyRefused"       // AWS refuses a policy with it, for another reason
	CodeRecreated          Code = "PrincipalRecreated"  // the role may be another one by now
	CodeNoDirectory        Code = "NoDirectory"         // no complete listing of the organization yet
	CodeDirectoryFailed    Code = "DirectoryUnreadable" // the accounts that a selector matches cannot be read now
	CodeSelectsNobody      Code = "SelectsNobody"       // the selector means no active account
	CodeOutsideOrg         Code = "OutsideOrganization" // neither a member nor on the trusted list
	CodeOtherPartition     Code = "OtherPartition"      // the principal lives in another AWS partition
	CodeProofFailed        Code = "ProofFailed"         // what was compiled for it would not do what the grants say
	CodeOverwrittenByOther Code = "OverwrittenByOther"  // others keep changing this installation's statements
	CodeObserved           Code = "Observed"            // the deployment is in observe mode, in which no policy is written
	CodeNewerVersion       Code = "NewerVersion"        // a newer version of the product wrote the row, or recorded the gateway
	CodeTakeoverNeeded     Code = "TakeoverNeeded"      // this deployment has no record of its statements on the gateway
	// CodeOtherInstallation: another installation keeps the gateway's policy.
	CodeOtherInstallation Code = "OtherInstallation"
)

// Why calls of an admitted grant are refused all the same.
const (
	CodeForeignDeny       Code = "ForeignDeny"       // a Deny that is not ours stops every call
	CodeForeignDenyPartly Code = "ForeignDenyPartly" // one stops some calls, by its conditions or principals
)

// Status is where a row stands on one gateway, as the state table records it.
type Status struct {
	Phase    Phase
	Reason   Code      // why not, or not wholly; "" for wholly admitted
	Message  string    // for people
	Since    time.Time // when phase and reason became so
	Revision string    // of the row that was judged
	Admitted []string  // principals in the policy because of this row, sorted
	Expiring bool      // it ends soon, and the notice was published
	// LastValid is the row's last valid revision that a run has seen, as
	// Row.Canonical writes it; "" where the row has let in no principal.
	LastValid string
	// Withheld are the principals, sorted, that the last valid revision still asks
	// for, and that the row admitted before and does not admit now, as while the
	// policy is full. An Invalid row gets back these, and no others.
	Withheld []string
}

// Given lists the principals that the row has admitted and that its last valid
// revision still asks for, sorted.
func (s Status) Given() []string {
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(s.Admitted, s.Withheld))))
}

// Same reports whether two statuses say the same, whenever they became so.
func (s Status) Same(other Status) bool {
	return s.Phase == other.Phase && s.Reason == other.Reason && s.Message == other.Message &&
		s.Revision == other.Revision && s.Expiring == other.Expiring && s.LastValid == other.LastValid &&
		slices.Equal(s.Admitted, other.Admitted) && slices.Equal(s.Withheld, other.Withheld)
}
