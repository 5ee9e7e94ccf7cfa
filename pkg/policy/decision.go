package policy

import "fmt"

// Reason is the code of why a call was decided as it was.
type Reason string

// The reasons. Those that begin with Allowed allow, all others refuse.
const (
	AllowedByIdentity Reason = "AllowedByIdentity" // within one account: the identity policies, or being root
	AllowedByResource Reason = "AllowedByResource" // within one account: the resource policy
	AllowedByBoth     Reason = "AllowedByBoth"     // across accounts: both
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

	// Source is the side that decided, or that was silent; of AllowedByBoth the
	// resource policy. When more than one side is silent it is the one that AWS
	// asks first.
	Source Source

	// Policy says which policy of Source it is: its index in Call.Identity, or
	// the level in Call.SCPs; 0 elsewhere.
	Policy int

	// Statement is the statement that decides. It is nil when a side was
	// silent, and for a root user in its own account.
	Statement *Statement

	// Index is Statement's place in its document, from 0.
	Index int

	caller           Caller
	action, resource string
}

// String explains the decision in one sentence.
func (d Decision) String() string {
	verdict := "may not"
	if d.Allowed {
		verdict = "may"
	}
	return fmt.Sprintf("%s %s call %s on %s: %s.", d.caller, verdict, d.action, d.resource, d.because())
}

func (d Decision) because() string {
	switch d.Reason {
	case AllowedByIdentity:
		if d.Statement == nil {
			return "the root user may do everything in its own account"
		}
		return d.where() + " allows it"
	case AllowedByResource:
		return d.where() + " allows it"
	case AllowedByBoth:
		return d.where() + " allows it, and so does the caller's own account"
	case ExplicitDeny:
		return d.where() + " denies it"
	case NoIdentityAllow:
		return "no identity policy of the caller allows it"
	case NoResourceAllow:
		return "no statement of the resource policy allows it"
	case NoBoundaryAllow:
		return "the caller's permissions boundary does not allow it"
	case NoSCPAllow:
		return fmt.Sprintf("the service control policies of level %d do not allow it", d.Policy+1)
	}
	return string(d.Reason)
}

// where names the deciding statement and its policy.
func (d Decision) where() string {
	name := fmt.Sprintf("statement %d", d.Index+1)
	if d.Statement.Sid != "" {
		name = fmt.Sprintf("statement %q", d.Statement.Sid)
	}
	switch d.Source {
	case IdentityPolicy:
		return fmt.Sprintf("%s of the caller's identity policy %d", name, d.Policy+1)
	case ServiceControl:
		return fmt.Sprintf("%s of a service control policy of level %d", name, d.Policy+1)
	default:
		return fmt.Sprintf("%s of the %s", name, d.Source)
	}
}
