package foreign

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// CodeAccessDiffers is the code of two policies that do not let in the same callers.
const CodeAccessDiffers grant.Code = "AccessDiffers"

// Proof says how many calls two policies decided alike.
type Proof struct {
	Callers  int
	Contexts int // each caller calls in every one
}

// Same asks the evaluator about calls by every principal of two policies of a gateway,
// and by callers beside them, from every place and moment that a condition of either
// names and from just beside it. It fails with CodeAccessDiffers at the first call that
// one policy allows and the other does not.
func Same(before, after *policy.Document, gateway grant.Gateway) (Proof, error) {
	p := probing{gateway: gateway, seen: make(map[string]bool)}
	p.add(policy.Role(p.arn(gateway.Account(), "role/gateway-grants/Member"), "probe"))
	p.add(policy.Role(p.arn(outsider, "role/gateway-grants/Stranger"), "probe"))
	p.add(policy.Caller{})
	documents := []*policy.Document{before, after}
	for _, document := range documents {
		p.callersOf(document)
	}
	contexts := contextsOf(documents)
	for _, caller := range p.callers {
		for _, context := range contexts {
			if was, is := p.decide(before, caller, context), p.decide(after, caller, context); was != is {
				return Proof{}, &grant.Error{
					Code: CodeAccessDiffers, Op: "compare the policies of " + gateway.ARN(),
					Hint: fmt.Sprintf("%s would %s access%s: the policy is left as it is", caller, verb(is.both && !was.both || is.alone && !was.alone), under(context)),
				}
			}
		}
	}
	return Proof{Callers: len(p.callers), Contexts: len(contexts)}, nil
}

func verb(gains bool) string {
	if gains {
		return "gain"
	}
	return "lose"
}

func under(context map[string][]string) string {
	var words []string
	for key, values := range context {
		words = append(words, key+" "+strings.Join(values, ","))
	}
	slices.Sort(words)
	if len(words) == 0 {
		return ""
	}
	return " (with " + strings.Join(words, ", ") + ")"
}

// outsider is the id of no account.
const outsider = "000000000000"

// probing collects the callers that are asked about, each once.
type probing struct {
	gateway grant.Gateway
	callers []policy.Caller
	seen    map[string]bool
}

func (p *probing) add(caller policy.Caller) {
	key := fmt.Sprintf("%+v", caller)
	if !p.seen[key] {
		p.seen[key] = true
		p.callers = append(p.callers, caller)
	}
}

func (p *probing) arn(account, resource string) string {
	return policy.IAMARN{Partition: p.gateway.Partition(), Account: account, Resource: resource}.String()
}

func (p *probing) callersOf(document *policy.Document) {
	if document == nil {
		return
	}
	accounts := map[string]bool{p.gateway.Account(): true, outsider: true}
	for _, s := range document.Statements {
		for _, who := range []*policy.Principals{s.Principal, s.NotPrincipal} {
			if who == nil {
				continue
			}
			for _, name := range who.Service {
				p.add(policy.Service(name))
			}
			for _, written := range who.AWS {
				p.named(written, accounts)
			}
		}
	}
	for _, s := range document.Statements {
		for _, keys := range s.Condition {
			for key, values := range keys {
				if strings.EqualFold(key, "aws:PrincipalArn") {
					p.compared(values, accounts)
				}
			}
		}
	}
}

// named are the callers that an entry of Principal names, and some beside them.
func (p *probing) named(written string, accounts map[string]bool) {
	read, ok := policy.ParseAWSPrincipal(written, p.gateway.Partition())
	if read.UniqueID != "" {
		pinned := policy.Role(p.arn(outsider, "role/gateway-grants/Deleted"), "probe")
		pinned.UniqueID = read.UniqueID
		p.add(pinned)
		return
	}
	if session, isSession := policy.ParseSessionARN(written); isSession {
		role := p.arn(session.Account, "role/"+session.Role)
		p.add(policy.Role(role, session.Name))
		p.add(policy.Role(role, session.Name+"x"))
		p.member(session.Account, accounts)
		return
	}
	if !ok {
		return
	}
	p.member(read.ARN.Account, accounts)
	p.by(read.ARN)
}

// member adds callers of an account that nothing but the account names.
func (p *probing) member(account string, accounts map[string]bool) {
	accounts[account] = true
	p.add(policy.Root(account))
	p.add(policy.Role(p.arn(account, "role/gateway-grants/Member"), "probe"))
	p.add(policy.User(p.arn(account, "user/gateway-grants/Member")))
}

// matching turns a pattern into texts that it matches.
var matching = []*strings.Replacer{strings.NewReplacer("*", "", "?", "x"), strings.NewReplacer("*", "Any/One", "?", "y")}

func (p *probing) compared(values []string, accounts map[string]bool) {
	for _, value := range values {
		arn, ok := policy.ParseIAMARN(value)
		if !ok {
			continue
		}
		for account := range accounts {
			named := arn
			if strings.ContainsAny(arn.Account, "*?") {
				named.Account = account
			}
			for _, filled := range matching {
				named.Resource = filled.Replace(arn.Resource)
				p.by(named)
			}
		}
	}
}

// by adds the caller of an ARN, and one beside it.
func (p *probing) by(arn policy.IAMARN) {
	switch {
	case strings.HasPrefix(arn.Resource, "user/"):
		p.add(policy.User(arn.String()))
		p.add(policy.User(arn.String() + "x"))
	case strings.HasPrefix(arn.Resource, "role/"):
		p.add(policy.Role(arn.String(), "probe"))
		p.add(policy.Role(arn.String()+"x", "probe"))
		p.add(policy.Role(p.arn(arn.Account, "role/Sibling"), "probe"))
	default:
		p.add(policy.Root(arn.Account))
	}
}

// allowAll is the caller's side where that agrees.
var allowAll = &policy.Document{Version: policy.Version2012, Statements: []policy.Statement{
	{Effect: policy.Allow, Action: []string{plan.Action}, Resource: []string{"*"}},
}}

// allowed is a decision with the caller's side agreeing, and without: within one account
// the gateway's policy alone may do.
type allowed struct{ both, alone bool }

func (p *probing) decide(document *policy.Document, caller policy.Caller, context map[string][]string) allowed {
	call := policy.Call{Caller: caller, Action: plan.Action, Resource: p.gateway.ARN(), ResourceAccount: p.gateway.Account(), ResourcePolicy: document, Context: context}
	alone := policy.Evaluate(call).Allowed
	call.Identity = []*policy.Document{allowAll}
	return allowed{policy.Evaluate(call).Allowed, alone}
}

// ownKeys follow from the caller, and are not for a context to say.
var ownKeys = []string{"aws:principalarn", "aws:principalaccount", "aws:principaltype", "aws:userid", "aws:username", "aws:principalisawsservice", "aws:principalservicename", "aws:resourceaccount"}

// contextsOf are contexts that meet every condition of each statement, and then each of
// these with one key at another value, or without it.
func contextsOf(documents []*policy.Document) []map[string][]string {
	values := map[string][]string{}
	var examples []map[string]string
	for _, document := range documents {
		if document == nil {
			continue
		}
		for _, s := range document.Statements {
			example := map[string]string{}
			for _, keys := range s.Condition {
				for key, listed := range keys {
					key = strings.ToLower(key)
					if slices.Contains(ownKeys, key) || len(listed) == 0 {
						continue
					}
					for _, value := range listed {
						values[key] = append(values[key], around(value)...)
					}
					example[key] = around(listed[0])[0]
				}
			}
			examples = append(examples, example)
		}
	}
	for key := range values {
		slices.Sort(values[key])
		values[key] = slices.Compact(values[key])
	}
	return varied(examples, values)
}

// currentTime is in the context of every request:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-currenttime
const currentTime = "aws:currenttime"

func varied(examples []map[string]string, values map[string][]string) []map[string][]string {
	var all []map[string][]string
	seen := map[string]bool{}
	add := func(example map[string]string, key, value string) {
		context := make(map[string][]string, len(example)+1)
		for name, one := range example {
			context[name] = []string{one}
		}
		delete(context, key)
		if value != "" {
			context[key] = []string{value}
		}
		if moments := values[currentTime]; len(moments) > 0 && context[currentTime] == nil {
			context[currentTime] = moments[:1]
		}
		if text := under(context); !seen[text] {
			seen[text] = true
			all = append(all, context)
		}
	}
	for _, example := range append(examples, nil) {
		add(example, "", "")
		for key, list := range values {
			add(example, key, "")
			for _, value := range list {
				add(example, key, value)
			}
		}
	}
	return all
}

// around are values that meet a condition's value, the first of them, and others just
// beside it.
func around(value string) []string {
	if moment, err := time.Parse(time.RFC3339, value); err == nil {
		at := func(d time.Duration) string { return moment.Add(d).UTC().Format(time.RFC3339) }
		return []string{at(-time.Second), at(0), at(time.Second)}
	}
	if !strings.ContainsAny(value, "*?") {
		return plan.Around(value)
	}
	var all []string
	for _, filled := range matching {
		all = append(all, plan.Around(filled.Replace(value))...)
	}
	return all
}
