package policy

import (
	"slices"
	"strings"
)

// statementMatcher is a statement made ready to test against requests.
type statementMatcher struct {
	*normalStatement
	actions    []pattern
	resources  []pattern
	exact      []string // resources without wildcards and variables, sorted
	conditions []conditionMatcher
}

// everything is the pattern that matches whatever there is.
const everything = "*"

func compileStatements(n *normalDocument) []statementMatcher {
	variables := n.version != Version2008
	matchers := make([]statementMatcher, len(n.statements))
	for i := range n.statements {
		m := &matchers[i]
		m.normalStatement = &n.statements[i]
		for _, action := range either(m.action, m.notAction) {
			m.actions = append(m.actions, parsePattern(action, true, false))
		}
		for _, resource := range either(m.resource, m.notResource) {
			if strings.ContainsAny(resource, "*?$") {
				m.resources = append(m.resources, resourcePattern(resource, variables))
			} else {
				m.exact = append(m.exact, resource)
			}
		}
		for _, c := range m.normalStatement.conditions {
			m.conditions = append(m.conditions, compileCondition(c, variables))
		}
	}
	return matchers
}

// either returns whichever of an element and its negation is there.
func either(element, negation []string) []string {
	if element != nil {
		return element
	}
	return negation
}

// covers reports whether the statement is about the request, from any caller.
func (m *statementMatcher) covers(r *request) bool {
	return m.coversAction(r) && m.coversResource(r)
}

func (m *statementMatcher) coversAction(r *request) bool {
	if m.action == nil && m.notAction == nil {
		return false
	}
	listed := slices.ContainsFunc(m.actions, func(p pattern) bool { return p.match(r.action) })
	return listed == (m.action != nil)
}

// coversResource takes a missing Resource in a resource policy for the resource
// that the policy is attached to, as in the trust policy of a role; everywhere
// else it covers nothing.
func (m *statementMatcher) coversResource(r *request) bool {
	if m.resource == nil && m.notResource == nil {
		return m.principal != nil || m.notPrincipal != nil
	}
	_, listed := slices.BinarySearch(m.exact, r.Resource)
	for i := 0; !listed && i < len(m.resources); i++ {
		p, ok := m.resources[i].resolve(r)
		if !ok && m.notResource != nil {
			// In either element, what has a variable without a value matches
			// no resource.
			// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-no-value
			return false
		}
		listed = ok && p.match(r.Resource)
	}
	return listed == (m.resource != nil)
}

func (m *statementMatcher) meetsConditions(r *request) bool {
	if r.partly {
		reach := m.reach(r)
		return reach == Always || reach == Sometimes && r.favour == (m.effect == Allow)
	}
	for i := range m.conditions {
		if !m.conditions[i].test(r, m.effect) {
			return false
		}
	}
	return true
}

// naming says how a resource policy's statement names the caller, weakest
// first: the stronger it does, the less else is needed within one account.
type naming uint8

const (
	notNamed naming = iota
	byAccount
	byRole
	bySelf // the user or the session itself, the service, or everyone
)

// names reports how the statement names the caller.
func (m *statementMatcher) names(r *request) naming {
	if m.notPrincipal == nil {
		return m.principal.names(r)
	}
	// A Deny with NotPrincipal applies to every IAM principal that has a
	// permissions boundary, whomever it excepts.
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html
	bounded := m.effect == Deny && r.Boundary != nil && r.Caller.isIAM()
	if bounded || m.notPrincipal.names(r) == notNamed {
		return bySelf
	}
	return notNamed
}

func (n *normalPrincipals) names(r *request) naming {
	if n == nil {
		return notNamed
	}
	caller := &r.Caller
	switch {
	case contains(n.aws, everything), caller.Service != "" && contains(n.service, caller.Service):
		return bySelf
	case caller.Account == "":
		return notNamed
	}
	switch caller.Kind {
	case RootUser:
		if contains(n.aws, caller.Account) {
			return bySelf
		}
		return notNamed
	case IAMUser:
		if contains(n.aws, caller.PrincipalARN) || contains(n.aws, caller.UniqueID) {
			return bySelf
		}
	case RoleSession:
		if contains(n.aws, caller.SessionARN) {
			return bySelf
		}
		if contains(n.aws, caller.PrincipalARN) || contains(n.aws, caller.UniqueID) {
			return byRole
		}
	default:
	}
	if contains(n.aws, caller.Account) {
		return byAccount
	}
	return notNamed
}

func contains(sorted []string, value string) bool {
	if value == "" {
		return false
	}
	_, found := slices.BinarySearch(sorted, value)
	return found
}
