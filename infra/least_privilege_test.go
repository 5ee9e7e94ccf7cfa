package infra

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
)

// plainNames makes names of resources out of references to them: in a policy, ${…}
// is a variable of IAM's.
var plainNames = strings.NewReplacer("${", "", "}", "")

// deployed is the role as findings have it, with its statements as text.
func deployed(role string, of []statement) iam.Role {
	document := &policy.Document{Version: policy.Version2012}
	for _, s := range of {
		one := policy.Statement{Sid: fmt.Sprint(s.sid), Effect: policy.Allow, Action: s.actions, Condition: policy.Condition{}}
		for _, resource := range s.resources {
			one.Resource = append(one.Resource, plainNames.Replace(resource))
		}
		operators, _ := s.condition.(map[string]any)
		for operator, keys := range operators {
			one.Condition[operator] = map[string][]string{}
			for key, values := range keys.(map[string]any) {
				for _, value := range texts(values) {
					one.Condition[operator][key] = append(one.Condition[operator][key], plainNames.Replace(value))
				}
			}
		}
		document.Statements = append(document.Statements, one)
	}
	return iam.Role{Name: role, ARN: "arn:aws:iam::111122223333:role/" + role, Policies: []*policy.Document{document}}
}

// everyUse is one call for every action on every resource that a role is allowed,
// as its statements' conditions want it.
func everyUse(role iam.Role) []policy.Call {
	var calls []policy.Call
	for _, s := range role.Policies[0].Statements {
		context := map[string][]string{}
		for operator, keys := range s.Condition {
			if operator == "Null" {
				continue // it asks that there is a value, which another operator names
			}
			for key, values := range keys {
				context[key] = values[:1]
			}
		}
		for _, action := range s.Action {
			for _, resource := range s.Resource {
				if resource != "*" {
					resource = strings.ReplaceAll(resource, "*", "any")
				}
				calls = append(calls, policy.Call{
					Caller: policy.Role(role.ARN, "session"), Action: action, Resource: resource, ResourceAccount: "111122223333", Context: context,
				})
			}
		}
	}
	return calls
}

// judged has the role's policies decide the calls, and compares.
func judged(role iam.Role, calls []policy.Call) []iam.Finding {
	var decided []policy.Decision
	for i := range calls {
		calls[i].Identity = role.Policies
		decided = append(decided, policy.Evaluate(calls[i]))
	}
	return iam.LeastPrivilege([]iam.Role{role}, calls, decided, nil)
}

// A run that uses everything is asked of each role in turn, whole, with one action
// taken from it, and with one given to it.
func TestMissingAndSparePermissionsAreFound(t *testing.T) {
	all := map[string][]statement{}
	for _, s := range statements(t, read(t, "../template.yaml")) {
		all[s.role] = append(all[s.role], s)
	}
	permissions := 0
	for name, of := range all {
		whole := deployed(name, of)
		calls := everyUse(whole)
		for _, finding := range judged(whole, calls) {
			t.Errorf("two statements allow the same, or a condition cannot be met: %s", finding)
		}
		for i, s := range whole.Policies[0].Statements {
			for j, action := range s.Action {
				permissions++
				missing := changed(whole, i, slices.Delete(slices.Clone(s.Action), j, j+1))
				found := judged(missing, calls)
				if len(found) == 0 || slices.ContainsFunc(found, func(f iam.Finding) bool { return f.Action != action || !strings.HasPrefix(f.Problem, "denied") }) {
					t.Errorf("%s without %s of statement %s: found %v", name, action, s.Sid, found)
				}
			}
			spare := changed(whole, i, append(slices.Clone(s.Action), "dynamodb:DeleteTable"))
			found := judged(spare, calls)
			if len(found) != len(s.Resource) || found[0].Problem != "never used" || found[0].Action != "dynamodb:DeleteTable" || found[0].Statement != s.Sid {
				t.Errorf("%s with dynamodb:DeleteTable in statement %s: found %v", name, s.Sid, found)
			}
		}
	}
	if permissions < 60 {
		t.Errorf("only %d permissions were looked at: the test does not see what it should", permissions)
	}
}

// changed is the role with other actions in one statement; without any, there is no
// statement.
func changed(role iam.Role, i int, actions []string) iam.Role {
	statements := slices.Clone(role.Policies[0].Statements)
	statements[i].Action = actions
	if len(actions) == 0 {
		statements = slices.Delete(statements, i, i+1)
	}
	role.Policies = []*policy.Document{role.Policies[0].WithStatements(statements...)}
	return role
}
