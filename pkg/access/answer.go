package access

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// Answer says whether a call would be allowed, and what each side says to it.
type Answer struct {
	Verdict Verdict
	Side    Side // that denies, or that it depends on; "" where the call is allowed
	Gateway Part
	Caller  Part
}

// Part is what one side says to a call.
type Part struct {
	Verdict Verdict
	Reason  string // a policy.Reason or grant.Code
	Why     string // in a sentence
	Remedy  string // what to do where the call is not allowed; "" for nothing

	Statement string // that decides; "" for none
	Foreign   bool   // the statement is not this installation's

	Grants  []grant.Key // of the gateway's side: those that allow the call
	Waiting []Standing  // of the gateway's side: those that mean the caller and do not let it in
	Assumed bool        // of the caller's side: nothing was read, and it is assumed to allow
	Missing *policy.Document
}

// Answer decides the call as AWS would.
func (g Gateway) Answer(q Question) Answer {
	call, unknown := g.call(q)
	answer := Answer{Gateway: g.gatewayPart(q), Caller: g.callerPart(q)}
	if g.Unread == UnreadPolicy {
		answer.Verdict, answer.Side = Depends, GatewaySide
		if answer.Caller.Verdict == Denied {
			answer.Verdict, answer.Side = Denied, CallerSide
		}
		return answer
	}
	if code := g.notByIAM(); code != "" {
		answer.Verdict, answer.Side = answer.Gateway.Verdict, GatewaySide
		if answer.Verdict == Allowed {
			answer.Side = ""
		}
		return answer
	}
	best, worst := policy.EvaluatePartly(call, unknown...)
	answer.Verdict = verdict(best, worst)
	switch answer.Verdict {
	case Denied:
		answer.Side = sideOf(best)
	case Depends:
		answer.Side = sideOf(worst)
	case Allowed:
	}
	return answer
}

// notByIAM is why calls are not decided by policies; "" where they are.
func (g Gateway) notByIAM() grant.Code {
	if g.World.Gateway.Authorizer == "AWS_IAM" {
		return ""
	}
	return grant.CodeWrongAuthorizer
}

// gatewayPart is what the gateway's policy says by itself.
func (g Gateway) gatewayPart(q Question) Part {
	if g.Unread == UnreadPolicy {
		return Part{
			Verdict: Depends, Why: "the gateway's policy was not read",
			Remedy: "ask an admin of the deployment for gateway-grants access " + g.World.Gateway.Gateway.ARN() + " --principal " + q.Caller.Name,
		}
	}
	if code := g.notByIAM(); code != "" {
		return g.otherAuthorizer(code)
	}
	assumed := q
	assumed.Caller.Read, assumed.Caller.Boundary = false, nil
	call, unknown := g.call(assumed)
	best, worst := policy.EvaluatePartly(call, unknown...)
	part := Part{Verdict: verdict(best, worst), Reason: string(best.Reason)}
	switch {
	case part.Verdict == Allowed && worst.Source != policy.ResourcePolicy:
		part.Reason = string(worst.Reason)
		part.Why = "the caller is of account " + call.Caller.Account + ", which owns the gateway: its own policies are enough, and no statement denies the call"
	case part.Verdict == Allowed:
		part.Reason = string(worst.Reason)
		g.name(&part, worst, q)
		part.Why = part.Statement + " of the gateway's policy allows it" + byGrants(part.Grants)
	case best.Reason == policy.ExplicitDeny:
		g.name(&part, best, q)
		part.Why = part.Statement + " of the gateway's policy denies it"
		part.Remedy = "no grant goes before a Deny: the owner of " + part.Statement + " has to remove or narrow it"
	case part.Verdict == Denied:
		g.missing(&part, q)
	default:
		g.depends(&part, best, worst, q)
	}
	return part
}

func (g Gateway) otherAuthorizer(code grant.Code) Part {
	authorizer := g.World.Gateway.Authorizer
	if authorizer == "NONE" {
		return Part{Verdict: Allowed, Reason: string(code), Why: "the gateway has no authorizer: it lets in every call, signed or not", Remedy: "create the gateway again with AWS_IAM as its authorizer: it cannot be changed"}
	}
	return Part{Verdict: Denied, Reason: string(code), Why: "the gateway authorizes callers by " + authorizer + ", which no IAM principal can satisfy", Remedy: "call it with a token, or use a gateway that authorizes with AWS_IAM"}
}

// name says which statement decided, and because of which grants it is there.
func (g Gateway) name(part *Part, d policy.Decision, q Question) {
	if d.Statement == nil {
		return
	}
	statement := plan.Statement{Number: d.Index + 1, Sid: d.Statement.Sid}
	part.Statement, part.Foreign = statement.String(), true
	for _, entry := range plan.Entries(g.World.Gateway.Gateway, g.World.Gateway.Policy, g.Installation) {
		if entry.Number != statement.Number || !entry.Owned {
			continue
		}
		part.Foreign = false
		if entry.Access.Means(q.Caller.Caller) {
			part.Grants = append(part.Grants, g.because(entry.Access)...)
		}
	}
	part.Grants = sortedKeys(part.Grants)
}

// missing says what keeps the caller out: grants that mean it and wait, or that
// there is none.
func (g Gateway) missing(part *Part, q Question) {
	part.Waiting = g.waiting(q.Caller.Caller)
	gateway, who := g.World.Gateway.Gateway, q.Caller.Name
	switch {
	case g.Unread == UnreadGrants:
		part.Why = "no statement of the gateway's policy allows it; its grants were not read"
		part.Remedy = "ask an admin of the deployment for gateway-grants grant " + gateway.ARN() + " " + who
		return
	case len(part.Waiting) == 0:
		part.Why = "no statement of the gateway's policy allows it, and no grant means this principal"
		part.Remedy = "gateway-grants grant " + gateway.ARN() + " " + who
		return
	}
	reasons := make([]string, len(part.Waiting))
	for i, w := range part.Waiting {
		reasons[i] = "grant " + w.Key.ID + " is " + string(w.Phase)
		if w.Reason != "" {
			reasons[i] += " (" + string(w.Reason) + ")"
		}
		if w.Message != "" {
			reasons[i] += ": " + w.Message
		}
	}
	part.Why = "no statement of the gateway's policy allows it: " + strings.Join(reasons, "; ")
	part.Remedy = "gateway-grants describe " + gateway.ARN() + " shows what the grants wait for"
	if first := part.Waiting[0]; first.Phase == PhasePending {
		part.Remedy = "gateway-grants reconcile " + gateway.ARN()
	}
}

// depends says which conditions decide.
func (g Gateway) depends(part *Part, best, worst policy.Decision, q Question) {
	part.Reason = string(worst.Reason)
	if worst.Reason == policy.ExplicitDeny {
		g.name(part, worst, q)
		part.Why = fmt.Sprintf("%s of the gateway's policy denies it where %s", part.Statement, conditions(worst.Statement))
		return
	}
	g.name(part, best, q)
	part.Why = fmt.Sprintf("%s of the gateway's policy allows it%s only where %s", part.Statement, byGrants(part.Grants), conditions(best.Statement))
}

// callerPart is what the caller's own side says by itself.
func (g Gateway) callerPart(q Question) Part {
	if !q.Caller.Read {
		return Part{Verdict: Allowed, Assumed: true, Why: "the caller's identity policies and permissions boundary were not read: they are assumed to allow it"}
	}
	call, unknown := g.call(q)
	call.ResourcePolicy = nil // of its own account; otherwise the gateway's side is taken to allow
	if call.Caller.Account != g.World.Gateway.Gateway.Account() {
		call.ResourcePolicy = allowAll(&policy.Principals{Everyone: true})
	}
	best, worst := policy.EvaluatePartly(call, unknown...)
	part := Part{Verdict: verdict(best, worst), Reason: string(best.Reason)}
	found := best
	if part.Verdict == Depends && worst.Reason == policy.ExplicitDeny {
		found = worst
		part.Reason = string(worst.Reason)
	}
	switch {
	case part.Verdict == Allowed:
		part.Why = "the caller's own policies allow it"
	case found.Reason == policy.ExplicitDeny:
		part.Statement = q.Caller.statement(found)
		part.Why = part.Statement + " denies it"
		if part.Verdict == Depends {
			part.Why += " where " + conditions(found.Statement)
		}
		part.Remedy = "the caller's account has to remove or narrow that statement"
	case part.Verdict == Depends:
		part.Why = "a policy of the caller's allows it, or its permissions boundary does, only under conditions"
	case found.Reason == policy.NoBoundaryAllow:
		part.Why = "the permissions boundary " + q.Caller.Boundary.Name + " of the caller does not allow it"
		part.Remedy = "the caller's account has to add the statement to the boundary"
		part.Missing = CallerPolicy(g.World.Gateway.Gateway)
	default:
		part.Why = "no identity policy of the caller allows it"
		part.Remedy = "the caller's account has to attach a policy with this statement to " + q.Caller.Name
		part.Missing = CallerPolicy(g.World.Gateway.Gateway)
	}
	return part
}

// statement names the statement of the caller's side that decided.
func (c Caller) statement(d policy.Decision) string {
	statement := plan.Statement{Number: d.Index + 1, Sid: d.Statement.Sid}.String()
	if d.Source == policy.PermissionsBoundary {
		return statement + " of the permissions boundary " + c.Boundary.Name
	}
	if d.Policy < len(c.Policies) {
		return statement + " of the identity policy " + c.Policies[d.Policy].Name
	}
	return statement + " of the caller's policies"
}

// CallerPolicy is the identity policy that a caller of the gateway needs.
func CallerPolicy(gateway grant.Gateway) *policy.Document {
	return &policy.Document{Version: policy.Version2012, Statements: []policy.Statement{{
		Effect: policy.Allow, Action: []string{plan.Action}, Resource: []string{gateway.ARN()},
	}}}
}

func byGrants(keys []grant.Key) string {
	if len(keys) == 0 {
		return ""
	}
	ids := make([]string, len(keys))
	for i, key := range keys {
		ids[i] = key.ID
		if key.Gateway == grant.EveryGateway {
			ids[i] += " on *"
		}
	}
	return " by grant " + strings.Join(ids, ", ")
}

// conditions says in IAM's own terms when a statement applies.
func conditions(s *policy.Statement) string {
	var all []string
	for operator, keys := range s.Condition {
		for key, values := range keys {
			all = append(all, operator+" "+key+" "+strings.Join(values, " or "))
		}
	}
	slices.Sort(all)
	return strings.Join(all, " and ")
}
