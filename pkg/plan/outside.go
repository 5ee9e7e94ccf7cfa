package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// Outside is what statements of others do, which no grant can change: an explicit
// Deny goes before every Allow, and an Allow for everyone makes grants needless.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
type Outside struct {
	Denials []Denial    // of what is admitted, in the policy's order
	Opens   []Statement // Allows for everyone, without a condition, that no Deny takes back
}

// Open names the first Allow of others that opens the gateway; "" for none.
func (o Outside) Open() string {
	if len(o.Opens) == 0 {
		return ""
	}
	return o.Opens[0].String()
}

// OpenMessage says what it means that a statement opens a gateway, and what to do.
func OpenMessage(statement string) string {
	return statement + " of the policy, which is not this installation's, lets in every caller whose own account allows the call, whatever the grants say: remove it, or narrow it by a condition"
}

// noticeOpen reports once that a foreign statement opens the gateway.
func (o Outside) noticeOpen(world World) []Notice {
	if o.Open() == "" || o.Open() == world.Gateway.Recorded.Gateway.Open {
		return nil
	}
	arn, first := world.Gateway.Gateway.ARN(), o.Opens[0]
	return []Notice{{Type: GatewayOpen, Gateway: arn, Detail: OpenDetail{
		Gateway: arn, Statement: first.Number, Sid: first.Sid, Message: OpenMessage(first.String()),
	}}}
}

// repaired is for the people who changed the policy and find our statements back: what
// it means for a Deny that is to contain an incident, and
// that statements of others are not ours to put back.
func (o Outside) repaired() string {
	const ours = "only this installation's statements were put back, those of others stand or fall with who writes them"
	for _, denial := range o.Denials {
		if len(denial.Wholly) > 0 {
			return ours + "; " + denial.String() + " goes on denying every call of " + strings.Join(denial.Wholly[:1], "") + andMore(len(denial.Wholly)-1) +
				": when it is removed, or the whole policy is deleted, the grants let their callers in again, so revoke the grants of those that must stay out"
		}
	}
	return ours
}

func andMore(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n)
}

// Statement names a statement of a policy.
type Statement struct {
	Number int    // its place, from 1
	Sid    string // "" for none
}

// String is statement 2, with the Sid where there is one.
func (s Statement) String() string {
	if s.Sid == "" {
		return fmt.Sprintf("statement %d", s.Number)
	}
	return fmt.Sprintf("statement %d (Sid %q)", s.Number, s.Sid)
}

// Denial is a Deny of others that stops principals who are admitted.
type Denial struct {
	Statement

	Wholly []string // every call of these, by ARN, sorted
	Partly []string // some of their calls, by the statement's conditions or principals
}

// stop is the Deny that goes furthest against an access.
type stop struct {
	by    Statement
	reach policy.Reach // Always or Sometimes
}

// outside reads what statements of others in the document mean for the accesses.
func outside(document *policy.Document, c compiler, admitted map[Access]bool) (Outside, map[Access]stop) {
	var found Outside
	stops := make(map[Access]stop)
	if document == nil {
		return found, stops
	}
	closed, stranger := false, c.call(stranger(c))
	for i, s := range document.Statements {
		if s.Effect != policy.Deny {
			continue
		}
		closed = closed || document.Reach(i, stranger, callersOwn...) == policy.Always
		if denial := c.denial(document, i, admitted, stops); len(denial.Wholly)+len(denial.Partly) > 0 {
			found.Denials = append(found.Denials, denial)
		}
	}
	for i, s := range document.Statements {
		if s.Effect == policy.Allow && !closed && document.Reach(i, stranger, callersOwn...) == policy.Always {
			found.Opens = append(found.Opens, Statement{Number: i + 1, Sid: s.Sid})
		}
	}
	return found, stops
}

// denial lists the accesses that the Deny at an index stops, and keeps in stops which
// Deny goes furthest against each. No statement of ours is a Deny.
func (c compiler) denial(document *policy.Document, index int, admitted map[Access]bool, stops map[Access]stop) Denial {
	denial := Denial{Statement: Statement{Number: index + 1, Sid: document.Statements[index].Sid}}
	for a := range admitted {
		reach := c.reach(document, index, a)
		switch reach {
		case policy.Always:
			denial.Wholly = append(denial.Wholly, a.Who.String())
		case policy.Sometimes:
			denial.Partly = append(denial.Partly, a.Who.String())
		case policy.Never:
		}
		if stops[a].reach < reach {
			stops[a] = stop{denial.Statement, reach}
		}
	}
	denial.Wholly, denial.Partly = sortedOnce(denial.Wholly), sortedOnce(denial.Partly)
	return denial
}

func sortedOnce(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// stranger is a caller that no statement names.
func stranger(c compiler) policy.Caller {
	return policy.Role(policy.IAMARN{Partition: c.partition, Account: outsider, Resource: "role/gateway-grants/Stranger"}.String(), "probe")
}

// callersOwn are the keys that differ among the callers that one access lets in.
var callersOwn = []string{"aws:PrincipalArn", "aws:PrincipalType", "aws:userid", "aws:username"}

// call is a call of the gateway of which only the caller is known, and that it
// comes by HTTPS, as all do.
func (c compiler) call(who policy.Caller) policy.Call {
	return policy.Call{
		Caller: who, Action: Action, Resource: c.resource,
		Context: map[string][]string{"aws:SecureTransport": {"true"}},
	}
}

// reach is how far a statement applies to the calls that an access admits.
func (c compiler) reach(document *policy.Document, index int, a Access) policy.Reach {
	unknown := callersOwn
	if !a.Who.IsRoot() && !strings.ContainsAny(a.Who.Resource, "*?") {
		unknown = []string{"aws:userid"}
	}
	call := c.call(caller(a.Who))
	for key, list := range a.Where.lists() {
		if list != "" && !strings.ContainsAny(list, ",/") {
			call.Context[key] = []string{list}
		}
	}
	reach := document.Reach(index, call, unknown...)
	if reach == policy.Never && namesOne(document.Statements[index].Principal, a.Who) {
		return policy.Sometimes
	}
	return reach
}

// namesOne reports whether the principals name one of those that the ARN means: a
// role or user in it, or a session of its role.
func namesOne(principals *policy.Principals, who policy.IAMARN) bool {
	return principals != nil && slices.ContainsFunc(principals.AWS, func(named string) bool {
		if other, ok := policy.ParseIAMARN(named); ok {
			return other.Account == who.Account && !other.IsRoot() && (who.IsRoot() || glob(who.Resource, other.Resource))
		}
		session, ok := policy.ParseSessionARN(named)
		if !ok || session.Partition != who.Partition || session.Account != who.Account {
			return false
		}
		pattern := who.Resource[strings.LastIndexByte(who.Resource, '/')+1:]
		return who.IsRoot() || strings.HasPrefix(who.Resource, "role/") && glob(pattern, session.Role)
	})
}

// denied says by which Deny of others an admitted grant's calls are refused all the
// same; "" for by none.
func (c claim) denied(v verdict) (grant.Code, string) {
	var wholly, partly int
	var by Statement
	for _, a := range c.accesses {
		switch stopped := v.stops[a]; stopped.reach {
		case policy.Always:
			wholly++
			by = stopped.by
		case policy.Sometimes:
			partly++
			if wholly == 0 {
				by = stopped.by
			}
		case policy.Never:
		}
	}
	switch {
	case wholly == len(c.accesses):
		return grant.CodeForeignDeny, "a Deny that is not this installation's refuses every call: " + by.String() + " of the policy"
	case wholly > 0:
		return grant.CodeForeignDenyPartly, fmt.Sprintf("a Deny that is not this installation's refuses every call of %d of %d principals: %s of the policy", wholly, len(c.accesses), by)
	case partly > 0:
		return grant.CodeForeignDenyPartly, "a Deny that is not this installation's refuses some calls, by its conditions or principals: " + by.String() + " of the policy"
	default:
		return "", ""
	}
}
