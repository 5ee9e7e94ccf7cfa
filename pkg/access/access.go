// Package access says who may call a gateway and why, or what is missing and on
// which side, from what was read of the gateway and of the caller. It is pure.
//
// A call from another account needs two yeses: of the gateway's resource policy and
// of the caller's own policies.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html
package access

import (
	"maps"
	"strconv"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// Verdict says what becomes of a call.
type Verdict string

// The verdicts.
const (
	Allowed Verdict = "Allowed"
	Denied  Verdict = "Denied"
	Depends Verdict = "Depends" // on what is not known of the call, such as where it comes from
)

// Side is one of the two that have to allow a call.
type Side string

// The sides.
const (
	GatewaySide Side = "gateway" // the gateway's resource policy, which follows the grants
	CallerSide  Side = "caller"  // the identity policies, the boundary and the service control policies of the caller
)

// Gateway is a gateway as it was read, and the plan that was made of that.
type Gateway struct {
	World        plan.World
	Plan         plan.Plan
	Installation string
	Unread       Unread
}

// Unread is what may not be read of a gateway. The rest of its World stands, and its
// Plan is empty.
type Unread uint8

// What may not be read.
const (
	UnreadNothing Unread = iota
	UnreadGrants         // the tables: the policy alone is known
	UnreadPolicy         // the policy, either
)

// Policy is a policy of the caller's, by its name.
type Policy struct {
	Name     string
	Document *policy.Document
}

// Caller is who would call, with what is known of its own side.
type Caller struct {
	policy.Caller

	Name string // as an admin would write it in a grant

	// Read says that Policies and Boundary were read. Where they were not, they are
	// assumed to allow the call; service control policies always are.
	Read     bool
	Policies []Policy
	Boundary *Policy // nil for none

	AnySession bool // no session is named: the caller is any one of the role
}

// Place is where a call comes from; the zero Place is not known.
type Place struct{ IP, VPCE, VPC string }

// context are the condition keys that the place gives a value, and those that it
// then lacks: a call over the internet has no endpoint, one through an endpoint no
// public address.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-sourceip
func (p Place) context() map[string][]string {
	if p == (Place{}) {
		return nil
	}
	context := map[string][]string{"aws:SourceIp": nil, "aws:SourceVpce": nil, "aws:SourceVpc": nil, "aws:VpcSourceIp": nil}
	for key, value := range map[string]string{"aws:SourceIp": p.IP, "aws:SourceVpce": p.VPCE, "aws:SourceVpc": p.VPC} {
		if value != "" {
			context[key] = []string{value}
		}
	}
	if p.VPCE != "" || p.VPC != "" {
		delete(context, "aws:VpcSourceIp")
	}
	return context
}

// Question is a call that a principal would make.
type Question struct {
	Caller       Caller
	From         Place
	Organization string // that the caller's account is known to be in; "" for not known
}

// call is the question as far as everything is known, and the keys that are not.
func (g Gateway) call(q Question) (call policy.Call, unknown []string) {
	now := g.World.Now.UTC().Format(time.RFC3339)
	call = policy.Call{
		Caller: q.Caller.Caller, Action: plan.Action, Resource: g.World.Gateway.Gateway.ARN(),
		ResourcePolicy: g.World.Gateway.Policy, Identity: q.Caller.documents(), Boundary: q.Caller.boundary(),
		Context: map[string][]string{
			"aws:SecureTransport": {"true"}, "aws:CurrentTime": {now}, "aws:EpochTime": {strconv.FormatInt(g.World.Now.Unix(), 10)},
			"aws:RequestedRegion": {g.World.Gateway.Gateway.Region()}, "aws:ViaAWSService": {"false"},
		},
	}
	maps.Copy(call.Context, q.From.context())
	if q.Organization != "" {
		call.Context["aws:PrincipalOrgID"] = []string{q.Organization}
	}
	if q.Caller.AnySession {
		unknown = append(unknown, "aws:userid")
	}
	return call, unknown
}

// allowAll is what a side is assumed to say that was not read.
func allowAll(principal *policy.Principals) *policy.Document {
	return &policy.Document{Version: policy.Version2012, Statements: []policy.Statement{{
		Effect: policy.Allow, Principal: principal, Action: []string{"*"}, Resource: []string{"*"},
	}}}
}

func (c Caller) documents() []*policy.Document {
	if !c.Read {
		return []*policy.Document{allowAll(nil)}
	}
	documents := make([]*policy.Document, len(c.Policies))
	for i, named := range c.Policies {
		documents[i] = named.Document
	}
	return documents
}

func (c Caller) boundary() *policy.Document {
	if c.Boundary == nil {
		return nil
	}
	return c.Boundary.Document
}

// verdict is what two decisions of a call that is known in part come to.
func verdict(best, worst policy.Decision) Verdict {
	switch {
	case worst.Allowed:
		return Allowed
	case best.Allowed:
		return Depends
	default:
		return Denied
	}
}

func sideOf(d policy.Decision) Side {
	if d.Source == policy.ResourcePolicy {
		return GatewaySide
	}
	return CallerSide
}

// Standing is a grant that means a caller, and what keeps it from letting the
// caller in.
type Standing struct {
	Key     grant.Key
	Phase   grant.Phase
	Reason  grant.Code
	Message string
}
