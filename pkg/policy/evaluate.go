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
	// needs none; neither does an AWS service, nor an anonymous caller.
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

// Evaluate decides the call as AWS does, within one account and across two.
// Session policies, resource control policies and VPC endpoint policies are not
// modelled; nor are the services that decide differently (KMS keys and the
// trust policies of roles, which must allow even within their account).
//
// Within one account either the caller's identity policies or the resource
// policy must allow; the account itself as principal is no such permission, it
// only lets the account's identity policies decide. Across accounts both must
// allow. A boundary and service control policies must allow as well, except
// that a resource policy of the same account that names the user, the session
// or everyone goes past the boundary. Any explicit deny refuses.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html
func Evaluate(call Call) Decision {
	r := newRequest(&call)
	return r.decision()
}

// decision is what is decided, with what it takes to explain it.
func (r *request) decision() Decision {
	decision := r.decide()
	decision.caller, decision.action, decision.resource = r.Caller, r.Action, r.Resource
	return decision
}

func (r *request) decide() Decision {
	scp := r.serviceControl()
	if scp.denies {
		return scp.deny(ServiceControl)
	}
	resource := r.resource()
	if resource.denies {
		return resource.deny(ResourcePolicy)
	}
	identity := r.identity()
	if identity.denies {
		return identity.deny(IdentityPolicy)
	}
	boundary := r.boundary()
	if boundary.denies {
		return boundary.deny(PermissionsBoundary)
	}

	switch {
	case !scp.allows:
		return Decision{Reason: NoSCPAllow, Source: ServiceControl, Policy: scp.policy}
	case !r.hasPolicies():
		return decideByResource(resource)
	case r.sameAccount():
		return decideWithin(resource, identity, boundary)
	default:
		return decideAcross(resource, identity, boundary)
	}
}

// decideByResource decides for those who have no identity policies at all: AWS
// services and anonymous callers.
func decideByResource(resource finding) Decision {
	if resource.naming == bySelf {
		return resource.allow(AllowedByResource, ResourcePolicy)
	}
	return Decision{Reason: NoResourceAllow, Source: ResourcePolicy}
}

func decideWithin(resource, identity, boundary finding) Decision {
	switch {
	case resource.naming == bySelf, resource.naming == byRole && boundary.allows:
		return resource.allow(AllowedByResource, ResourcePolicy)
	case resource.naming == byRole:
		return Decision{Reason: NoBoundaryAllow, Source: PermissionsBoundary}
	case !identity.allows:
		return Decision{Reason: NoIdentityAllow, Source: IdentityPolicy}
	case !boundary.allows:
		return Decision{Reason: NoBoundaryAllow, Source: PermissionsBoundary}
	default:
		return identity.allow(AllowedByIdentity, IdentityPolicy)
	}
}

func decideAcross(resource, identity, boundary finding) Decision {
	switch {
	case !resource.allows:
		return Decision{Reason: NoResourceAllow, Source: ResourcePolicy}
	case !identity.allows:
		return Decision{Reason: NoIdentityAllow, Source: IdentityPolicy}
	case !boundary.allows:
		return Decision{Reason: NoBoundaryAllow, Source: PermissionsBoundary}
	default:
		return resource.allow(AllowedByBoth, ResourcePolicy)
	}
}

// hasPolicies reports whether the caller is a principal of an account, to which
// identity policies, boundaries and service control policies apply.
func (r *request) hasPolicies() bool { return r.Caller.Kind == RootUser || r.Caller.isIAM() }

// serviceControl asks every level; one that is silent decides.
func (r *request) serviceControl() finding {
	found := finding{allows: true}
	if !r.hasPolicies() {
		return found
	}
	for level, documents := range r.SCPs {
		at := r.inspect(documents, anyone)
		at.policy = level
		if at.denies {
			return at
		}
		if !at.allows && found.allows {
			found = at
		}
	}
	return found
}

func (r *request) identity() finding {
	switch {
	case r.Caller.Kind == RootUser:
		return finding{allows: true}
	case !r.Caller.isIAM():
		return finding{}
	}
	return r.inspect(r.Identity, anyone)
}

func (r *request) boundary() finding {
	if r.Boundary == nil || !r.Caller.isIAM() {
		return finding{allows: true}
	}
	return r.inspect([]*Document{r.Boundary}, anyone)
}

func (r *request) resource() finding {
	return r.inspect([]*Document{r.ResourcePolicy}, (*statementMatcher).names)
}

// anyone takes a policy that is attached to the caller for being about it.
func anyone(m *statementMatcher, _ *request) naming {
	if m.principal != nil || m.notPrincipal != nil {
		return notNamed // such a policy cannot be attached to an identity
	}
	return bySelf
}

// finding is what one side says about a request.
type finding struct {
	allows    bool
	denies    bool
	naming    naming // the strongest one of the statements that allow
	policy    int
	statement *Statement // that allows or denies
	index     int        // of statement
}

// inspect looks through one side's documents, all of them for a deny.
func (r *request) inspect(documents []*Document, names func(*statementMatcher, *request) naming) finding {
	var found finding
	for i, d := range documents {
		if d == nil {
			continue
		}
		matchers := normalise(d).matcher()
		for j := range matchers {
			m := &matchers[j]
			if m.effect != Deny && found.naming == bySelf || !m.covers(r) {
				continue
			}
			named := names(m, r)
			if named == notNamed || m.effect == Allow && named <= found.naming || !m.meetsConditions(r) {
				continue
			}
			switch m.effect {
			case Deny:
				return finding{denies: true, policy: i, statement: &d.Statements[j], index: j}
			case Allow:
				found = finding{allows: true, naming: named, policy: i, statement: &d.Statements[j], index: j}
			}
		}
	}
	return found
}

func (f finding) deny(source Source) Decision {
	return Decision{Reason: ExplicitDeny, Source: source, Policy: f.policy, Statement: f.statement, Index: f.index}
}

func (f finding) allow(reason Reason, source Source) Decision {
	return Decision{
		Allowed: true, Reason: reason, Source: source,
		Policy: f.policy, Statement: f.statement, Index: f.index,
	}
}
