package reconcile

import "github.com/gateway-grants/gateway-grants/pkg/grant"

// Why a call to AWS failed, as far as the loop acts on it. Adapters return
// *grant.Error with one of these codes; whatever else they return counts as
// CodeUnknown.
const (
	CodeThrottled        grant.Code = "Throttled"        // try again later
	CodeAccessDenied     grant.Code = "AccessDenied"     // the deployment lacks a permission
	CodeInvalidPrincipal grant.Code = "PrincipalRefused" // AWS does not know a principal of the document
	CodeIsolating        grant.Code = "Isolating"        // refused principals are still being looked for
	CodeBlockedByForeign grant.Code = "BlockedByForeign" // AWS refuses somebody else's statement
	CodeInvalidPolicy    grant.Code = "PolicyRefused"    // AWS refuses the document for another reason
	CodeUnknownOutcome   grant.Code = "UnknownOutcome"   // the write may or may not have taken effect
	CodeContended        grant.Code = "Contended"        // others kept writing; given up for now
	CodeReadFailed       grant.Code = "ReadFailed"       // something could not be read completely
	CodeUnknown          grant.Code = "Unknown"

	CodeRecordedMeanwhile grant.Code = "RecordedMeanwhile" // the state is no longer the one loaded
)
