package plan

import (
	"bytes"
	"fmt"
	"maps"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// CodeProofFailed is the code of a compiled policy that would not do what the
// grants say. It is never applied.
const CodeProofFailed grant.Code = "ProofFailed"

// prove checks a compiled document, as AWS would read it, against what was
// admitted: it says exactly that, within the limits, foreign statements are
// untouched, and the evaluator lets in those admitted and nobody near them.
// Only our own statements are judged: what foreign ones allow or deny is theirs.
// What stands may be beyond the limits already, and must be allowed to shrink.
func prove(c compiler, base, want *policy.Document, foreign []policy.Statement, admitted map[access]bool) error {
	if want == nil {
		if len(foreign) > 0 || len(admitted) > 0 {
			return disproved("the policy would be deleted although it has something to say")
		}
		return nil
	}
	read, err := policy.Parse(want.Bytes())
	if err != nil {
		return disproved("it cannot be parsed: " + err.Error())
	}
	if err := proveSize(c.limits, base, read); err != nil {
		return err
	}
	owned, kept := split(read, c.limits.Installation)
	if err := proveForeign(foreign, kept); err != nil {
		return err
	}
	if err := proveOwned(c, owned, admitted); err != nil {
		return err
	}
	return proveDecisions(c, &policy.Document{Version: read.Version, Statements: owned}, admitted)
}

func proveSize(limits Limits, base, want *policy.Document) error {
	size, before := measure(want, limits.Accounting), Size{}
	if base != nil {
		before = measure(base, limits.Accounting)
	}
	switch {
	case size.Statements == 0:
		return disproved("it has no statement")
	case size.Bytes > max(limits.MaxBytes, before.Bytes):
		return disproved(fmt.Sprintf("it would have %d bytes", size.Bytes))
	case size.Statements > max(limits.MaxStatements, before.Statements):
		return disproved(fmt.Sprintf("it would have %d statements", size.Statements))
	}
	return nil
}

func disproved(why string) error {
	return &grant.Error{Code: CodeProofFailed, Op: "prove the compiled policy", Hint: why + "; nothing was written, please report this"}
}

func proveForeign(before, after []policy.Statement) error {
	if len(before) != len(after) {
		return disproved("a foreign statement would come or go")
	}
	for i := range before {
		if !bytes.Equal(before[i].Bytes(), after[i].Bytes()) {
			return disproved("foreign statement " + before[i].Sid + " would change")
		}
	}
	return nil
}

func proveOwned(c compiler, owned []policy.Statement, admitted map[access]bool) error {
	sids := make(map[string]bool, len(owned))
	for _, s := range owned {
		if sids[s.Sid] {
			return disproved("two statements would be named " + s.Sid)
		}
		sids[s.Sid] = true
		for _, principal := range s.Principal.AWS {
			if strings.ContainsAny(principal, "*?") {
				return disproved("statement " + s.Sid + " would have a wildcard principal")
			}
		}
	}
	said := decompile(owned, c.resource, c.partition)
	if len(said.strange)+len(said.leftovers) > 0 {
		return disproved("its statements cannot be read back")
	}
	for a := range admitted {
		if !said.accesses[a] {
			return disproved(a.who + " would be missing")
		}
	}
	for a := range said.accesses {
		if !admitted[a] {
			return disproved(a.who + " would be let in by no grant")
		}
	}
	return nil
}

// probe is a call that the evaluator is asked about.
type probe struct {
	caller  policy.Caller
	context map[string][]string
	now     int64
}

// proveDecisions asks the evaluator about each admitted principal and about
// callers that differ from it in one respect, and holds each answer against the
// accesses, read plainly.
func proveDecisions(c compiler, owned *policy.Document, admitted map[access]bool) error {
	byAccount := make(map[string][]access)
	for a := range admitted {
		parsed, _ := splitARN(a.who)
		byAccount[parsed.account] = append(byAccount[parsed.account], a)
	}
	for a := range admitted {
		for _, p := range probes(a) {
			expected := false
			for _, other := range byAccount[p.caller.Account] {
				expected = expected || other.admits(p)
			}
			if decided := c.decide(owned, p); decided.Allowed != expected {
				return disproved(fmt.Sprintf("%s would be decided %s where the grants say allowed=%t", p.caller.PrincipalARN, decided.Reason, expected))
			}
		}
	}
	return nil
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

// probes are calls around an access: by whom it admits, from where it wants it;
// then each with one thing amiss.
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
