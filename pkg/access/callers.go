package access

import (
	"slices"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// Listed is one principal that a gateway's policy names, or that a grant would let
// in. What its own side says is not part of it.
type Listed struct {
	Principal string // as an ARN, "*" for everyone, or what the grant names
	Account   string // "" for none or many
	Access    plan.Access
	Verdict   Verdict // of the gateway's side
	InPolicy  bool
	Statement plan.Statement // zero where it is not in the policy
	Foreign   bool           // the statement is not this installation's
	Under     string         // conditions, in words; "" for none
	Grants    []grant.Key
	Expires   time.Time  // when the last of the grants ends; zero for never
	Reason    grant.Code // why it is not, or not wholly, let in
	Message   string
}

// Callers lists who may call the gateway as its policy stands, and behind them the
// principals that grants mean and that are not in it, with the reason.
func (g Gateway) Callers() []Listed {
	gateway, document := g.World.Gateway.Gateway, g.World.Gateway.Policy
	var all []Listed
	for _, entry := range plan.Entries(gateway, document, g.Installation) {
		reach := plan.Reach(gateway, document, entry.Number-1, entry.Access)
		understood := entry.Owned && entry.Access != plan.Access{}
		if reach == policy.Never && !understood {
			continue
		}
		listed := Listed{
			Principal: entry.Principal, Account: entry.Access.Who.Account, Access: entry.Access,
			Verdict: Allowed, InPolicy: true, Statement: entry.Statement, Foreign: !entry.Owned,
		}
		if understood {
			listed.Under, listed.Grants = entry.Access.Describe(), g.because(entry.Access)
			listed.Expires = g.end(listed.Grants)
		} else {
			listed.Under = conditions(&document.Statements[entry.Number-1])
			if reach == policy.Sometimes {
				listed.Verdict = Depends
			}
		}
		g.against(&listed)
		all = append(all, listed)
	}
	return append(all, g.outside()...)
}

// against says what refuses calls of a principal that the policy names.
func (g Gateway) against(l *Listed) {
	if until := l.Access.Until; until != 0 && g.World.Now.Unix() >= until {
		l.Verdict, l.Message = Denied, "it expired"
		return
	}
	document := g.World.Gateway.Policy
	for i, s := range document.Statements {
		if s.Effect != policy.Deny {
			continue
		}
		by := plan.Statement{Number: i + 1, Sid: s.Sid}.String()
		switch plan.Reach(g.World.Gateway.Gateway, document, i, l.Access) {
		case policy.Always:
			l.Verdict, l.Reason, l.Message = Denied, grant.CodeForeignDeny, by+" denies every call"
			return
		case policy.Sometimes:
			l.Verdict, l.Reason, l.Message = Depends, grant.CodeForeignDenyPartly, by+" denies some calls, by its conditions or principals"
		case policy.Never:
		}
	}
}

// outside are the principals that grants mean and that the policy does not name.
func (g Gateway) outside() []Listed {
	var all []Listed
	for _, change := range g.Plan.Changes {
		listed := Listed{
			Principal: change.Principal, Account: change.Access.Who.Account, Access: change.Access,
			Verdict: Denied, Under: change.Under, Grants: change.Grants, Expires: g.end(change.Grants),
			Reason: change.Reason, Message: change.Message,
		}
		switch change.Verb {
		case plan.Add:
			listed.Message = "it is not in the policy yet"
		case plan.LeaveOut:
		case plan.Keep, plan.Remove:
			continue
		}
		all = append(all, listed)
	}
	return all
}

// end is when the last of the grants ends; zero for never.
func (g Gateway) end(keys []grant.Key) time.Time {
	var end time.Time
	for _, row := range g.World.Rows {
		if row.Grant == nil || !slices.Contains(keys, row.Key) {
			continue
		}
		if row.Grant.Expires.IsZero() {
			return time.Time{}
		}
		if row.Grant.Expires.After(end) {
			end = row.Grant.Expires
		}
	}
	return end
}
