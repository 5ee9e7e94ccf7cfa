package iam_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
)

const (
	worker = "arn:aws:iam::111122223333:role/stack-WorkerRole-1A2B"
	jobs   = "arn:aws:dynamodb:us-east-1:111122223333:table/jobs"
	done   = "arn:aws:dynamodb:us-east-1:111122223333:table/done"
	events = "arn:aws:events:us-east-1:111122223333:event-bus/jobs"
)

// workerPolicy is all that the worker of the tests needs for ordinary.
const workerPolicy = `{"Version":"2012-10-17","Statement":[
	{"Sid":"Work","Effect":"Allow","Action":["dynamodb:GetItem","dynamodb:PutItem"],"Resource":["` + jobs + `","` + done + `"]},
	{"Sid":"Tell","Effect":"Allow","Action":"events:PutEvents","Resource":"` + events + `","Condition":{"StringEquals":{"events:source":"jobs"}}}]}`

type made struct{ action, resource, source string }

// ordinary is a run that uses everything.
var ordinary = []made{
	{"dynamodb:GetItem", jobs, ""}, {"dynamodb:PutItem", jobs, ""}, {"dynamodb:GetItem", done, ""}, {"dynamodb:PutItem", done, ""},
	{"events:PutEvents", events, "jobs"}, {"dynamodb:GetItem", jobs, ""},
}

// run has the calls decided by the policy, as a stand-in does.
func run(t *testing.T, document string, calls []made) (iam.Role, []policy.Call, []policy.Decision) {
	t.Helper()
	parsed, err := policy.Parse([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	role := iam.Role{Name: "WorkerRole", ARN: worker, Policies: []*policy.Document{parsed}}
	var asked []policy.Call
	var decided []policy.Decision
	for _, c := range calls {
		call := policy.Call{Caller: policy.Role(worker, "session"), Action: c.action, Resource: c.resource, Identity: role.Policies, Context: map[string][]string{}}
		if c.source != "" {
			call.Context["events:source"] = []string{c.source}
		}
		asked, decided = append(asked, call), append(decided, policy.Evaluate(call))
	}
	return role, asked, decided
}

func texts(findings []iam.Finding) []string {
	var texts []string
	for _, finding := range findings {
		texts = append(texts, finding.String())
	}
	return texts
}

func TestFullyUsedRoleIsLeastPrivileged(t *testing.T) {
	role, calls, decisions := run(t, workerPolicy, ordinary)
	if got := iam.LeastPrivilege([]iam.Role{role}, calls, decisions, nil); len(got) > 0 {
		t.Errorf("found %q", texts(got))
	}
}

func TestWhatIsMissingAndWhatIsSpareIsFound(t *testing.T) {
	cases := map[string]struct {
		reason, policy string
		calls          []made
		exceptions     []iam.Exception
		want           []string
	}{
		"a missing action": {
			"a call was denied, twice", `{"Version":"2012-10-17","Statement":{"Sid":"Work","Effect":"Allow","Action":"dynamodb:GetItem","Resource":"` + jobs + `"}}`,
			[]made{{"dynamodb:GetItem", jobs, ""}, {"dynamodb:PutItem", jobs, ""}, {"dynamodb:PutItem", jobs, ""}}, nil,
			[]string{"WorkerRole: dynamodb:PutItem on " + jobs + ": denied 2 times (NoIdentityAllow)"},
		},
		"a condition that is not met": {
			"that is a denied call like any other, and a statement without use", `{"Version":"2012-10-17","Statement":{"Sid":"Tell","Effect":"Allow","Action":"events:PutEvents","Resource":"` + events + `","Condition":{"StringEquals":{"events:source":"other"}}}}`,
			[]made{{"events:PutEvents", events, "jobs"}}, nil,
			[]string{
				"WorkerRole: events:PutEvents on " + events + ": denied once (NoIdentityAllow)",
				"WorkerRole: statement Tell allows events:PutEvents on " + events + ": never used",
			},
		},
		"a spare action": {
			"the statement's other one is used", workerPolicy, ordinary[1:5], nil,
			[]string{"WorkerRole: statement Work allows dynamodb:GetItem on " + jobs + ": never used"},
		},
		"a spare resource": {
			"it is never the one", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:GetItem","Resource":["` + jobs + `","` + done + `"]}}`,
			[]made{{"dynamodb:GetItem", done, ""}}, nil,
			[]string{"WorkerRole: statement 1 allows dynamodb:GetItem on " + jobs + ": never used"},
		},
		"a statement said twice": {
			"one of the two does", `{"Version":"2012-10-17","Statement":[
				{"Sid":"Wide","Effect":"Allow","Action":"dynamodb:GetItem","Resource":"arn:aws:dynamodb:us-east-1:111122223333:table/*"},
				{"Sid":"Narrow","Effect":"Allow","Action":"dynamodb:GetItem","Resource":"` + jobs + `"}]}`,
			[]made{{"dynamodb:GetItem", jobs, ""}, {"dynamodb:GetItem", done, ""}}, nil,
			[]string{"WorkerRole: statement Narrow allows dynamodb:GetItem on " + jobs + ": never used"},
		},
		"a wildcard": {
			"everything that it allows counts as used", `{"Version":"2012-10-17","Statement":{"Sid":"Work","Effect":"Allow","Action":"dynamodb:Get*","Resource":"` + jobs + `"}}`,
			[]made{{"dynamodb:GetItem", jobs, ""}}, nil,
			[]string{"WorkerRole: statement Work allows dynamodb:Get*: a wildcard hides what is never used"},
		},
		"an exclusion": {
			"so does this", `{"Version":"2012-10-17","Statement":{"Sid":"Work","Effect":"Allow","NotAction":"iam:*","Resource":"` + jobs + `"}}`,
			nil, nil,
			[]string{"WorkerRole: statement Work allows what it does not name: which part of it is never used is unknown"},
		},
		"a deny": {"nothing is allowed by it", `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`, nil, nil, nil},
		"an exception": {
			"there is a reason", workerPolicy, ordinary[1:5],
			[]iam.Exception{{Role: "WorkerRole", Statement: "Work", Action: "dynamodb:GetItem", Resource: "table/jobs", Reason: "once a year"}},
			nil,
		},
		"an exception for too much": {
			"each permission has its own reason", workerPolicy, ordinary[1:5],
			[]iam.Exception{{Role: "WorkerRole", Statement: "Work", Action: "dynamodb:GetItem", Resource: "table/done", Reason: "once a year"}},
			[]string{
				"WorkerRole: statement Work allows dynamodb:GetItem on " + jobs + ": never used",
				"WorkerRole: statement Work allows dynamodb:GetItem on table/done: an exception that nothing needs: it was used, or is not allowed any more",
			},
		},
		"an exception that is used": {
			"the list stays short", workerPolicy, ordinary,
			[]iam.Exception{{Role: "WorkerRole", Statement: "Tell", Action: "events:PutEvents", Reason: "no test sends events"}},
			[]string{"WorkerRole: statement Tell allows events:PutEvents: an exception that nothing needs: it was used, or is not allowed any more"},
		},
		"an exception without a reason": {
			"it cannot be judged", workerPolicy, ordinary[1:5],
			[]iam.Exception{{Role: "WorkerRole", Statement: "Work", Action: "dynamodb:GetItem"}},
			[]string{"WorkerRole: statement Work allows dynamodb:GetItem: an exception without a reason"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			role, calls, decisions := run(t, c.policy, c.calls)
			got := iam.LeastPrivilege([]iam.Role{role}, calls, decisions, c.exceptions)
			if diff := cmp.Diff(c.want, texts(got)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.reason, diff)
			}
		})
	}
}

func TestOnlyTheRolesOwnPoliciesCountAsUsed(t *testing.T) {
	role, calls, decisions := run(t, workerPolicy, ordinary)
	for i := range decisions {
		if calls[i].Action == "events:PutEvents" {
			decisions[i].Reason = policy.AllowedByResource
		}
	}
	calls = append(calls, policy.Call{Caller: policy.Role("arn:aws:iam::111122223333:role/Other", "session"), Action: "events:PutEvents", Resource: events, Context: map[string][]string{"events:source": {"jobs"}}})
	decisions = append(decisions, policy.Decision{Allowed: true, Reason: policy.AllowedByIdentity})

	want := []string{"WorkerRole: statement Tell allows events:PutEvents on " + events + ": never used"}
	if diff := cmp.Diff(want, texts(iam.LeastPrivilege([]iam.Role{role}, calls, decisions, nil))); diff != "" {
		t.Errorf("a resource policy and another role allowed the rest (-want +got):\n%s", diff)
	}
}

func TestWhatIsNeverUsedCanAllBeTakenOutAtOnce(t *testing.T) {
	const overlapping = `{"Version":"2012-10-17","Statement":[
		{"Sid":"A","Effect":"Allow","Action":["dynamodb:GetItem","dynamodb:PutItem"],"Resource":["arn:aws:dynamodb:*:*:table/jobs","` + jobs + `"]},
		{"Sid":"B","Effect":"Allow","Action":["dynamodb:GetItem","dynamodb:PutItem"],"Resource":["arn:aws:dynamodb:*:*:table/*","` + done + `"]}]}`
	role, calls, decisions := run(t, overlapping, ordinary[:4])
	kept := map[string]bool{}
	for _, finding := range iam.LeastPrivilege([]iam.Role{role}, calls, decisions, nil) {
		kept[finding.Statement+finding.Action+finding.Resource] = true
	}
	var left []policy.Statement
	for _, statement := range role.Policies[0].Statements {
		for _, action := range statement.Action {
			for _, resource := range statement.Resource {
				if !kept[statement.Sid+action+resource] {
					left = append(left, policy.Statement{Effect: policy.Allow, Action: []string{action}, Resource: []string{resource}})
				}
			}
		}
	}
	if len(left) != 4 {
		t.Errorf("four calls need four permissions, %d are left", len(left))
	}
	for _, call := range calls {
		call.Identity = []*policy.Document{{Version: policy.Version2012, Statements: left}}
		if !policy.Evaluate(call).Allowed {
			t.Errorf("%s on %s is not allowed any more", call.Action, call.Resource)
		}
	}
}
