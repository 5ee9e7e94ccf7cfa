// Package foreign turns statements that others wrote into a gateway's resource policy
// into grants, and proves that two policies let in the same callers. It is pure.
package foreign

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// Statement is a statement of others, and the grants that let in just the callers that
// it lets in.
type Statement struct {
	Number int // its place in the policy, from 1
	policy.Statement

	Rows []grant.Attributes // all but the id of each; nil where it stays foreign
	Why  string             // it stays foreign; "" where it does not
}

// String is statement 2, with the Sid where there is one.
func (s Statement) String() string {
	if s.Sid == "" {
		return fmt.Sprintf("statement %d", s.Number)
	}
	return fmt.Sprintf("statement %d (Sid %q)", s.Number, s.Sid)
}

// Source is that of rows that were statements of others.
const Source = "import"

// Translate reads the statements of a policy for which owned is false. A statement
// becomes grants as a whole or stays foreign as a whole.
func Translate(document *policy.Document, gateway grant.Gateway, owned func(policy.Statement) bool) []Statement {
	if document == nil {
		return nil
	}
	var all []Statement
	for i, s := range document.Statements {
		if owned(s) {
			continue
		}
		read := Statement{Number: i + 1, Statement: s}
		t := translation{gateway: gateway, statement: s}
		if rows := t.rows(); t.why == "" {
			read.Rows = rows
		}
		read.Why = t.why
		for _, row := range read.Rows {
			row[grant.AttrReason] = "imported from " + read.String()
		}
		all = append(all, read)
	}
	return all
}

// translation reads one statement, and keeps the first reason why it stays foreign.
type translation struct {
	gateway   grant.Gateway
	statement policy.Statement
	why       string

	common grant.Attributes // of every row
	names  []string         // what the caller's ARN is compared with; nil for nothing
}

func (t *translation) stay(format string, args ...any) {
	if t.why == "" {
		t.why = fmt.Sprintf(format, args...)
	}
}

func (t *translation) rows() []grant.Attributes {
	t.common = grant.Attributes{grant.AttrGateway: t.gateway.ARN(), grant.AttrSource: Source}
	t.form()
	t.conditions()
	if t.why != "" {
		return nil
	}
	var rows []grant.Attributes
	for _, written := range t.statement.Principal.AWS {
		for _, principal := range t.principals(written) {
			rows = append(rows, t.row(principal))
		}
	}
	if len(rows) == 0 {
		t.stay("it lets in no caller")
	}
	return rows
}

// form holds everything but the conditions against the form of a grant.
func (t *translation) form() {
	s := t.statement
	isOther := func(text string) bool { return !strings.EqualFold(text, plan.Action) }
	isElsewhere := func(text string) bool { return text != t.gateway.ARN() && text != "*" }
	switch who := s.Principal; {
	case s.Effect != policy.Allow:
		t.stay("it is a Deny, and a grant only lets in")
	case s.NotPrincipal != nil || s.NotAction != nil || s.NotResource != nil:
		t.stay("it says by NotPrincipal, NotAction or NotResource what it does not mean")
	case len(s.Action) == 0 || slices.ContainsFunc(s.Action, isOther):
		t.stay("it allows other actions than %s", plan.Action)
	case len(s.Resource) == 0 || slices.ContainsFunc(s.Resource, isElsewhere):
		t.stay("its Resource is not the gateway's ARN")
	case who == nil:
		t.stay("it has no Principal")
	case who.Everyone || slices.Contains(who.AWS, "*"):
		t.stay("it lets in everyone, and a grant names its principal: write one for an OU, the organization or a tag")
	case len(who.Service)+len(who.Federated)+len(who.CanonicalUser)+len(who.Other) > 0:
		t.stay("its Principal names something else than accounts, roles and users")
	}
}

// Condition keys that a grant can ask for.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
var conditionOf = map[string]string{
	"stringequals aws:sourcevpce": "sourceVpce",
	"stringequals aws:sourcevpc":  "sourceVpc",
	"ipaddress aws:sourceip":      "sourceIp",
}

func (t *translation) conditions() {
	found := make(map[string]any)
	seen := make(map[string]bool)
	for operator, keys := range t.statement.Condition {
		for key, values := range keys {
			test := strings.ToLower(operator + " " + key)
			if seen[test] || len(values) == 0 {
				t.stay("its condition %s %s stands twice or is empty", operator, key)
			}
			seen[test] = true
			switch name := conditionOf[test]; {
			case slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, "${") }):
				t.stay("its condition %s %s has a policy variable", operator, key)
			case name != "":
				found[name] = list(values)
			case comparesARN(test):
				if t.names != nil {
					t.stay("it compares the caller's ARN twice")
				}
				t.names = values
			case test == "datelessthan aws:currenttime", test == "datelessthanifexists aws:currenttime":
				t.expires(values)
			default:
				t.stay("no grant can ask for its condition %s %s", operator, key)
			}
		}
	}
	if len(found) > 0 {
		t.common[grant.AttrConditions] = found
	}
}

// comparesARN reports whether a condition compares the caller's ARN with patterns. An ARN
// of IAM has no colons in its last field, so that all of these mean the same.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_ARN
func comparesARN(test string) bool {
	return test == "arnlike aws:principalarn" || test == "arnequals aws:principalarn"
}

// expires reads the moment until which the statement allows. The key is in every request:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-currenttime
func (t *translation) expires(values []string) {
	moment, err := time.Parse(time.RFC3339, values[0])
	if _, twice := t.common[grant.AttrExpires]; twice || err != nil || len(values) != 1 {
		t.stay("its aws:CurrentTime is not one moment in the form of RFC 3339")
		return
	}
	t.common[grant.AttrExpires] = moment.UTC().Format(time.RFC3339)
}

// principal is one that a grant can name.
type principal struct {
	text   string
	byName bool // a role or user that is recognised by its ARN
}

// principals are those that an entry of Principal lets in.
func (t *translation) principals(written string) []principal {
	read, ok := policy.ParseAWSPrincipal(written, t.gateway.Partition())
	switch arn := read.ARN; {
	case !ok:
		t.stay("%s is not an account, a role or a user", written)
	case read.UniqueID != "":
		t.stay("%s is what is left of a role or user that was deleted", written)
	case arn.Account == t.gateway.Account():
		t.stay("%s belongs to the gateway's own account", written)
	case strings.ContainsAny(written, "*?"):
		t.stay("%s is a pattern, which no caller is named by", written)
	case t.names != nil && !arn.IsRoot():
		t.stay("it names %s and compares the caller's ARN as well", written)
	case t.names != nil:
		return t.named(arn)
	case arn.IsRoot():
		return []principal{{text: arn.Account}}
	default:
		return []principal{{text: arn.String()}}
	}
	return nil
}

// named are the roles and users of an account whose ARN the statement compares.
func (t *translation) named(root policy.IAMARN) []principal {
	var all []principal
	for _, name := range t.names {
		arn, ok := policy.ParseIAMARN(name)
		if ok && arn.Account == "*" {
			arn.Account = root.Account
		}
		isCaller := strings.HasPrefix(arn.Resource, "role/") || strings.HasPrefix(arn.Resource, "user/")
		switch {
		case !ok || !isCaller || !policy.IsAccountID(arn.Account):
			t.stay("it compares the caller's ARN with %s, which is no role or user of one account", name)
		case arn.Account == root.Account:
			all = append(all, principal{arn.String(), !strings.ContainsAny(arn.Resource, "*?")})
		}
	}
	return all
}

func (t *translation) row(who principal) grant.Attributes {
	row := make(grant.Attributes, len(t.common)+3)
	maps.Copy(row, t.common)
	row[grant.AttrPrincipal] = who.text
	if who.byName {
		row[grant.AttrFollow] = grant.FollowName.String()
	}
	row[grant.AttrGrant] = "to be named"
	if fault := grant.Parse(row).Fault; fault != nil {
		t.stay("it is no valid grant: %s: %s", fault.Op, fault.Hint)
	}
	delete(row, grant.AttrGrant)
	return row
}

func list(values []string) []any {
	all := make([]any, len(values))
	for i, value := range values {
		all[i] = value
	}
	return all
}
