package main

import (
	"fmt"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// reconciled is how a reconcile ended, for other programs.
type reconciled struct {
	Gateway    string        `json:"gateway"`
	Settled    bool          `json:"settled"`
	Reason     grant.Code    `json:"reason,omitempty"`
	Message    string        `json:"message,omitempty"`
	Changes    []changedText `json:"changes"`
	Writes     int           `json:"writes"`
	Passes     int           `json:"passes"`
	Bytes      int           `json:"bytes"`
	Statements int           `json:"statements"`
	PlanHash   string        `json:"planHash,omitempty"`
}

type changedText struct {
	Verb      plan.Verb  `json:"verb"`
	Principal string     `json:"principal"`
	Under     string     `json:"under,omitempty"`
	Grants    []string   `json:"grants,omitempty"`
	Reason    grant.Code `json:"reason,omitempty"`
	Message   string     `json:"message,omitempty"`
}

func (p *program) sayReconciled(gateway grant.Gateway, result reconcile.Result) {
	paint := p.paint(p.out)
	fmt.Fprintln(p.out, gateway.ARN())
	count := map[plan.Verb]int{}
	for _, change := range result.Changes {
		count[change.Verb]++
		if change.Verb != plan.Keep {
			fmt.Fprintln(p.out, p.changeLine(change))
		}
	}
	if result.Failure != nil && result.Writes == 0 {
		fmt.Fprintf(p.out, "Nothing was written: %d to add, %d to remove, %d to keep, %d left out.\n",
			count[plan.Add], count[plan.Remove], count[plan.Keep], count[plan.LeaveOut])
	} else {
		fmt.Fprintf(p.out, "%d added, %d removed, %d kept, %d left out. The policy has %s in %s.\n",
			count[plan.Add], count[plan.Remove], count[plan.Keep], count[plan.LeaveOut],
			counted(result.Plan.Size.Bytes, "byte"), counted(result.Plan.Size.Statements, "statement"))
	}
	switch {
	case result.Plan.NotApplied != nil:
		fmt.Fprintln(p.out, paint.yellow("Changes:"), oneLine(result.Failure.Hint)+".")
	case result.Failure != nil:
		fmt.Fprintln(p.out, paint.red("Not settled:"), oneLine(p.explain(result.Failure)))
	case result.Writes == 0:
		fmt.Fprintln(p.out, paint.green("Settled:"), "nothing had to be written.")
	default:
		fmt.Fprintln(p.out, paint.green("Settled."))
	}
}

// changeLine is one change, under the sign of what becomes of the principal.
func (p *program) changeLine(change plan.Change) string {
	paint := p.paint(p.out)
	sign, why := paint.green("  +"), ""
	switch change.Verb {
	case plan.Remove:
		sign = paint.red("  -")
	case plan.LeaveOut:
		sign, why = paint.yellow("  !"), ": left out, "+string(change.Reason)
	case plan.Add, plan.Keep:
	}
	line := sign + " " + change.Principal
	if change.Under != "" {
		line += " " + change.Under
	}
	if because := keys(change.Grants); len(because) > 0 {
		line += " (" + strings.Join(because, ", ") + ")"
	}
	line += why
	if change.Message != "" {
		line += ": " + oneLine(change.Message)
	}
	return line
}

// keys name grants by their ids, and those for every gateway as such.
func keys(grants []grant.Key) []string {
	names := make([]string, len(grants))
	for i, key := range grants {
		names[i] = "grant " + key.ID
		if key.Gateway == grant.EveryGateway {
			names[i] += " on *"
		}
	}
	return names
}

func (p *program) reconciledText(gateway grant.Gateway, result reconcile.Result) reconciled {
	text := reconciled{
		Gateway: gateway.ARN(), Settled: result.Failure == nil,
		Writes: result.Writes, Passes: result.Passes,
		Bytes: result.Plan.Size.Bytes, Statements: result.Plan.Size.Statements, PlanHash: result.Plan.Hash,
	}
	if result.Failure != nil {
		text.Reason, text.Message = result.Failure.Code, oneLine(p.explain(result.Failure))
	}
	text.Changes = changeTexts(result.Changes)
	return text
}

func changeTexts(changes []plan.Change) []changedText {
	texts := make([]changedText, len(changes))
	for i, change := range changes {
		texts[i] = changedText{
			Verb: change.Verb, Principal: change.Principal, Under: change.Under,
			Reason: change.Reason, Message: change.Message,
		}
		for _, key := range change.Grants {
			texts[i].Grants = append(texts[i].Grants, key.String())
		}
	}
	return texts
}
