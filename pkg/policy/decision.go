package policy

// Reason is the code of why a call was decided as it was.
type Reason string

// The reasons. Those that begin with Allowed allow, all others refuse.
const (
	AllowedByIdentity Reason = "AllowedByIdentity" // the identity policy alone, within one account
	AllowedByResource Reason = "AllowedByResource" // the resource policy alone, within one account
	AllowedByBoth     Reason = "AllowedByBoth"     // both
	ExplicitDeny      Reason = "ExplicitDeny"
	NoIdentityAllow   Reason = "NoIdentityAllow"
	NoResourceAllow   Reason = "NoResourceAllow"
	NoBoundaryAllow   Reason = "NoBoundaryAllow"
	NoSCPAllow        Reason = "NoSCPAllow"
)

// Source names the side that a policy is on.
type Source string

// The sides.
const (
	IdentityPolicy      Source = "identity policy"
	ResourcePolicy      Source = "resource policy"
	PermissionsBoundary Source = "permissions boundary"
	ServiceControl      Source = "service control policy"
)

// Decision is the outcome of Evaluate.
type Decision struct {
	Allowed bool
	Reason  Reason

	// Source is the side that decided, or that was silent.
	Source Source

	// Policy is the index of the deciding document in Call.Identity, or of the
	// level in Call.SCPs; 0 elsewhere.
	Policy int

	// Statement is the deciding statement, nil when a side was silent.
	Statement *Statement
}

// String explains the decision in one sentence.
func (d Decision) String() string { return string(d.Reason) }
