package iam

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// Role is a role that is to be allowed all that it does, and nothing else.
type Role struct {
	Name     string // that findings call it by
	ARN      string
	Policies []*policy.Document
}

// Exception lets a permission stand that was not used, for a reason.
type Exception struct {
	Role, Statement string // by name and by Sid
	Action          string // as the policy has it
	Resource        string // the end of what the policy has; "" for all of the statement
	Reason          string
}

// Finding is one way in which a role's permissions are not what it needs.
type Finding struct {
	Role, Statement  string
	Action, Resource string
	Problem          string
}

func (f Finding) String() string {
	text := f.Role + ": "
	if f.Statement != "" {
		text += "statement " + f.Statement + " allows "
	}
	text += f.Action
	if f.Resource != "" {
		text += " on " + f.Resource
	}
	return text + ": " + f.Problem
}

// LeastPrivilege compares what roles are allowed with the calls of a run. It finds
// every call of theirs that was denied; every action, on every resource that a
// statement has, that no allowed call needed; actions with wildcards, which would
// hide such; and exceptions that nothing needs. All that is never used can be taken
// out, at once, and the same run would be allowed again: a call that two statements
// allow counts for the first of them.
func LeastPrivilege(roles []Role, calls []policy.Call, decisions []policy.Decision, exceptions []Exception) []Finding {
	var findings []Finding
	needed := make([]bool, len(exceptions))
	for _, role := range roles {
		made, denied := role.calls(calls, decisions)
		findings = append(findings, denied...)
		grants, tooWide := role.grants()
		findings = append(findings, tooWide...)
		findings = append(findings, use(role, grants, made)...)
		for _, grant := range grants {
			if grant.used {
				continue
			}
			if excepted := excepting(exceptions, role, grant); excepted >= 0 {
				needed[excepted] = true
				continue
			}
			findings = append(findings, Finding{role.Name, grant.statement, grant.action, grant.resource, "never used"})
		}
	}
	for i, exception := range exceptions {
		about := Finding{exception.Role, exception.Statement, exception.Action, exception.Resource, "an exception without a reason"}
		switch {
		case exception.Reason == "":
			findings = append(findings, about)
		case !needed[i]:
			about.Problem = "an exception that nothing needs: it was used, or is not allowed any more"
			findings = append(findings, about)
		}
	}
	return findings
}

// grant is one action on one resource that a statement allows.
type grant struct {
	statement        string // Sid, or its number
	action, resource string
	alone            *policy.Document // that allows this and nothing else
	used             bool
}

// grants takes the role's policies apart. A deny is no permission, and what a
// statement says by exclusion cannot be counted.
func (r Role) grants() (grants []*grant, tooWide []Finding) {
	for _, document := range r.Policies {
		for i, statement := range document.Statements {
			name := cmp.Or(statement.Sid, strconv.Itoa(i+1))
			if statement.Effect != policy.Allow {
				continue
			}
			if statement.NotAction != nil || statement.NotResource != nil {
				tooWide = append(tooWide, Finding{r.Name, name, "what it does not name", "", "which part of it is never used is unknown"})
				continue
			}
			for _, action := range statement.Action {
				if strings.ContainsAny(action, "*?") {
					tooWide = append(tooWide, Finding{r.Name, name, action, "", "a wildcard hides what is never used"})
				}
				for _, resource := range statement.Resource {
					one := statement
					one.Action, one.Resource = []string{action}, []string{resource}
					grants = append(grants, &grant{statement: name, action: action, resource: resource, alone: document.WithStatements(one)})
				}
			}
		}
	}
	return grants, tooWide
}

// calls are those of the role's that were allowed with the help of its own policies,
// alike ones once; and findings for those that were denied.
func (r Role) calls(all []policy.Call, decisions []policy.Decision) (allowed []policy.Call, denied []Finding) {
	seen := map[string]bool{}
	times := map[Finding]int{}
	for i := range all {
		call := all[i]
		if call.Caller.Kind != policy.RoleSession || call.Caller.PrincipalARN != r.ARN {
			continue
		}
		if !decisions[i].Allowed {
			times[Finding{Role: r.Name, Action: call.Action, Resource: call.Resource, Problem: string(decisions[i].Reason)}]++
			continue
		}
		if alike := likeness(call); !seen[alike] && decisions[i].Reason != policy.AllowedByResource {
			seen[alike] = true
			allowed = append(allowed, call)
		}
	}
	for finding, n := range times {
		often := "once"
		if n > 1 {
			often = fmt.Sprintf("%d times", n)
		}
		finding.Problem = "denied " + often + " (" + finding.Problem + ")"
		denied = append(denied, finding)
	}
	slices.SortFunc(denied, func(a, b Finding) int { return cmp.Compare(a.String(), b.String()) })
	return allowed, denied
}

// likeness is the same for calls that no policy of a role can tell apart but by the
// time or the client.
func likeness(call policy.Call) string {
	context := maps.Clone(call.Context)
	for _, key := range []string{"aws:CurrentTime", "aws:EpochTime", "aws:UserAgent"} {
		delete(context, key)
	}
	return fmt.Sprint(call.Action, " ", call.Resource, " ", call.ResourceAccount, " ", context)
}

// use marks the first grant that allows each call.
func use(role Role, grants []*grant, made []policy.Call) []Finding {
	var lost []Finding
	for _, call := range made {
		first := slices.IndexFunc(grants, func(g *grant) bool { return g.allows(call) })
		if first < 0 {
			lost = append(lost, Finding{Role: role.Name, Action: call.Action, Resource: call.Resource, Problem: "allowed by a policy that the role does not have any more"})
			continue
		}
		grants[first].used = true
	}
	return lost
}

// allows judges the call as one within the account, which identity policies decide
// alone.
func (g *grant) allows(call policy.Call) bool {
	if owner := ownerOf(call); owner != "" {
		call.Context = maps.Clone(call.Context)
		if call.Context == nil {
			call.Context = map[string][]string{}
		}
		call.Context["aws:ResourceAccount"] = []string{owner}
	}
	call.ResourceAccount, call.ResourcePolicy = call.Caller.Account, nil
	call.Identity = []*policy.Document{g.alone}
	return policy.Evaluate(call).Allowed
}

func ownerOf(call policy.Call) string {
	if field := strings.SplitN(call.Resource, ":", 6); call.ResourceAccount == "" && len(field) == 6 {
		return field[4]
	}
	return call.ResourceAccount
}

func excepting(exceptions []Exception, role Role, g *grant) int {
	return slices.IndexFunc(exceptions, func(e Exception) bool {
		return e.Role == role.Name && e.Statement == g.statement && e.Action == g.action && strings.HasSuffix(g.resource, e.Resource)
	})
}
