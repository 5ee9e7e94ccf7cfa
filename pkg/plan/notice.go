package plan

import (
	"cmp"
	"slices"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// NoticeType is the detail-type of an event on the bus.
type NoticeType string

// The notices of a reconcile.
const (
	PolicyApplied      NoticeType = "Policy Applied"
	DriftRepaired      NoticeType = "Drift Repaired"
	PolicyNotApplied   NoticeType = "Policy Not Applied"
	GrantQuarantined   NoticeType = "Grant Quarantined"
	PolicyFull         NoticeType = "Policy Full"
	GrantInvalid       NoticeType = "Grant Invalid"
	GrantExpiring      NoticeType = "Grant Expiring"
	OverwrittenByOther NoticeType = "Overwritten By Other"
	GatewayOpen        NoticeType = "Gateway Open"
	DeparturesHeld     NoticeType = "Departures Held" // of the directory, which concerns every gateway
	RowsRemoved        NoticeType = "Rows Removed"    // of the grants table, which concerns every gateway
)

// Notice is an event for people and their tools: something changed or needs
// attention. It never drives the product itself.
type Notice struct {
	Type    NoticeType
	Gateway string // ARN
	Detail  any    // encodes to a JSON object
}

// AppliedDetail is the detail of Policy Applied and of Drift Repaired.
type AppliedDetail struct {
	Gateway     string   `json:"gateway"`
	PlanHash    string   `json:"planHash"` // "none" where nothing of ours is left
	Bytes       int      `json:"bytes"`
	Statements  int      `json:"statements"`
	Added       []string `json:"added"`
	Removed     []string `json:"removed"`
	Cause       string   `json:"cause"`
	By          string   `json:"by,omitempty"`          // ARN of who did what led to it, where CloudTrail recorded it
	Interrupted []string `json:"interrupted,omitempty"` // principals that were out, or still are, while bad ones are looked for
	Message     string   `json:"message,omitempty"`     // of Drift Repaired: what of the policy was not put back
}

// NotAppliedDetail is the detail of Policy Not Applied: what the grants ask for, and
// the deployment's mode keeps from being written.
type NotAppliedDetail struct {
	Gateway  string     `json:"gateway"`
	PlanHash string     `json:"planHash"` // "none" where nothing of ours would be left
	Added    []string   `json:"added"`
	Removed  []string   `json:"removed"`
	Reason   grant.Code `json:"reason"`
	Message  string     `json:"message"`
}

// GrantDetail is the detail of Grant Quarantined, of Policy Full and of Grant
// Invalid: a grant that is newly not, or not wholly, in the policy, or a row that
// newly cannot be understood.
type GrantDetail struct {
	Gateway string     `json:"gateway"`
	Scope   string     `json:"scope"` // the gateway's ARN or "*", as the row says
	Grant   string     `json:"grant"`
	Reason  grant.Code `json:"reason"`
	Message string     `json:"message"`
}

// ExpiringDetail is the detail of Grant Expiring: a live grant that ends within a
// week.
type ExpiringDetail struct {
	Gateway   string `json:"gateway"`
	Scope     string `json:"scope"` // the gateway's ARN or "*", as the row says
	Grant     string `json:"grant"`
	Principal string `json:"principal"` // as the row says
	Expires   string `json:"expires"`   // RFC 3339
}

// OverwrittenDetail is the detail of OverwrittenByOther.
type OverwrittenDetail struct {
	Gateway string `json:"gateway"`
	Times   int    `json:"times"`  // our statements were changed by others in a row
	Likely  string `json:"likely"` // who changes them, as far as the change shows
	By      string `json:"by,omitempty"`
	Until   string `json:"until"` // when they are put back again, RFC 3339
}

// OpenDetail is the detail of Gateway Open: a statement of others lets in every
// caller whose own account allows it, whatever the grants say.
type OpenDetail struct {
	Gateway   string `json:"gateway"`
	Statement int    `json:"statement"`     // its place in the policy, from 1
	Sid       string `json:"sid,omitempty"` // left out where it has none
	Message   string `json:"message"`
}

// DeparturesDetail is the detail of Departures Held: accounts that would have
// lost access, and keep it until an admin approves.
type DeparturesDetail struct {
	Gateway  string   `json:"gateway"`  // "*"
	Accounts []string `json:"accounts"` // newly held, 100 at most
	Held     int      `json:"held"`     // how many these are altogether
	Since    string   `json:"since"`    // RFC 3339
	Message  string   `json:"message"`
}

// RowsRemovedDetail is the detail of Rows Removed: so many rows were removed within
// minutes that it may be an accident.
type RowsRemovedDetail struct {
	Gateway string `json:"gateway"` // "*"
	Removed int    `json:"removed"`
	Rows    int    `json:"rows"`  // that there were before
	Since   string `json:"since"` // RFC 3339
	Message string `json:"message"`
}

// noticed is the type of notice that a status causes, "" for none.
func noticed(status grant.Status) NoticeType {
	if status.Phase == grant.PhaseInvalid {
		return GrantInvalid
	}
	return noticeOf[status.Reason]
}

var noticeOf = map[grant.Code]NoticeType{
	grant.CodePolicyFull:    PolicyFull,
	grant.CodeQuarantined:   GrantQuarantined,
	grant.CodePolicyRefused: GrantQuarantined,
	grant.CodeRecreated:     GrantQuarantined,
	grant.CodeProofFailed:   GrantQuarantined,
}

// expiringWithin is how long before the end of a grant a notice says so.
const expiringWithin = 7 * 24 * time.Hour

// expiring reports whether the row is a grant that ends soon.
func expiring(row grant.Row, now time.Time) bool {
	return row.Fault == nil && row.Grant.Live(now) && !row.Grant.Expires.IsZero() && row.Grant.Expires.Sub(now) <= expiringWithin
}

// noticeExpiring is one notice for each grant that ends soon. A row that was written for
// less than that needs none.
func (p Plan) noticeExpiring(world World) []Notice {
	arn := world.Gateway.Gateway.ARN()
	var all []Notice
	for _, row := range world.Rows {
		if !expiring(row, world.Now) {
			continue
		}
		if recorded, known := world.Gateway.Recorded.Grants[row.Key]; known && !recorded.Expiring {
			all = append(all, Notice{Type: GrantExpiring, Gateway: arn, Detail: ExpiringDetail{
				Gateway: arn, Scope: row.Gateway, Grant: row.ID,
				Principal: row.Grant.Principal.String(), Expires: row.Grant.Expires.UTC().Format(time.RFC3339),
			}})
		}
		status := p.Status[row.Key]
		status.Expiring = true
		p.Status[row.Key] = status
	}
	return all
}

// notices are for the grants that newly have a reason which calls for a person.
func notices(world World, p Plan) []Notice {
	arn := world.Gateway.Gateway.ARN()
	var keys []grant.Key
	for key, status := range p.Status {
		if noticed(status) != "" && world.Gateway.Recorded.Grants[key].Reason != status.Reason {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b grant.Key) int { return cmp.Or(cmp.Compare(a.Gateway, b.Gateway), cmp.Compare(a.ID, b.ID)) })
	var all []Notice
	for _, key := range keys {
		status := p.Status[key]
		all = append(all, Notice{Type: noticed(status), Gateway: arn, Detail: GrantDetail{
			Gateway: arn, Scope: key.Gateway, Grant: key.ID, Reason: status.Reason, Message: status.Message,
		}})
	}
	return all
}

// notApplied reports a plan that is not written, once: the record of the last run
// names the plan.
func (p Plan) notApplied(world World) []Notice {
	if p.NotApplied == nil || world.Gateway.Recorded.Gateway.LastMessage == p.Blocked.Hint {
		return nil
	}
	arn := world.Gateway.Gateway.ARN()
	return []Notice{{Type: PolicyNotApplied, Gateway: arn, Detail: NotAppliedDetail{
		Gateway: arn, PlanHash: p.NotApplied.Hash, Added: p.NotApplied.Added, Removed: p.NotApplied.Removed,
		Reason: p.Blocked.Code, Message: p.Blocked.Hint,
	}}}
}

// Since says what happened between an earlier plan and this one, which found it
// settled.
func (p Plan) Since(first Plan) []Change {
	stood, because := setOf(first.Observed), make(map[Access][]grant.Key)
	in := make(map[Access]bool)
	var net []Change
	for _, c := range p.Changes {
		because[c.Access] = c.Grants
		switch {
		case c.Verb == Remove: // it is counted from what stood first
		case c.Verb != LeaveOut && stood[c.Access]:
			c.Verb, in[c.Access] = Keep, true
			net = append(net, c)
		case c.Verb != LeaveOut:
			c.Verb, in[c.Access] = Add, true
			net = append(net, c)
		default:
			net = append(net, c)
		}
	}
	for a := range stood {
		if !in[a] {
			net = append(net, Change{Verb: Remove, Access: a, Principal: a.Who.String(), Under: a.describe(), Grants: because[a]})
		}
	}
	for _, c := range first.Changes {
		if c.Verb == Remove && c.Access == (Access{}) { // what was no access of ours
			net = append(net, c)
		}
	}
	slices.SortFunc(net, compareChange)
	return net
}

// Applied are the notices of writes that led from what the first plan observed to
// what this one found settled; none where they came to nothing, as when a
// principal was tried again without success. Detail holds what the caller knows besides.
func (p Plan) Applied(first Plan, detail AppliedDetail) []Notice {
	net := p.Since(first)
	detail.PlanHash = p.Hash
	detail.Bytes, detail.Statements = p.Size.Bytes, p.Size.Statements
	detail.Added, detail.Removed = principals(net, Add), principals(net, Remove)
	if len(detail.Added)+len(detail.Removed)+len(detail.Interrupted) == 0 && !first.Drift {
		return nil
	}
	all := []Notice{{Type: PolicyApplied, Gateway: detail.Gateway, Detail: detail}}
	if first.Drift {
		detail.Message = p.Outside.repaired()
		all = append(all, Notice{Type: DriftRepaired, Gateway: detail.Gateway, Detail: detail})
	}
	return all
}

// Interrupted is the notice of a search for bad principals that did not end: the
// policy in force leaves out principals of the detail that had access.
func (p Plan) Interrupted(inForce *policy.Document, detail AppliedDetail) []Notice {
	owned := p.Problem.owned(inForce)
	detail.PlanHash = hash(owned.accesses, owned.strange)
	size := p.Problem.compiler().meter().measure(inForce)
	detail.Bytes, detail.Statements = size.Bytes, size.Statements
	detail.Added, detail.Removed = []string{}, []string{}
	return []Notice{{Type: PolicyApplied, Gateway: detail.Gateway, Detail: detail}}
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
