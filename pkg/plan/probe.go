package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// probe is a call that the evaluator is asked about.
type probe struct {
	caller  policy.Caller
	context map[string][]string
	now     int64
}

// proveDecisions asks the evaluator about each admitted principal and about
// callers that differ from it in one respect, and holds each answer against the
// accesses, read plainly. What a statement asks of a call is the same for all that it
// lets in: every value of its conditions is probed with one of them.
func proveDecisions(c compiler, owned *policy.Document, admitted map[access]bool) error {
	within := make(map[string][]access)
	for a := range admitted {
		within[accountOf(a)] = append(within[accountOf(a)], a)
	}
	check := func(all []probe) error {
		for _, p := range all {
			expected := slices.ContainsFunc(within[p.caller.Account], func(other access) bool { return other.admits(p) })
			if decided := c.decide(owned, p); decided.Allowed != expected {
				return disproved(fmt.Sprintf("%s would be decided %s where the grants say allowed=%t", p.caller.PrincipalARN, decided.Reason, expected))
			}
		}
		return nil
	}
	for a := range admitted {
		if err := check(probes(a)); err != nil {
			return err
		}
	}
	for _, a := range c.representatives(admitted, within) {
		if err := check(valueProbes(a)); err != nil {
			return err
		}
	}
	return nil
}

// representatives has one access for each statement: of an account with the fewest
// others, which might let in the same callers from elsewhere.
func (c compiler) representatives(admitted map[access]bool, within map[string][]access) map[group]access {
	chosen := make(map[group]access)
	for a := range admitted {
		g := c.layout.group(a)
		known, found := chosen[g]
		if !found || cmp.Or(cmp.Compare(len(within[accountOf(a)]), len(within[accountOf(known)])), compareAccess(a, known)) < 0 {
			chosen[g] = a
		}
	}
	return chosen
}

func accountOf(a access) string {
	parsed, _ := splitARN(a.who)
	return parsed.account
}

// outsider is the account id of nobody.
const outsider = "000000000000"

// allowAll is the caller's side of every probe: only the gateway's is judged.
var allowAll = &policy.Document{Version: policy.Version2012, Statements: []policy.Statement{
	{Effect: policy.Allow, Action: []string{Action}, Resource: []string{"*"}},
}}

// decide has the evaluator decide a probe as a call across accounts, whoever
// calls: within one account the identity side alone could allow it.
func (c compiler) decide(owned *policy.Document, p probe) policy.Decision {
	context := make(map[string][]string, len(p.context)+1)
	maps.Copy(context, p.context)
	context[keyTime] = []string{instant(p.now)}
	return policy.Evaluate(policy.Call{
		Caller:          p.caller,
		Action:          Action,
		Resource:        c.resource,
		ResourceAccount: "gateway-owner",
		Identity:        []*policy.Document{allowAll},
		ResourcePolicy:  owned,
		Context:         context,
	})
}

// probes are calls around an access: by a caller that it admits, from where it wants
// it; then each with one thing amiss.
func probes(a access) []probe {
	who, _ := splitARN(a.who)
	within := a.where.example()
	member, now := caller(who), max(a.until-1, 0)
	all := []probe{{caller: member, context: within, now: now}}
	elsewhere := who
	elsewhere.account = outsider
	all = append(all, probe{caller: caller(elsewhere), context: within, now: now})
	if who.resource != "root" {
		sibling := who
		sibling.resource = "role/gateway-grants/Sibling"
		all = append(all, probe{caller: caller(sibling), context: within, now: now})
	}
	if len(within) > 0 {
		all = append(all, probe{caller: member, now: now})
	}
	if a.until != 0 {
		all = append(all, probe{caller: member, context: within, now: a.until})
	}
	return all
}

// valueProbes are calls from every place that the access wants, from just beside
// each, and without one of the things that it asks for.
func valueProbes(a access) []probe {
	who, _ := splitARN(a.who)
	member, now := caller(who), max(a.until-1, 0)
	var all []probe
	for key, places := range a.where.places() {
		for _, place := range places {
			context := a.where.example()
			context[key] = []string{place}
			all = append(all, probe{caller: member, context: context, now: now})
		}
		context := a.where.example()
		delete(context, key)
		all = append(all, probe{caller: member, context: context, now: now})
	}
	return all
}

// matching turns a pattern of roles into a role that it matches.
var matching = strings.NewReplacer("*", "Any", "?", "x")

// caller is somebody whom the ARN names: for a root any role of the account, for
// a pattern a role that it matches.
func caller(who arn) policy.Caller {
	switch {
	case who.resource == "root":
		who.resource = "role/gateway-grants/Member"
		return policy.Role(who.String(), "probe")
	case strings.HasPrefix(who.resource, "user/"):
		return policy.User(who.String())
	default:
		who.resource = matching.Replace(who.resource)
		return policy.Role(who.String(), "probe")
	}
}

// admits says what the access means, without the policy language.
func (a access) admits(p probe) bool {
	who, _ := splitARN(a.who)
	him, _ := splitARN(p.caller.PrincipalARN)
	return who.account == him.account && (who.resource == "root" || glob(who.resource, him.resource)) &&
		a.where.holds(p.context) &&
		(a.until == 0 || p.now < a.until)
}
