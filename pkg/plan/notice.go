package plan

import (
	"cmp"
	"slices"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// NoticeType is the detail-type of an event on the bus.
type NoticeType string

// The notices of a plan.
const (
	PolicyApplied NoticeType = "Policy Applied"
	DriftRepaired NoticeType = "Drift Repaired"
	PolicyFull    NoticeType = "Policy Full"
)

// Notice is an event for people and their tools: something changed or wants
// attention. It never drives the product itself.
type Notice struct {
	Type    NoticeType
	Gateway string // ARN
	Detail  any    // encodes to a JSON object
}

// AppliedDetail is the detail of Policy Applied and of Drift Repaired.
type AppliedDetail struct {
	Gateway    string   `json:"gateway"`
	PlanHash   string   `json:"planHash"` // "none" where nothing of ours is left
	Bytes      int      `json:"bytes"`
	Statements int      `json:"statements"`
	Added      []string `json:"added"`
	Removed    []string `json:"removed"`
}

// FullDetail is the detail of Policy Full: a grant that newly lacks room.
type FullDetail struct {
	Gateway string `json:"gateway"`
	Scope   string `json:"scope"` // the gateway's ARN or "*", as the row says
	Grant   string `json:"grant"`
	Message string `json:"message"`
	Bytes   int    `json:"bytes"`
}

// notices are those of the write, if there is one; what lacks room is told by
// the plan that finds the policy settled.
func notices(world World, p Plan) []Notice {
	arn := world.Gateway.Gateway.ARN()
	var all []Notice
	if p.Write {
		detail := AppliedDetail{
			Gateway: arn, PlanHash: p.Hash, Bytes: p.Size.Bytes, Statements: p.Size.Statements,
			Added: principals(p.Changes, Add), Removed: principals(p.Changes, Remove),
		}
		all = append(all, Notice{Type: PolicyApplied, Gateway: arn, Detail: detail})
		if p.Drift {
			all = append(all, Notice{Type: DriftRepaired, Gateway: arn, Detail: detail})
		}
		return all
	}
	for key, status := range p.Status {
		if status.Reason == grant.CodePolicyFull && world.Gateway.Recorded.Grants[key].Reason != grant.CodePolicyFull {
			all = append(all, Notice{Type: PolicyFull, Gateway: arn, Detail: FullDetail{
				Gateway: arn, Scope: key.Gateway, Grant: key.ID, Message: status.Message, Bytes: p.Size.Bytes,
			}})
		}
	}
	slices.SortFunc(all, func(a, b Notice) int {
		left, right := a.Detail.(FullDetail), b.Detail.(FullDetail)
		return cmp.Or(cmp.Compare(left.Scope, right.Scope), cmp.Compare(left.Grant, right.Grant))
	})
	return all
}

func principals(changes []Change, verb Verb) []string {
	list := []string{}
	for _, c := range changes {
		if c.Verb == verb {
			list = append(list, c.Principal)
		}
	}
	return slices.Compact(list)
}
