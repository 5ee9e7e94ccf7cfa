package reconcile

import "github.com/gateway-grants/gateway-grants/pkg/grant"

// Why a call to AWS failed, as far as the loop acts on it. Adapters return
// *grant.Error with one of these codes; whatever else they return counts as
// CodeUnknown.
const (
	CodeThrottled         grant.Code = "Throttled"             // try again later
	CodeBusy              grant.Code = "Busy"                  // AWS is changing the gateway otherwise; try again later
	CodeAccessDenied      grant.Code = "AccessDenied"          // the deployment lacks a permission
	CodePrincipalRejected grant.Code = "PrincipalRejected"     // AWS does not know a principal of the document
	CodeIsolating         grant.Code = "Isolating"             // refused principals are still being looked for
	CodeBlockedByForeign  grant.Code = "BlockedByForeign"      // AWS refuses a statement of others
	CodePolicyTooLarge    grant.Code = "PolicyTooLarge"        // AWS refuses the document for its size
	CodeInvalidPolicy                = grant.CodePolicyRefused // AWS refuses the document for another reason
	CodeUnknownOutcome    grant.Code = "UnknownOutcome"        // the write may or may not have taken effect
	CodeNotConverged      grant.Code = "NotConverged"          // what was written was not what was read; given up for now
	CodeReadFailed        grant.Code = "ReadFailed"            // something could not be read completely
	CodeUnreadablePolicy  grant.Code = "UnreadablePolicy"      // the gateway's policy is no policy document that can be understood
	CodeUnknown           grant.Code = "Unknown"
)

// refuses reports whether AWS would not have the document, as far as another one may
// do: it did nothing, and would do nothing if asked again.
func refuses(err error) bool {
	code := grant.CodeOf(err)
	return code == CodePrincipalRejected || code == CodePolicyTooLarge || code == CodeInvalidPolicy
}
