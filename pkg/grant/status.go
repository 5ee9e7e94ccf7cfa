package grant

import "time"

// Phase is where a row stands on one gateway.
type Phase string

// The phases of a row.
const (
	PhaseAdmitted Phase = "Admitted" // in the gateway's policy
	PhaseLeftOut  Phase = "LeftOut"  // live, and not in the policy for the reason given
	PhaseInvalid  Phase = "Invalid"  // no grant: the row has a fault
	PhaseExpired  Phase = "Expired"  // no longer live
)

// Why a live grant is not, or not wholly, in the policy.
const (
	CodeNotManaged      Code = "NotManaged"          // the gateway lacks the tag
	CodeNotListed       Code = "NotListed"           // the gateway's region or owner is not on the deployment's list
	CodeWrongAuthorizer Code = "WrongAuthorizer"     // the gateway does not use IAM
	CodeGatewayGone     Code = "GatewayGone"         // there is no such gateway
	CodeGatewayNotReady Code = "GatewayNotReady"     // still being created, or being deleted
	CodePolicyFull      Code = "PolicyFull"          // AWS's limits leave no room
	CodeQuarantined     Code = "Quarantined"         // AWS does not know the principal
	CodePolicyRefused   Code = "PolicyRefused"       // AWS refuses a policy with it, for another reason
	CodeRecreated       Code = "PrincipalRecreated"  // the role may be another one by now
	CodeNoDirectory     Code = "NoDirectory"         // no complete listing of the organization yet
	CodeDirectoryFailed Code = "DirectoryUnreadable" // whom a selector means cannot be read now
	CodeSelectsNobody   Code = "SelectsNobody"       // the selector means no active account
	CodeOutsideOrg      Code = "OutsideOrganization" // neither a member nor on the trusted list
	CodeOtherPartition  Code = "OtherPartition"      // the principal lives in another AWS partition
	CodeProofFailed     Code = "ProofFailed"         // what was compiled for it would not do what the grants say
	CodeContested       Code = "Contested"           // others keep changing this installation's statements
	// CodeOtherInstallation: another installation keeps the gateway's policy.
	CodeOtherInstallation Code = "OtherInstallation"
)

// Status is where a row stands on one gateway, as the state table records it.
type Status struct {
	Phase    Phase
	Reason   Code      // why not, or not wholly; "" for wholly admitted
	Message  string    // for people
	Since    time.Time // when phase and reason became so
	Revision string    // of the row that was judged
	Admitted []string  // principals in the policy because of this row, sorted
	Expiring bool      // it ends soon, and whoever should know was told
}

// Same tells whether two statuses say the same, whenever they became so.
func (s Status) Same(other Status) bool {
	if s.Phase != other.Phase || s.Reason != other.Reason || s.Message != other.Message ||
		s.Revision != other.Revision || s.Expiring != other.Expiring || len(s.Admitted) != len(other.Admitted) {
		return false
	}
	for i, principal := range s.Admitted {
		if principal != other.Admitted[i] {
			return false
		}
	}
	return true
}
