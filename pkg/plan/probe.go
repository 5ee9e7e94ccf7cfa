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
func proveDecisions(c compiler, owned *policy.Document, admitted map[Access]bool) error {
	within := make(map[string][]Access)
	for a := range admitted {
		within[a.Who.Account] = append(within[a.Who.Account], a)
	}
	check := func(all []probe) error {
		for _, p := range all {
			expected := slices.ContainsFunc(within[p.caller.Account], func(other Access) bool { return other.admits(p) })
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
func (c compiler) representatives(admitted map[Access]bool, within map[string][]Access) map[group]Access {
	chosen := make(map[group]Access)
	for a := range admitted {
		g := c.group(a)
		known, found := chosen[g]
		if !found || cmp.Or(cmp.Compare(len(within[a.Who.Account]), len(within[known.Who.Account])), compareAccess(a, known)) < 0 {
			chosen[g] = a
		}
	}
	return chosen
}

// outsider is the id of no account.
const outsider = "000000000000"

// allowAll is the caller's side of every probe: only the gateway's is judged.
var allowAll = &policy.Document{Version: policy.Version2012, Statements: []policy.Statement{
	{Effect: policy.Allow, Action: []string{Action}, Resource: []string{"*"}},
}}

// decide has the evaluator decide a probe as a call across accounts, whatever
// the caller is: within one account the identity side alone could allow it.
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
// it; then each with one thing wrong.
func probes(a Access) []probe {
	within := a.Where.example()
	member, now := caller(a.Who), max(a.Until-1, 0)
	all := []probe{{caller: member, context: within, now: now}}
	elsewhere := a.Who
	elsewhere.Account = outsider
	all = append(all, probe{caller: caller(elsewhere), context: within, now: now})
	if !a.Who.IsRoot() {
		sibling := a.Who
		sibling.Resource = "role/gateway-grants/Sibling"
		all = append(all, probe{caller: caller(sibling), context: within, now: now})
	}
	if len(within) > 0 {
		all = append(all, probe{caller: member, now: now})
	}
	if a.Until != 0 {
		all = append(all, probe{caller: member, context: within, now: a.Until})
	}
	return all
}

// valueProbes are calls from every place that the access wants, from just beside
// each, and without one of the things that it asks for.
func valueProbes(a Access) []probe {
	member, now := caller(a.Who), max(a.Until-1, 0)
	var all []probe
	for key, places := range a.Where.places() {
		for _, place := range places {
			context := a.Where.example()
			context[key] = []string{place}
			all = append(all, probe{caller: member, context: context, now: now})
		}
		context := a.Where.example()
		delete(context, key)
		all = append(all, probe{caller: member, context: context, now: now})
	}
	return all
}

// matching turns a pattern of roles into a role that it matches.
var matching = strings.NewReplacer("*", "Any", "?", "x")

// caller is one that the ARN names: for a root any role of the account, for
// a pattern a role that it matches.
func caller(who policy.IAMARN) policy.Caller {
	switch {
	case who.IsRoot():
		who.Resource = "role/gateway-grants/Member"
		return policy.Role(who.String(), "probe")
	case strings.HasPrefix(who.Resource, "user/"):
		return policy.User(who.String())
	default:
		who.Resource = matching.Replace(who.Resource)
		return policy.Role(who.String(), "probe")
	}
}

// admits says what the access means, without the policy language.
func (a Access) admits(p probe) bool {
	him, _ := policy.ParseIAMARN(p.caller.PrincipalARN)
	return a.Who.Account == him.Account && (a.Who.IsRoot() || glob(a.Who.Resource, him.Resource)) &&
		a.Where.holds(p.context) &&
		(a.Until == 0 || p.now < a.Until)
}
