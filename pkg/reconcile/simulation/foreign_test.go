package simulation

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

const ownPrefix = "GatewayGrantsmainX"

// split parts what the product wrote from what others did.
func split(document *policy.Document) (owned, foreign []policy.Statement) {
	if document == nil {
		return nil, nil
	}
	for _, s := range document.Statements {
		if strings.HasPrefix(s.Sid, ownPrefix) {
			owned = append(owned, s)
		} else {
			foreign = append(foreign, s)
		}
	}
	return owned, foreign
}

// foreignIn is the foreign statements of a document, byte for byte, sorted.
func foreignIn(document *policy.Document) string {
	_, foreign := split(document)
	texts := make([]string, len(foreign))
	for i, s := range foreign {
		texts[i] = s.String()
	}
	slices.Sort(texts)
	return strings.Join(texts, "\n")
}

// actForeign is another writer of the policies. It reads before most of its writes,
// and overwrites or deletes without reading now and then.
func (w *world) actForeign(times int) *actor {
	return act("foreign writer", func(pause func(string)) {
		for range times {
			pause("read")
			g := w.gateways[w.pick(2)]
			document := parse(w.text(g))
			pause("write")
			switch w.pick(10) {
			case 0:
				w.byHand(g, nil, "deletes all")
			case 1:
				w.byHand(g, (*policy.Document)(nil).WithStatements(w.statement(g)), "overwrites all")
			case 2:
				w.byHand(g, meddled(document, g), "meddles with what is not its own")
			default:
				w.byHand(g, w.edited(document, g), "edits its own")
			}
		}
	})
}

// edited adds, changes or removes one of the writer's own statements.
func (w *world) edited(document *policy.Document, g *gateway) *policy.Document {
	owned, foreign := split(document)
	statement := w.statement(g)
	if w.crowded && w.oneIn(2) {
		statement = w.filler(document, g)
	}
	at := slices.IndexFunc(foreign, func(s policy.Statement) bool { return s.Sid == statement.Sid })
	switch {
	case at < 0:
		foreign = append(foreign, statement)
	case w.oneIn(2):
		foreign = slices.Delete(slices.Clone(foreign), at, at+1)
	default:
		foreign = slices.Clone(foreign)
		foreign[at] = statement
	}
	if len(foreign)+len(owned) == 0 {
		return nil
	}
	return document.WithStatements(append(foreign, owned...)...)
}

// statement is one of the writer's, in its own spelling.
func (w *world) statement(g *gateway) policy.Statement {
	sid := fmt.Sprintf("Partner%d", w.pick(2))
	who := []string{`"` + partner + `"`, `["` + rootOf(accountC) + `","` + rootOf(partner) + `"]`, `"` + agentB + `"`, `"*"`}[w.pick(4)]
	effect := "Allow"
	if who == `"*"` {
		effect = "Deny"
	}
	text := []string{
		`{"Version":"2012-10-17","Statement":[{"Effect":%q,"Sid":%q,"Resource":%q,"Principal":{"AWS":%s},"Action":"bedrock-agentcore:InvokeGateway","Condition":{"StringEquals":{"aws:SourceVpc":"vpc-0123456789abcdef0"}}}]}`,
		`{"Version":"2012-10-17","Statement":{"Effect":%q,"Sid":%q,"Resource":%q,"Principal":{"AWS":%s},"Action":["bedrock-agentcore:invokegateway"],"Condition":{"StringEquals":{"aws:SourceVpc":["vpc-0123456789abcdef0"]}}}}`,
	}[w.pick(2)]
	return parse(fmt.Sprintf(text, effect, sid, g.ARN(), who)).Statements[0]
}

// filler is a statement that takes nearly all of the room that is left, in one of the
// forms that take it.
func (w *world) filler(document *policy.Document, g *gateway) policy.Statement {
	room := plan.MaxPolicyBytes - 600 - w.pick(1800)
	if document != nil {
		room -= len(document.String())
	}
	s := under("Crowd", g, partner)
	written := func(account string) string { return account }
	switch w.pick(3) {
	case 0: // as AWS may show ids as ARNs, which then take more room than there is
		if !slices.Contains(w.quirks, model.AccountsAsARNs) {
			break
		}
		fallthrough
	case 1:
		written = rootOf
	case 2:
		s.Condition = policy.Condition{"StringEquals": {"aws:SourceVpc": nil}}
		for size := 0; size < room; size += len(network) + 3 {
			s.Condition["StringEquals"]["aws:SourceVpc"] = append(s.Condition["StringEquals"]["aws:SourceVpc"], fmt.Sprintf("vpc-%017x", size))
		}
		return s
	}
	for _, account := range crowd {
		if room -= len(written(account)) + 3; room < 0 {
			break
		}
		s.Principal.AWS = append(s.Principal.AWS, written(account))
	}
	return s
}

// meddled adds the stranger to a statement under the product's own name.
func meddled(document *policy.Document, g *gateway) *policy.Document {
	owned, foreign := split(document)
	if len(owned) > 0 {
		who := *owned[0].Principal
		who.AWS = append(slices.Clone(who.AWS[1:]), rootOf(stranger))
		owned = slices.Clone(owned)
		owned[0].Principal = &who
	} else {
		owned = append(owned, policy.Statement{
			Sid: ownPrefix + "forged", Effect: policy.Allow, Principal: &policy.Principals{AWS: []string{rootOf(stranger)}},
			Action: []string{"bedrock-agentcore:InvokeGateway"}, Resource: []string{g.ARN()},
		})
	}
	return document.WithStatements(append(foreign, owned...)...)
}

// byHand writes a whole policy. CloudTrail reports it, but may lose the event.
func (w *world) byHand(g *gateway, document *policy.Document, what string) {
	before := parse(w.text(g))
	if document == nil && before == nil {
		return
	}
	if err := w.replacePolicy(g, document); err != nil {
		w.log("foreign writer: %s on %s, and AWS rejects it: %v", what, g.name, err)
		return
	}
	// Another writer may have removed a unique id that the product has not removed
	// yet. Then nothing shows any more that the role was deleted.
	for _, arn := range w.leftovers(before) {
		delete(g.gone, arn)
	}
	w.wrote(g)
	w.log("foreign writer: %s on %s: %s", what, g.name, w.text(g))
	if w.faults == 0 || !w.oneIn(4) {
		w.ask(g, "policy changed by hand")
	}
}

// leftovers are the roles of which the product's statements show only unique ids.
func (w *world) leftovers(document *policy.Document) []string {
	owned, _ := split(document)
	var arns []string
	for _, s := range owned {
		for _, who := range s.Principal.AWS {
			if arn := w.iam.names[who]; arn != "" {
				arns = append(arns, arn)
			}
		}
	}
	return arns
}
