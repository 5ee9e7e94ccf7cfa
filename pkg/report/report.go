// Package report is what is known of a deployment's access at a moment: who reaches
// which gateway and why, as one page and as rows. It is pure.
package report

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/access"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// Report is a deployment's access at a moment.
type Report struct {
	At           time.Time  `json:"at"`
	Installation string     `json:"installation"`
	Gateways     []Gateway  `json:"gateways"` // sorted by ARN
	Grants       []Grant    `json:"grants"`   // every row of the table, sorted by key
	Approvals    []Approval `json:"approvals"`
	// Names are those of accounts, by id, as far as the directory has them.
	Names map[string]string `json:"accountNames,omitempty"`
}

// Grant is a row of the table.
type Grant struct {
	Gateway     string `json:"gateway"`
	ID          string `json:"grant"`
	Principal   string `json:"principal"` // who is let in and how far, in words; "" for a row that cannot be understood
	Expires     string `json:"expires,omitempty"`
	Reason      string `json:"reason,omitempty"`
	RequestedBy string `json:"requestedBy,omitempty"`
	Source      string `json:"source,omitempty"`
}

// Gateway is one gateway: its policy in force, and what its grants say.
type Gateway struct {
	ARN           string      `json:"arn"`
	Unread        string      `json:"unread,omitempty"` // why nothing is known of it; "" where it could be read
	Code          grant.Code  `json:"code,omitempty"`   // why its policy may not be written
	Message       string      `json:"message,omitempty"`
	Pending       bool        `json:"pending,omitempty"` // a reconcile would write its policy
	Drift         bool        `json:"drift,omitempty"`
	Bytes         int         `json:"bytes"`
	MaxBytes      int         `json:"maxBytes"`
	Statements    int         `json:"statements"`
	MaxStatements int         `json:"maxStatements"`
	Access        []Access    `json:"access"`
	Attention     []Attention `json:"attention"`
	Foreign       []Statement `json:"foreign"`
	Changes       []Change    `json:"changes"` // the newest first
}

// Kind is where an access comes from, and whether it is in force.
type Kind string

// The kinds of access.
const (
	InForce   Kind = "granted"     // by this installation's statements
	ToAdd     Kind = "to be added" // by the next reconcile
	ToRemove  Kind = "to be ended" // in force, and ended by the next reconcile
	ByForeign Kind = "foreign"     // in force, by an Allow of others
	Denied    Kind = "denied"      // in the policy, and every call is denied, as by a Deny of others
)

// Access is who reaches the gateway, and because of what.
type Access struct {
	Principal string      `json:"principal"` // an ARN, or what else a foreign statement names
	Under     string      `json:"under,omitempty"`
	Kind      Kind        `json:"kind"`
	Grants    []grant.Key `json:"-"`
	Statement string      `json:"statement,omitempty"` // of others, by which it is let in
	Message   string      `json:"message,omitempty"`   // what else there is to know
	Expires   time.Time   `json:"expires,omitzero"`
}

// Attention is a grant that is not wholly in the policy, and why.
type Attention struct {
	Key     grant.Key   `json:"-"`
	Phase   grant.Phase `json:"phase"`
	Code    grant.Code  `json:"code"`
	Message string      `json:"message"`
	Since   time.Time   `json:"since,omitzero"`
}

// Statement is a statement that is not this installation's.
type Statement struct {
	Name   string `json:"name"`
	Effect string `json:"effect"`
	Who    string `json:"who"`
	Text   string `json:"text"` // as it stands in the policy
}

// Change is one write of the policy.
type Change struct {
	At       time.Time `json:"at"`
	Cause    string    `json:"cause"`
	By       string    `json:"by,omitempty"`
	PlanHash string    `json:"planHash,omitempty"`
	Outcome  string    `json:"outcome"`
	Gained   []string  `json:"gained,omitempty"`
	Lost     []string  `json:"lost,omitempty"`
}

// Approval is something that waits for an admin: a departure that is held, a role that was
// created again, or a takeover.
type Approval struct {
	ID      string    `json:"id"`
	What    string    `json:"what"`
	Account string    `json:"account,omitempty"` // of a departure
	Adds    []string  `json:"adds"`
	Removes []string  `json:"removes"`
	Grants  []string  `json:"grants"`
	Since   time.Time `json:"since,omitzero"`
}

// Accounts are the ids of the accounts that reach a gateway or wait for approval, each
// once, sorted.
func (r Report) Accounts() []string {
	var ids []string
	for _, g := range r.Gateways {
		for _, a := range g.Access {
			ids = append(ids, accountOf(a.Principal))
		}
	}
	for _, a := range r.Approvals {
		ids = append(ids, a.Account)
	}
	slices.Sort(ids)
	return slices.DeleteFunc(slices.Compact(ids), func(id string) bool { return id == "" })
}

// Of is a gateway as it was read, and as its plan has it.
func Of(read access.Gateway, limits plan.Limits) Gateway {
	p := read.Plan
	g := Gateway{
		ARN: read.World.Gateway.Gateway.ARN(), Pending: p.Write, Drift: p.Drift,
		Bytes: p.Size.Bytes, MaxBytes: limits.MaxBytes, Statements: p.Size.Statements, MaxStatements: limits.MaxStatements,
		Access: []Access{}, Attention: []Attention{}, Foreign: []Statement{}, Changes: []Change{},
	}
	if reason := cmp.Or(p.Blocked, p.Waits); reason != nil {
		g.Code, g.Message = reason.Code, reason.Hint
	}
	g.access(read)
	g.attention(p)
	g.foreign(p)
	return g
}

// access are those that the policy names, as package access judges them, and those that
// the next reconcile adds.
func (g *Gateway) access(read access.Gateway) {
	ending, adding := make(map[plan.Access]bool), make(map[plan.Access]bool)
	for _, change := range read.Plan.Changes {
		ending[change.Access] = ending[change.Access] || change.Verb == plan.Remove
		adding[change.Access] = adding[change.Access] || change.Verb == plan.Add
	}
	for _, l := range read.Callers() {
		lasting := l.Access
		lasting.Until = 0
		one := Access{Principal: l.Principal, Under: l.Under, Grants: l.Grants, Expires: l.Expires, Message: l.Message}
		switch {
		case !l.InPolicy && !adding[l.Access]:
			continue // it is left out, and needs attention
		case !l.InPolicy:
			one.Kind, one.Message = ToAdd, ""
		case l.Verdict == access.Denied:
			one.Kind = Denied
		case l.Foreign:
			one.Kind = ByForeign
		case ending[lasting] && read.Plan.Blocked == nil:
			one.Kind = ToRemove
		default:
			one.Kind = InForce
		}
		if l.Foreign {
			one.Statement = l.Statement.String()
		}
		g.Access = append(g.Access, one)
	}
}

func (g *Gateway) attention(p plan.Plan) {
	for _, key := range slices.SortedFunc(maps.Keys(p.Status), compareKeys) {
		status := p.Status[key]
		if status.Phase == grant.PhaseExpired || status.Phase == grant.PhaseAdmitted && status.Reason == "" {
			continue
		}
		g.Attention = append(g.Attention, Attention{key, status.Phase, status.Reason, status.Message, status.Since})
	}
}

func compareKeys(a, b grant.Key) int {
	return cmp.Or(cmp.Compare(a.Gateway, b.Gateway), cmp.Compare(a.ID, b.ID))
}

// foreign reads the statements of others.
func (g *Gateway) foreign(p plan.Plan) {
	if p.Problem.Base == nil {
		return
	}
	for i, s := range p.Problem.Base.Statements {
		if !p.Owns(s) {
			g.Foreign = append(g.Foreign, Statement{
				Name: plan.Statement{Number: i + 1, Sid: s.Sid}.String(), Effect: string(s.Effect), Who: strings.Join(named(s), ", "), Text: s.String(),
			})
		}
	}
}

// named lists the principals of a statement, as it writes them.
func named(s policy.Statement) []string {
	if s.NotPrincipal != nil {
		return []string{"everyone but " + strings.Join(principals(s.NotPrincipal), ", ")}
	}
	if s.Principal == nil {
		return nil
	}
	return principals(s.Principal)
}

func principals(who *policy.Principals) []string {
	var all []string
	if who.Everyone {
		all = append(all, "*")
	}
	for _, text := range who.AWS {
		if arn, ok := policy.ParseAWSPrincipal(text, "aws"); ok && policy.IsAccountID(text) {
			text = arn.ARN.String()
		}
		all = append(all, text)
	}
	all = append(all, who.Service...)
	all = append(all, who.Federated...)
	return append(all, who.CanonicalUser...)
}

// Written is a change of a gateway's policy from one document to another, as a journal
// has them; "" for none. Who gained and lost is empty where a text is no policy.
func Written(change Change, observed, written string) Change {
	before, after := mentioned(observed), mentioned(written)
	change.Gained, change.Lost = without(after, before), without(before, after)
	return change
}

// mentioned are the principals of a policy's Allows, and the callers that they compare
// ARNs with.
func mentioned(text string) []string {
	document, err := policy.Parse([]byte(text))
	if err != nil {
		return nil
	}
	var all []string
	for _, s := range document.Statements {
		if s.Effect != policy.Allow {
			continue
		}
		all = append(all, named(s)...)
		for _, keys := range s.Condition {
			for key, values := range keys {
				if strings.EqualFold(key, "aws:PrincipalArn") {
					all = append(all, values...)
				}
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func without(list, others []string) []string {
	var left []string
	for _, text := range list {
		if _, has := slices.BinarySearch(others, text); !has {
			left = append(left, text)
		}
	}
	return left
}

// Unread is a gateway of which nothing is known, for the reason.
func Unread(gateway grant.Gateway, why string) Gateway {
	return Gateway{
		ARN: gateway.ARN(), Unread: why,
		Access: []Access{}, Attention: []Attention{}, Foreign: []Statement{}, Changes: []Change{},
	}
}
