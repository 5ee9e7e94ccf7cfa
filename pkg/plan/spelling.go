package plan

import (
	"slices"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// unlessRespelled is the wanted document, or the observed one where that differs by
// nothing but the spelling of addresses, and the names of statements that follow
// from it: it means the same, and is not written for that.
func (p solver) unlessRespelled(want *policy.Document, owned observation) *policy.Document {
	if want == nil || p.base == nil || len(owned.strange) > 0 {
		return want
	}
	statements, found := slices.Clone(p.foreign), false
	for _, s := range owned.statements {
		respelled, otherwise := p.compiler.respelled(s)
		statements, found = append(statements, respelled), found || otherwise
	}
	if found && policy.Equal(want, p.base.WithStatements(statements...)) {
		return p.base
	}
	return want
}

// respelled is a statement of ours with its addresses spelled as rows have them,
// and whether it was spelled otherwise.
func (c compiler) respelled(s ownStatement) (respelled policy.Statement, otherwise bool) {
	var written []string
	for operator, keys := range s.statement.Condition {
		for key, values := range keys {
			if strings.EqualFold(operator+" "+key, testIP) {
				written = values
			}
		}
	}
	now := s.group()
	now.alone = c.aloneIn(s)
	if joined(written) == now.Where.IP {
		return s.statement, false
	}
	before := now
	before.Where.IP = joined(written)
	respelled = s.statement
	respelled.Condition = replaced(s.statement.Condition, testIP, strings.Split(now.Where.IP, ","))
	if s.statement.Sid == c.sid(before) {
		respelled.Sid = c.sid(now)
	}
	return respelled, true
}

// group is what the accesses of the statement have in common.
func (s ownStatement) group() group {
	g := group{Where: s.template.Where, Until: s.template.Until, ByName: s.names != nil}
	for _, name := range s.names {
		if arn, _ := policy.ParseIAMARN(name); arn.Account == "*" {
			g.role = arn.Resource
		}
	}
	return g
}
