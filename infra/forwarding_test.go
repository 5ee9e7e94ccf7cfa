package infra

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/event"
)

// forwarded is what the rules of a stack in thisAccount hand on, by the rule.
func forwarded(t *testing.T, s stack, events map[string]map[string]any) map[string]string {
	t.Helper()
	var pairs [][2]any
	var names, ids []string
	for id, r := range s.of("AWS::Events::Rule") {
		raw, err := json.Marshal(r.Properties["EventPattern"])
		if err != nil {
			t.Fatal(err)
		}
		var pattern any
		if err := json.Unmarshal([]byte(strings.ReplaceAll(string(raw), "${AWS::AccountId}", thisAccount)), &pattern); err != nil {
			t.Fatal(err)
		}
		for name, event := range events {
			pairs, names, ids = append(pairs, [2]any{pattern, event}), append(names, name), append(ids, id)
		}
	}
	var matches []bool
	python(t, pairs, &matches, "read.py", "match")
	by := make(map[string]string)
	for i, matched := range matches {
		if matched {
			by[names[i]] += ids[i]
		}
	}
	return by
}

// fromBus are the payloads that arrive on an event bus, each also as if another
// account had sent it.
func fromBus(t *testing.T) map[string]map[string]any {
	t.Helper()
	events := payloads(t)
	maps.DeleteFunc(events, func(_ string, event map[string]any) bool { return event["detail-type"] == nil })
	for name, event := range maps.Clone(events) {
		foreign := maps.Clone(event)
		foreign["account"] = "999900001111"
		events["foreign "+name] = foreign
	}
	return events
}

func TestManagementAccountForwardsOnlyAccountEvents(t *testing.T) {
	const accounts, tags, tower = "AccountsChange", "TagsChange", "ControlTowerChanges"
	want := map[string]string{
		"organizations-create-account-result":        accounts,
		"organizations-create-account-result-failed": accounts, // a result is no failed call; the function lets it go
		"organizations-account-joined":               accounts,
		"organizations-account-departed":             accounts,
		"organizations-move-account":                 accounts,
		"organizations-remove-account":               accounts,
		"organizations-close-account":                accounts,
		"organizations-close-account-result":         accounts,
		"organizations-tag-resource":                 accounts,
		"organizations-tag-resource-on-unit":         accounts, // the id tells, which a pattern cannot
		"organizations-untag-resource":               accounts,
		"tag-change-on-account":                      tags,
		"probe-accounts":                             accounts, // each rule its own
		"probe-tags":                                 tags,
		"controltower-create-managed-account":        tower,
		"controltower-update-managed-account":        tower,
	}
	if diff := cmp.Diff(want, forwarded(t, read(t, "organization-events.yaml"), fromBus(t))); diff != "" {
		t.Errorf("-want +forwarded\n%s", diff)
	}
}

func TestOwnerForwardsOnlyGatewayEvents(t *testing.T) {
	const rule = "GatewaysTouched"
	want := map[string]string{
		"cloudtrail-create-gateway": rule, "cloudtrail-update-gateway": rule, "cloudtrail-delete-gateway": rule,
		"cloudtrail-put-resource-policy": rule, "cloudtrail-delete-resource-policy": rule,
		"cloudtrail-put-resource-policy-own": rule, // the function knows it by its user agent
		"cloudtrail-tag-resource":            rule, "cloudtrail-untag-resource": rule,
		"probe-gateways": rule,
	}
	if diff := cmp.Diff(want, forwarded(t, read(t, "owner-account.yaml"), fromBus(t))); diff != "" {
		t.Errorf("-want +forwarded\n%s", diff)
	}
}

// What is sent to a bus of another account needs a role that may put it there, and
// a queue for what that bus does not take, which the rule may write to.
func TestWhatIsForwardedIsNeverLostSilently(t *testing.T) {
	for _, path := range []string{"organization-events.yaml", "owner-account.yaml"} {
		s := read(t, path)
		for id, r := range s.of("AWS::Events::Rule") {
			targets, _ := r.Properties["Targets"].([]any)
			if len(targets) != 1 {
				t.Fatalf("%s: %s has %d targets", path, id, len(targets))
			}
			for member, want := range map[string]string{"Arn": "${HubBusArn}", "RoleArn": "${ForwardRole.Arn}"} {
				if got := at(targets[0], member); got != want {
					t.Errorf("%s: the %s of %s's target is %v, want %s", path, member, id, got, want)
				}
			}
			if at(targets[0], "DeadLetterConfig", "Arn") != "${LostEvents.Arn}" {
				t.Errorf("%s: what %s cannot deliver is lost", path, id)
			}
		}
		role := s.Resources["ForwardRole"].Properties["Policies"].([]any)[0]
		statements, _ := at(role, "PolicyDocument", "Statement").([]any)
		want := map[string]any{"Effect": "Allow", "Action": "events:PutEvents", "Resource": "${HubBusArn}"}
		if diff := cmp.Diff([]any{want}, statements); diff != "" {
			t.Errorf("%s: what forwards may do more, or less: -want +got\n%s", path, diff)
		}
		queue, _ := at(s.Resources["LostEventsPolicy"].Properties["PolicyDocument"], "Statement").([]any)
		if len(queue) != 1 || at(queue[0], "Principal", "Service") != "events.amazonaws.com" || at(queue[0], "Condition") == nil {
			t.Errorf("%s: rules may not write to the queue, or others may", path)
		}
	}
}

// CloudFormation trims the stack's name in those that it makes up, and a StackSet's stack has a
// long one: a pattern over the stack's name would never match.
func TestNoNameOfAnOwnersStackDependsOnTheStacks(t *testing.T) {
	s := read(t, "owner-account.yaml")
	rule, forward := s.Resources["GatewaysTouched"].Properties, s.Resources["ForwardRole"].Properties
	trust := forward["AssumeRolePolicyDocument"].(map[string]any)["Statement"].([]any)[0]
	source, _ := at(trust, "Condition", "ArnEquals", "aws:SourceArn").(string)
	if name, _ := rule["Name"].(string); name == "" || !strings.HasSuffix(source, ":rule/"+name) || forward["RoleName"] == nil {
		t.Errorf("the rule %v forwards with the role %v, which trusts %s", rule["Name"], forward["RoleName"], source)
	}
	for id, r := range s.Resources {
		if raw, err := json.Marshal(r); err != nil || strings.Contains(string(raw), "AWS::StackName") {
			t.Errorf("%s depends on the stack's name: %v", id, err)
		}
	}
}

func TestOrganizationStackHasFixedNames(t *testing.T) {
	s := read(t, "organization-events.yaml")
	const prefix = "${NamePrefix}-"
	trust := s.Resources["ForwardRole"].Properties["AssumeRolePolicyDocument"].(map[string]any)["Statement"].([]any)[0]
	queue, _ := at(s.Resources["LostEventsPolicy"].Properties["PolicyDocument"], "Statement").([]any)
	for what, source := range map[string]any{"the role trusts": at(trust, "Condition", "ArnLike", "aws:SourceArn"), "the queue takes from": at(queue[0], "Condition", "ArnLike", "aws:SourceArn")} {
		if text, _ := source.(string); !strings.HasSuffix(text, ":rule/"+prefix+"*") {
			t.Errorf("%s %v", what, source)
		}
	}
	for id, r := range s.Resources {
		name, _ := r.Properties["Name"].(string)
		if r.Type == "AWS::Events::Rule" && !strings.HasPrefix(name, prefix) {
			t.Errorf("rule %s is named %q, which the role does not trust", id, name)
		}
		if raw, err := json.Marshal(r); err != nil || strings.Contains(string(raw), "AWS::StackName") {
			t.Errorf("%s depends on the stack's name: %v", id, err)
		}
	}
}

// CloudTrail marks events as read-only that tell of accounts, and a rule that is
// just enabled does not see those.
func TestTheRuleForAccountsSeesReadOnlyEvents(t *testing.T) {
	rule := read(t, "organization-events.yaml").Resources["AccountsChange"]
	if rule.Properties["State"] != "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS" {
		t.Errorf("its state is %v", rule.Properties["State"])
	}
}

func TestOwnerRoleWritesOnlyTaggedGateways(t *testing.T) {
	role := read(t, "owner-account.yaml").Resources["OwnerRole"].Properties
	trusts := role["AssumeRolePolicyDocument"].(map[string]any)["Statement"].([]any)
	trust, admins := trusts[0], trusts[1] // the hub's admins come by their own roles, with the same external id
	if at(admins, "Condition", "StringEquals", "sts:ExternalId") != "${ExternalId}" || at(admins, "Condition", "ArnLike", "aws:PrincipalArn") != "${HubAdminRoles}" || len(trusts) != 2 {
		t.Errorf("the hub's admins: %v", admins)
	}
	want := map[string]any{
		"StringEquals": map[string]any{"sts:ExternalId": "${ExternalId}"},
		"ArnLike":      map[string]any{"aws:PrincipalArn": "arn:${AWS::Partition}:iam::${HubAccountId}:role/${HubRolePrefix}*"},
	}
	if diff := cmp.Diff(want, at(trust, "Condition")); diff != "" {
		t.Errorf("who may assume it: -want +got\n%s", diff)
	}
	statements, _ := at(role["Policies"].([]any)[0], "PolicyDocument", "Statement").([]any)
	var may []string
	for _, statement := range statements {
		if at(statement, "Sid") == "SendProbes" {
			continue // TestOnlyProbesAreSentForTheHub
		}
		for _, action := range texts(at(statement, "Action")) {
			may = append(may, action)
			writes := strings.Contains(action, ":Put") || strings.Contains(action, ":Delete")
			if tagged := at(statement, "Condition", "StringEquals", "aws:ResourceTag/gateway-grants:managed") == "true"; writes != tagged {
				t.Errorf("%s is bound to the tag: %v", action, tagged)
			}
		}
	}
	slices.Sort(may)
	if diff := cmp.Diff([]string{
		"bedrock-agentcore:DeleteResourcePolicy", "bedrock-agentcore:GetGateway", "bedrock-agentcore:GetResourcePolicy",
		"bedrock-agentcore:ListGateways", "bedrock-agentcore:ListTagsForResource", "bedrock-agentcore:PutResourcePolicy",
	}, may); diff != "" {
		t.Errorf("what it may do: -want +got\n%s", diff)
	}
}

// Who may send a probe may send nothing else, and nowhere but to the bus that the rules are on.
func TestOnlyProbesAreSentForTheHub(t *testing.T) {
	for path, want := range map[string]struct{ role, source, region string }{
		"owner-account.yaml":       {"OwnerRole", event.ProbeGateways, "*"}, // the role is made in one Region for all
		"organization-events.yaml": {"ProbeRole", event.ProbeAccounts, "${AWS::Region}"},
	} {
		sends := 0
		for _, s := range statements(t, read(t, path)) {
			if s.role != want.role || !s.allows("events:PutEvents") {
				continue
			}
			sends++
			if !slices.Equal(s.actions, []string{"events:PutEvents"}) ||
				!slices.Equal(s.resources, []string{"arn:${AWS::Partition}:events:" + want.region + ":${AWS::AccountId}:event-bus/default"}) ||
				at(s.condition, "ForAllValues:StringEquals", "events:source") != want.source || at(s.condition, "Null", "events:source") != "false" {
				t.Errorf("%s: %s: %v on %v if %v", path, s, s.actions, s.resources, s.condition)
			}
		}
		if sends != 1 {
			t.Errorf("%s: %d statements let %s send", path, sends, want.role)
		}
	}
	trust, _ := at(read(t, "organization-events.yaml").Resources["ProbeRole"].Properties, "AssumeRolePolicyDocument", "Statement").([]any)
	if len(trust) != 1 || at(trust[0], "Condition", "ArnLike", "aws:PrincipalArn") != "${HubAdminRoles}" {
		t.Errorf("the role is assumed by %v", trust)
	}
}
