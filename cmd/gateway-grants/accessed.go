package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/access"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
)

// callerRow is one principal that a gateway's policy names, or that a grant means.
type callerRow struct {
	Gateway   string         `json:"gateway"`
	Principal string         `json:"principal"` // "*" for everyone
	Account   string         `json:"account,omitempty"`
	Name      string         `json:"accountName,omitempty"`
	Access    access.Verdict `json:"access"` // of the gateway's side; the caller's own has to allow as well
	InPolicy  bool           `json:"inPolicy"`
	Grants    []string       `json:"grants,omitempty"`
	Statement int            `json:"statement,omitempty"` // its place in the policy, from 1
	Sid       string         `json:"sid,omitempty"`
	Foreign   bool           `json:"foreign,omitempty"` // the statement is not this installation's
	Under     string         `json:"under,omitempty"`   // conditions, in words
	Expires   string         `json:"expires,omitempty"`
	Reason    grant.Code     `json:"reason,omitempty"`
	Message   string         `json:"message,omitempty"`
}

func callerRowOf(gateway grant.Gateway, l access.Listed) callerRow {
	row := callerRow{
		Gateway: gateway.ARN(), Principal: l.Principal, Account: l.Account, Access: l.Verdict, InPolicy: l.InPolicy,
		Statement: l.Statement.Number, Sid: l.Statement.Sid, Foreign: l.Foreign, Under: l.Under, Expires: moment(l.Expires),
		Reason: l.Reason, Message: l.Message,
	}
	for _, key := range l.Grants {
		row.Grants = append(row.Grants, key.String())
	}
	return row
}

// by says because of what the principal is let in.
func (row callerRow) by() string {
	if row.Foreign {
		return plan.Statement{Number: row.Statement, Sid: row.Sid}.String() + ", foreign"
	}
	ids := make([]string, len(row.Grants))
	for i, key := range row.Grants {
		gateway, id, _ := strings.Cut(key, "#")
		ids[i] = id
		if gateway == grant.EveryGateway {
			ids[i] += " on *"
		}
	}
	if len(ids) == 0 {
		return ""
	}
	return "grant " + strings.Join(ids, ", ")
}

func (row callerRow) why() string {
	if row.Reason == "" {
		return row.Message
	}
	return strings.TrimSuffix(string(row.Reason)+": "+row.Message, ": ")
}

// list shows who may call the gateways.
func (r *accessing) list(ctx context.Context, concerned []grant.Gateway) error {
	var rows []callerRow
	var notes []string
	if err := r.each(ctx, concerned, func(g access.Gateway) {
		gateway := g.World.Gateway.Gateway
		for _, l := range g.Callers() {
			rows = append(rows, callerRowOf(gateway, l))
		}
		if authorizer := g.World.Gateway.Authorizer; authorizer != "AWS_IAM" {
			notes = append(notes, gateway.ID()+" authorizes callers by "+authorizer+", so that its policy does not decide")
		}
	}); err != nil {
		return err
	}
	if err := r.name(ctx, rows); err != nil {
		return err
	}
	paint := r.paint(r.out)
	err := printRows(r.program, rows, "No principal of another account may call it.", []column[callerRow]{
		{name: "GATEWAY", text: func(row callerRow) string { return shortGateway(row.Gateway) }},
		{name: "PRINCIPAL", text: func(row callerRow) string { return row.Principal }},
		{name: "NAME", text: func(row callerRow) string { return row.Name }, optional: true},
		{name: "ACCESS", text: func(row callerRow) string { return string(row.Access) }, paint: func(row callerRow, text string) string { return paint.verdict(row.Access, text) }},
		{name: "BY", text: callerRow.by},
		{name: "UNDER", text: func(row callerRow) string { return row.Under }},
		{name: "EXPIRES", text: func(row callerRow) string { return row.Expires }},
		{name: "WHY", text: callerRow.why},
	})
	if err != nil {
		return err
	}
	for _, note := range notes {
		r.note(note)
	}
	return r.end()
}

// name adds the names of the callers' accounts.
func (r *accessing) name(ctx context.Context, rows []callerRow) error {
	var ids []string
	for _, row := range rows {
		ids = append(ids, row.Account)
	}
	names, err := r.accountNames(ctx, r.directory, ids)
	for i := range rows {
		rows[i].Name = names[rows[i].Account]
	}
	return err
}

func (p paint) verdict(v access.Verdict, text string) string {
	switch v {
	case access.Allowed:
		return p.green(text)
	case access.Denied:
		return p.red(text)
	default:
		return p.yellow(text)
	}
}

// answerText is what becomes of a call, for other programs.
type accessText struct {
	Gateway     string         `json:"gateway"`
	Principal   string         `json:"principal"`
	AccountName string         `json:"accountName,omitempty"`
	Access      access.Verdict `json:"access"`
	Side        access.Side    `json:"side,omitempty"` // that denies, or that it depends on
	GatewaySide partText       `json:"gatewaySide"`
	CallerSide  partText       `json:"callerSide"`
	Assumed     []string       `json:"assumed"` // what was not read
}

type partText struct {
	Access    access.Verdict `json:"access"`
	Reason    string         `json:"reason,omitempty"`
	Why       string         `json:"why"`
	Remedy    string         `json:"remedy,omitempty"`
	Statement string         `json:"statement,omitempty"`
	Foreign   bool           `json:"foreign,omitempty"`
	Grants    []string       `json:"grants,omitempty"` // that allow the call
	Waiting   []waitingText  `json:"waiting,omitempty"`
	Missing   any            `json:"missing,omitempty"` // the policy that the caller's side lacks
}

type waitingText struct {
	Grant   string      `json:"grant"`
	Phase   grant.Phase `json:"phase"`
	Reason  grant.Code  `json:"reason,omitempty"`
	Message string      `json:"message,omitempty"`
}

func partTextOf(part access.Part) partText {
	text := partText{
		Access: part.Verdict, Reason: part.Reason, Why: oneLine(part.Why), Remedy: part.Remedy, Statement: part.Statement, Foreign: part.Foreign,
	}
	for _, key := range part.Grants {
		text.Grants = append(text.Grants, key.String())
	}
	for _, w := range part.Waiting {
		text.Waiting = append(text.Waiting, waitingText{w.Key.String(), w.Phase, w.Reason, w.Message})
	}
	if part.Missing != nil {
		text.Missing = json.RawMessage(part.Missing.Bytes())
	}
	return text
}

const alwaysAssumed = "service control policies, resource control policies, session policies and endpoint policies are assumed to allow the call"

// answer says whether the caller may call the gateways.
func (r *accessing) answer(ctx context.Context, concerned []grant.Gateway, where scope, question access.Question, notes []string) error {
	notes = append(notes, alwaysAssumed)
	r.partly = true
	var texts []accessText
	if err := r.each(ctx, concerned, func(g access.Gateway) {
		found, assumed := g.Answer(question), slices.Concat(unreadNotes(g), notes)
		texts = append(texts, accessText{
			Gateway: g.World.Gateway.Gateway.ARN(), Principal: question.Caller.Name, AccountName: r.callerName, Access: found.Verdict, Side: found.Side,
			GatewaySide: partTextOf(found.Gateway), CallerSide: partTextOf(found.Caller), Assumed: assumed,
		})
	}); err != nil {
		return err
	}
	if !where.every && !r.settings.structured() {
		r.sayAccess(texts[0])
		return r.end()
	}
	paint := r.paint(r.out)
	err := printRows(r.program, texts, "No managed gateways.", []column[accessText]{
		{name: "GATEWAY", text: func(row accessText) string { return shortGateway(row.Gateway) }},
		{name: "ACCESS", text: func(row accessText) string { return string(row.Access) }, paint: func(row accessText, text string) string { return paint.verdict(row.Access, text) }},
		{name: "SIDE", text: func(row accessText) string { return string(row.Side) }},
		{name: "WHY", text: accessText.why},
	})
	if err != nil {
		return err
	}
	if !r.settings.structured() {
		for _, row := range texts {
			notes = append(notes, row.Assumed...)
		}
		for i, note := range notes {
			if !slices.Contains(notes[:i], note) {
				r.note(note)
			}
		}
	}
	return r.end()
}

// why is what decides.
func (t accessText) why() string {
	if t.Side == access.CallerSide {
		return t.CallerSide.Why
	}
	return t.GatewaySide.Why
}

func (r *accessing) sayAccess(t accessText) {
	paint := r.paint(r.out)
	by := ""
	switch t.Access {
	case access.Denied:
		by = " by the " + string(t.Side) + "'s side"
	case access.Depends:
		by = " on the " + string(t.Side) + "'s side"
	case access.Allowed:
	}
	fmt.Fprintf(r.out, "%s%s: %s on %s\n", paint.verdict(t.Access, string(t.Access)), by, beside(t.Principal, t.AccountName), shortGateway(t.Gateway))
	for _, side := range []struct {
		name string
		part partText
	}{{"Gateway", t.GatewaySide}, {"Caller", t.CallerSide}} {
		fmt.Fprintf(r.out, "%-9s%s: %s\n", side.name+":", paint.verdict(side.part.Access, string(side.part.Access)), side.part.Why)
		if side.part.Remedy != "" {
			fmt.Fprintf(r.out, "%-9sNext: %s\n", "", oneLine(side.part.Remedy))
		}
		if side.part.Missing != nil {
			fmt.Fprintf(r.out, "%-9s%s\n", "", side.part.Missing)
		}
	}
	for _, note := range t.Assumed {
		fmt.Fprintf(r.out, "%-9s%s\n", "Assumed:", note)
	}
}
