package model

import (
	"fmt"
	"slices"
	"strings"
)

// Quirk is AWS's other possible answer to a question that its documentation
// leaves open. Without it the model gives the default answer; what is built on
// AgentCore must be safe under either.
type Quirk string

// Quirks are the other answers that a service gives.
type Quirks []Quirk

// Has reports whether the answer to q is the other one.
func (qs Quirks) Has(q Quirk) bool { return slices.Contains(qs, q) }

// Reading and deleting a policy that is not there.
const (
	// GetWithoutPolicyNotFound: GetResourcePolicy of a gateway without a policy
	// answers ResourceNotFoundException. The API reference only says that the
	// answer's policy is optional. Default: 200 without policy, as AWS's own
	// tests see on a live Runtime
	// (https://github.com/aws/bedrock-agentcore-sdk-python/pull/328).
	GetWithoutPolicyNotFound Quirk = "get-without-policy-not-found"

	// DeleteWithoutPolicySucceeds: DeleteResourcePolicy of a gateway without a
	// policy answers 204. The model declares ResourceNotFoundException without
	// saying what is not found. Default: that error, as the same tests see.
	DeleteWithoutPolicySucceeds Quirk = "delete-without-policy-succeeds"
)

// Measuring a policy.
const (
	// SizeInCharacters: the 20,480 are counted in characters. The limits page
	// says 20 KB, the service model a string of length 20480, which Smithy
	// counts in characters. Default: bytes, the stricter one.
	SizeInCharacters Quirk = "size-in-characters"

	// SizeExpanded: the size is taken of the submitted policy and once more
	// after account ids have been expanded to the ARNs of their roots. Default: as submitted, as the service model's
	// constraint is on what is submitted.
	SizeExpanded Quirk = "size-expanded"
)

// Accepting a policy.
const (
	// OneResourceListRefused: "Resource": ["<the gateway's ARN>"] is refused.
	// Lists of ARNs were seen to be refused, with a sentence that asks for
	// "exactly one resource ARN". Default: a list of one is one.
	OneResourceListRefused Quirk = "one-resource-list-refused"

	// DuplicateSidsAccepted: two statements may have the same Sid. IAM asks for
	// unique ones in its own policies; AgentCore's page says only that a Sid is
	// optional. Default: refused, as in IAM
	// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_sid.html).
	DuplicateSidsAccepted Quirk = "duplicate-sids-accepted"

	// PlainSidsOnly: a Sid must be ASCII letters and digits, as in IAM's own
	// policies. Other services allow more. Default: anything.
	PlainSidsOnly Quirk = "plain-sids-only"

	// EmptyStatementAccepted: "Statement": [] is accepted and allows no call.
	// Default: refused with "Policy has no statements", as one report says
	// (https://github.com/badmintoncryer/cdk-preflight).
	EmptyStatementAccepted Quirk = "empty-statement-accepted"

	// OrgWildcardAccepted: an AWS_IAM gateway accepts an Allow for "*" that has
	// a condition on aws:PrincipalOrgID or aws:PrincipalOrgPaths. AWS shows "*"
	// on such gateways only in Deny. Default: refused.
	OrgWildcardAccepted Quirk = "org-wildcard-accepted"

	// UnconditionalServiceAccepted: a service principal needs no condition on
	// aws:SourceAccount or aws:SourceArn. AWS shows service principals with
	// them and does not say whether that is checked. Default: refused without.
	UnconditionalServiceAccepted Quirk = "unconditional-service-accepted"

	// StaleIDsAccepted: the unique id (AROA…, AIDA…) that a deleted principal
	// has left in a policy is accepted again. Default: refused with "Invalid
	// principal in policy", as IAM's trust policies refuse it.
	StaleIDsAccepted Quirk = "stale-ids-accepted"

	// PrincipalListsRefused: a policy is refused if a Principal.AWS in it is a
	// list of two or more, even if each of them exists. Two reports on Runtimes
	// say so, one of them a test helper of the Terraform provider
	// (https://github.com/hashicorp/terraform-provider-aws/pull/47457).
	// Default: accepted, as AWS's page shows a list of two roles
	// (https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/resource-based-policies.html).
	PrincipalListsRefused Quirk = "principal-lists-refused"

	// ServiceActionsAccepted: a statement may name any action of the service,
	// with wildcards too. A merged test of the Terraform provider puts
	// InvokeAgentRuntime on a gateway
	// (https://github.com/hashicorp/terraform-provider-aws/pull/46844).
	// Default: only InvokeGateway, as AWS's page says.
	ServiceActionsAccepted Quirk = "service-actions-accepted"

	// WildcardAllowAccepted: an AWS_IAM gateway accepts an Allow for "*", with
	// a condition or without. A test of the same change puts one on a Runtime
	// with IAM authentication. Default: refused, as AWS's page asks for
	// specific principals.
	WildcardAllowAccepted Quirk = "wildcard-allow-accepted"

	// RepeatedNamesAccepted: a policy with a name twice in an object is
	// accepted and kept as it is; the last value counts, as S3 was seen to
	// decide (https://github.com/basho/riak_cs/issues/380). Default: refused,
	// as IAM's grammar asks
	// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html).
	RepeatedNamesAccepted Quirk = "repeated-names-accepted"
)

// Keeping a policy.
const (
	// PrincipalsNotPinned: a role or user in a policy is kept by name, so that
	// one created again under the same name has the access of the old one.
	// Default: by unique id, which is shown once the principal is gone, as IAM
	// documents for principals in general and no report has shown for AgentCore
	// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html).
	PrincipalsNotPinned Quirk = "principals-not-pinned"

	// AccountsAsARNs: an account id is shown as the ARN of the account's root,
	// as S3 and KMS do. Default: as submitted.
	AccountsAsARNs Quirk = "accounts-as-arns"

	// AccountsAsIDs: the ARN of an account's root is shown as the account's id.
	// Default: as submitted.
	AccountsAsIDs Quirk = "accounts-as-ids"

	// StatementsReordered: statements come back in another order. Default: as
	// submitted.
	StatementsReordered Quirk = "statements-reordered"

	// ScalarsAsLists: single values come back as lists of one, and members in
	// another order. Default: as submitted.
	ScalarsAsLists Quirk = "scalars-as-lists"

	// ListsAsScalars: lists of one come back as single values, and members in
	// another order. Default: as submitted.
	ListsAsScalars Quirk = "lists-as-scalars"

	// WhitespaceChanged: a policy comes back with other whitespace. Single
	// values stay single, and names keep their order. Seen on a Runtime, where
	// tests compare policies without their whitespace
	// (https://github.com/hashicorp/terraform-provider-aws/pull/46844).
	// Default: as submitted.
	WhitespaceChanged Quirk = "whitespace-changed"
)

// Time.
const (
	// PolicyEffectDelayed: a new policy, or the end of one, takes effect
	// Options.PolicyDelay after the call. No time is documented for policies;
	// for a gateway's rate limits AWS documents up to 30 seconds and more has
	// been seen. Default: at once.
	PolicyEffectDelayed Quirk = "policy-effect-delayed"

	// PolicyReadsStale: for Options.PolicyDelay after a write,
	// GetResourcePolicy answers what was there before. The consistency of
	// reads is not documented. Default: the last write.
	PolicyReadsStale Quirk = "policy-reads-stale"
)

// Gateways.
const (
	// ForeignARNNotFound: a call that names another account's gateway by ARN
	// answers ResourceNotFoundException. Default: AccessDeniedException, as
	// AWS does where an ARN tells whose the resource is and no resource policy
	// can grant the action.
	ForeignARNNotFound Quirk = "foreign-arn-not-found"

	// ClientTokenMismatchIgnored: a client token that comes again with other
	// parameters answers what it created before. The page says that a request
	// whose token matches is ignored without an error, and the service model
	// has a reason for the error. Default: that error.
	ClientTokenMismatchIgnored Quirk = "client-token-mismatch-ignored"
)

// QuirkInfo is a quirk's name and what it changes, in a sentence.
type QuirkInfo struct {
	Quirk    Quirk
	Sentence string
}

// AllQuirks lists every quirk, in the order of their documentation.
func AllQuirks() []QuirkInfo {
	return []QuirkInfo{
		{GetWithoutPolicyNotFound, "Reading the policy of a gateway that has none answers 404 instead of 200 without a policy."},
		{DeleteWithoutPolicySucceeds, "Deleting the policy of a gateway that has none answers 204 instead of 404."},
		{SizeInCharacters, "A policy's size is counted in characters instead of bytes."},
		{SizeExpanded, "A policy's size is taken with account ids expanded to root ARNs instead of as submitted."},
		{OneResourceListRefused, "A Resource list of one ARN is refused instead of taken for that ARN."},
		{DuplicateSidsAccepted, "Two statements may have the same Sid instead of being refused."},
		{PlainSidsOnly, "A Sid with anything but ASCII letters and digits is refused instead of accepted."},
		{EmptyStatementAccepted, "A policy without statements is accepted instead of refused."},
		{OrgWildcardAccepted, `An Allow for "*" with an organization condition is accepted on AWS_IAM gateways instead of refused.`},
		{UnconditionalServiceAccepted, "A service principal without a source condition is accepted instead of refused."},
		{StaleIDsAccepted, "The unique id of a deleted principal is accepted instead of refused."},
		{PrincipalListsRefused, "A policy with a list of two or more AWS principals is refused instead of accepted."},
		{ServiceActionsAccepted, "Any action of the service is accepted in a policy instead of InvokeGateway alone."},
		{WildcardAllowAccepted, `An Allow for "*" is accepted on AWS_IAM gateways, with a condition or without, instead of refused.`},
		{RepeatedNamesAccepted, "A policy with a name twice in an object is kept as it is, and the last value counts, instead of being refused."},
		{PrincipalsNotPinned, "Roles and users in a policy are kept by name instead of by unique id."},
		{AccountsAsARNs, "Account ids in a policy come back as root ARNs instead of as submitted."},
		{AccountsAsIDs, "Root ARNs in a policy come back as account ids instead of as submitted."},
		{StatementsReordered, "A policy's statements come back in another order."},
		{ScalarsAsLists, "Single values in a policy come back as lists of one."},
		{ListsAsScalars, "Lists of one in a policy come back as single values."},
		{WhitespaceChanged, "A policy comes back with other whitespace instead of as submitted."},
		{PolicyEffectDelayed, "A policy takes effect some time after it was put or deleted instead of at once."},
		{PolicyReadsStale, "For some time after a write, reading the policy answers what was there before."},
		{ForeignARNNotFound, "Another account's gateway ARN answers 404 instead of 403."},
		{ClientTokenMismatchIgnored, "A client token used again with other parameters is no error."},
	}
}

// ParseQuirks reads names of quirks, as a command line gives them.
func ParseQuirks(names []string) (Quirks, error) {
	all := AllQuirks()
	known := make([]string, len(all))
	for i, info := range all {
		known[i] = string(info.Quirk)
	}
	quirks := make(Quirks, 0, len(names))
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("quirk %q is not known; known are: %s", name, strings.Join(known, ", "))
		}
		quirks = append(quirks, Quirk(name))
	}
	return quirks, nil
}
