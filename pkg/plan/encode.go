package plan

import (
	"slices"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// chooseEncoding decides how to write the policy so that all standing access still
// has room: which roles share a statement, and whether accounts are written as ids.
// What is best for all that is wanted comes first; what stands now is a way that AWS
// has taken already. Ids come last where they count as root ARNs, because AWS
// may then refuse what is written so. Where no way has room, our statements stay as
// they stand, without what is no longer wanted.
func (p solver) chooseEncoding(wanted map[Access]int64, owned observation) Encoding {
	forms := []bool{false, true}
	if p.compiler.limits.Accounting == SubmittedSize {
		forms = forms[1:]
	}
	c, best := p.compiler, layoutOf(wanted)
	for _, c.Short = range forms {
		for _, c.Layout = range []Layout{best, owned.shared} {
			if p.fitsStanding(c, wanted, owned) {
				return c.Encoding
			}
		}
	}
	c.Kept = c.keep(owned, wanted)
	return c.Encoding
}

// listed are the accesses of our statements that are not written for one principal
// alone, without ends.
func (c compiler) listed(owned observation) map[Access]bool {
	listed := make(map[Access]bool)
	for _, s := range owned.statements {
		if c.aloneIn(s) != "" {
			continue
		}
		for _, e := range s.entries {
			for _, a := range e.accesses {
				listed[a.lasting()] = true
			}
		}
	}
	return listed
}

// aloneIn is the principal that the statement was written for alone; "" if it may
// hold others of its group.
func (c compiler) aloneIn(s ownStatement) string {
	if len(s.entries) != 1 || len(s.entries[0].accesses) == 0 {
		return ""
	}
	g := s.group()
	if g.alone = s.entries[0].accesses[0].principal(); s.statement.Sid == c.sid(g) {
		return g.alone
	}
	return ""
}

// fitsStanding reports whether there is room for the standing part of what is wanted, as the
// compiler writes it.
func (p solver) fitsStanding(c compiler, wanted map[Access]int64, owned observation) bool {
	f := p.newFitter(c)
	for a := range owned.accesses {
		if _, still := wanted[a.lasting()]; still && !f.admit(a.lasting(), true) {
			return false
		}
	}
	return true
}

// keep is our statements as they stand, without what is no longer wanted. A
// statement that would end access too early loses its end: the sweep ends it.
func (c compiler) keep(owned observation, wanted map[Access]int64) []policy.Statement {
	kept := []policy.Statement{}
	for _, s := range owned.statements {
		s, left := s.without(func(a Access) bool {
			_, still := wanted[a.lasting()]
			return !still
		})
		if !left {
			continue
		}
		if s.template.Until != 0 && s.endsEarly(wanted) {
			s = s.withoutEnd()
		}
		kept = append(kept, s.statement)
	}
	return kept
}

// keptAccesses are what the kept statements mean, in the order given.
func (c compiler) keptAccesses(ordered []Access) []Access {
	ends := make(map[Access][]Access)
	for a := range decompile(c.Kept, c.resource, c.partition).accesses {
		ends[a.lasting()] = append(ends[a.lasting()], a)
	}
	var all []Access
	for _, a := range ordered {
		all = append(all, ends[a]...)
	}
	return all
}

// shorten is the kept statements with only the given accesses in them.
func (c compiler) shorten(accesses []Access) []policy.Statement {
	given := make(map[Access]bool, len(accesses))
	for _, a := range accesses {
		given[a] = true
	}
	var statements []policy.Statement
	for _, s := range decompile(c.Kept, c.resource, c.partition).statements {
		if s, left := s.without(func(a Access) bool { return !given[a] }); left {
			statements = append(statements, s.statement)
		}
	}
	return statements
}

// without is the statement with those accesses taken out, unless nothing is left.
func (s ownStatement) without(drop func(Access) bool) (rest ownStatement, left bool) {
	rest = ownStatement{statement: s.statement, template: s.template}
	used := make(map[policy.IAMARN]bool) // of callers
	var principals []string
	for _, e := range s.entries {
		left := slices.DeleteFunc(slices.Clone(e.accesses), drop)
		if len(left) == 0 {
			continue
		}
		rest.entries = append(rest.entries, entry{e.written, left})
		principals = append(principals, e.written)
		for _, a := range left {
			used[a.Who] = true
		}
	}
	if len(rest.entries) == 0 {
		return ownStatement{}, false
	}
	rest.statement.Principal = &policy.Principals{AWS: principals}
	if s.names != nil {
		rest.names = slices.DeleteFunc(slices.Clone(s.names), func(name string) bool { return !usesName(used, name) })
		rest.statement.Condition = replaced(s.statement.Condition, testPrincipal, rest.names)
	}
	return rest, true
}

// usesName reports whether one of the callers is let in by the name, which may stand
// for the role of every account.
func usesName(callers map[policy.IAMARN]bool, name string) bool {
	arn, _ := policy.ParseIAMARN(name)
	if arn.Account != "*" {
		return callers[arn]
	}
	for caller := range callers {
		if caller.Resource == arn.Resource {
			return true
		}
	}
	return false
}

// endsEarly reports whether the statement ends access that is wanted for longer.
func (s ownStatement) endsEarly(wanted map[Access]int64) bool {
	return slices.ContainsFunc(s.entries, func(e entry) bool {
		return slices.ContainsFunc(e.accesses, func(a Access) bool {
			end := wanted[a.lasting()]
			return end == 0 || end > s.template.Until
		})
	})
}

func (s ownStatement) withoutEnd() ownStatement {
	s.statement.Condition = replaced(s.statement.Condition, testTime, nil)
	return s
}

// replaced is the condition with other values for one test, or without it.
func replaced(c policy.Condition, test string, values []string) policy.Condition {
	changed := policy.Condition{}
	for operator, keys := range c {
		for key, old := range keys {
			if strings.EqualFold(operator+" "+key, test) {
				old = values
			}
			if len(old) == 0 {
				continue
			}
			if changed[operator] == nil {
				changed[operator] = map[string][]string{}
			}
			changed[operator][key] = old
		}
	}
	if len(changed) == 0 {
		return nil
	}
	return changed
}
