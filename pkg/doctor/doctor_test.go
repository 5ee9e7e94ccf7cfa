package doctor_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/doctor"
	"github.com/gateway-grants/gateway-grants/pkg/version"
)

var now = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

const gateway = "arn:aws:bedrock-agentcore:us-east-1:111122223333:gateway/tools-abcdefghij"

func read[T any](value T) doctor.Reading[T] { return doctor.Reading[T]{Value: value} }

// healthy is a deployment with an organization and an owner, at rest.
func healthy() doctor.Facts {
	trusted := read(true)
	state := doctor.TableState{Status: "ACTIVE", Protected: true, Recovery: true, Streaming: true}
	return doctor.Facts{
		Now: now, Region: "us-east-1", Account: "111122223333", Name: "gateway-grants",
		Stack: read(doctor.Stack{
			Name: "gateway-grants", Status: "UPDATE_COMPLETE",
			Outputs:    map[string]string{"Version": "1.2.3"},
			Parameters: map[string]string{"Name": "gateway-grants", "ManagementAccountId": "999900001111", "SweepMinutes": "60"},
		}),
		Program: "v1.2.3", // as the Go tool writes it
		Tables: []doctor.Table{
			{Name: "gateway-grants", Stream: true, Read: read(state)},
			{Name: "gateway-grants-state", Read: read(doctor.TableState{Status: "ACTIVE", Protected: true, Recovery: true})},
		},
		Sentinel: read(true), Synced: read(now.Add(-time.Hour)), Heartbeat: read(true), Organization: read(true), StackSets: &trusted,
		Mappings:  read([]doctor.Mapping{{ID: "1", Source: "gateway-grants", Function: "gateway-grants-table-changes", State: "Enabled"}}),
		Rules:     read([]doctor.Rule{{Name: "requested", Bus: "gateway-grants", Enabled: true}}),
		Schedules: read([]doctor.Schedule{{Name: "gateway-grants-due", Group: "gateway-grants", Enabled: true, Mend: "enable it"}, {Name: "gateway-grants-rechecks", Enabled: true, Directory: true}}),
		Queues:    []doctor.Queue{{Name: "gateway-grants-lost-requests", Lost: "requests", Mend: "infra/stack redrive", Messages: read(0)}},
		Alarms:    read([]doctor.Alarm{{Name: "heartbeat"}}),
		Trails:    read([]doctor.Trail{{Name: "off"}, {Name: "organization", Logging: true, Management: true}}),
		Owners:    []doctor.Owner{{Account: "444455556666", Assumed: read(true)}},
		Lists:     []doctor.List{{What: "trusted accounts", Table: "gateway-grants-accounts", Item: "trusted-sentinel.json", Proved: read(true)}},
		Forwarders: read([]doctor.Forwarder{{
			Account: "444455556666", Region: "eu-west-1", Rule: "gateway-grants-owner-events", Events: "calls on gateways", Template: "infra/owner-account.yaml",
			Arrived: true,
		}}),
		Attention: read([]doctor.Gateway{{ARN: gateway}}), Approvals: read([]string(nil)),
	}
}

// result is that of one check.
func result(t *testing.T, f doctor.Facts, check string) doctor.Result {
	t.Helper()
	results := doctor.Examine(f)
	i := slices.IndexFunc(results, func(r doctor.Result) bool { return r.Check == check })
	if i < 0 {
		t.Fatalf("there is no check %s", check)
	}
	return results[i]
}

func TestAHealthyDeploymentHasNoFindings(t *testing.T) {
	results := doctor.Examine(healthy())
	if !doctor.Healthy(results) {
		t.Errorf("%+v", results)
	}
	for _, r := range results {
		if r.Status != doctor.OK {
			t.Errorf("check %s is %s", r.Check, r.Status)
		}
	}
}

func TestEachFaultIsFoundWithWhatMendsIt(t *testing.T) {
	table := func(change func(*doctor.TableState)) func(*doctor.Facts) {
		return func(f *doctor.Facts) { change(&f.Tables[0].Read.Value) }
	}
	attention := func(g doctor.Gateway) func(*doctor.Facts) {
		g.ARN = gateway
		return func(f *doctor.Facts) { f.Attention = read([]doctor.Gateway{g}) }
	}
	cases := map[string]struct {
		check, what, mend string
		plant             func(*doctor.Facts)
	}{
		"a failed update":      {"stack", "UPDATE_ROLLBACK_COMPLETE", "describe-stack-events", func(f *doctor.Facts) { f.Stack.Value.Status = "UPDATE_ROLLBACK_COMPLETE" }},
		"an update under way":  {"stack", "being changed", "wait stack-update-complete", func(f *doctor.Facts) { f.Stack.Value.Status = "UPDATE_IN_PROGRESS" }},
		"no stack":             {"stack", "no stack gateway-grants in account 111122223333", "make deploy", func(f *doctor.Facts) { f.Stack.Value.Missing = true }},
		"an older program":     {"version", "version 1.2.3 is deployed, and this command line is 1.2.2", "of version 1.2.3", func(f *doctor.Facts) { f.Program = "1.2.2" }},
		"no table":             {"tables", "missing", "backup", table(func(s *doctor.TableState) { s.Missing = true })},
		"a table on its way":   {"tables", "UPDATING", "wait table-exists", table(func(s *doctor.TableState) { s.Status = "UPDATING" })},
		"no protection":        {"tables", "may be deleted", "--deletion-protection-enabled", table(func(s *doctor.TableState) { s.Protected = false })},
		"no recovery":          {"tables", "point in time", "update-continuous-backups", table(func(s *doctor.TableState) { s.Recovery = false })},
		"no stream":            {"tables", "no stream", "--stream-specification", table(func(s *doctor.TableState) { s.Streaming = false })},
		"no sentinel":          {"sentinel", "no policy changes", "infra/sentinel.json", func(f *doctor.Facts) { f.Sentinel = read(false) }},
		"an unproved list":     {"sentinel", "list of trusted accounts", "--table-name gateway-grants-accounts --item file://infra/trusted-sentinel.json", func(f *doctor.Facts) { f.Lists[0].Proved = read(false) }},
		"a lost probe":         {"forwarders", "calls on gateways of account 444455556666, eu-west-1, do not arrive", "enable-rule --region eu-west-1 --name gateway-grants-owner-events", func(f *doctor.Facts) { f.Forwarders.Value[0].Arrived = false }},
		"a mapping off":        {"mappings", "takes nothing from gateway-grants (Disabled)", "--uuid 1 --enabled", func(f *doctor.Facts) { f.Mappings.Value[0].State = "Disabled" }},
		"a mapping that fails": {"mappings", "PROBLEM: Function call failed", "logs tail", func(f *doctor.Facts) { f.Mappings.Value[0].Problem = "PROBLEM: Function call failed" }},
		"a rule off":           {"rules", "requested is off", "enable-rule --name requested --event-bus-name gateway-grants", func(f *doctor.Facts) { f.Rules.Value[0].Enabled = false }},
		"a rule deleted":       {"rules", "requested is missing", "--deployment-mode REVERT_DRIFT", func(f *doctor.Facts) { f.Rules.Value[0].Missing = true }},
		"a schedule off":       {"schedules", "gateway-grants-due is off", "enable it", func(f *doctor.Facts) { f.Schedules.Value[0].Enabled = false }},
		"a schedule deleted":   {"schedules", "missing", "ParameterKey=SweepMinutes,UsePreviousValue=true", func(f *doctor.Facts) { f.Schedules.Value[0].Missing = true }},
		"lost requests":        {"queues", "holds 3 requests", "infra/stack redrive", func(f *doctor.Facts) { f.Queues[0].Messages = read(3) }},
		"no heartbeat":         {"heartbeat", "no sweep", "/aws/lambda/gateway-grants-sweep", func(f *doctor.Facts) { f.Heartbeat = read(false) }},
		"no trail":             {"trail", "no trail logs", "create-trail", func(f *doctor.Facts) { f.Trails = read([]doctor.Trail(nil)) }},
		"a trail off":          {"trail", "60 minutes later", "start-logging --name off", func(f *doctor.Facts) { f.Trails = read([]doctor.Trail{{Name: "off", Management: true}}) }},
		"a trail of data":      {"trail", "no trail logs", "put-event-selectors --trail-name data", func(f *doctor.Facts) { f.Trails = read([]doctor.Trail{{Name: "data", Logging: true}}) }},
		"an owner's role":      {"owners", "account 444455556666 cannot be reached: denied", "infra/owner-account.yaml", func(f *doctor.Facts) { f.Owners[0].Assumed = doctor.Reading[bool]{Err: "denied"} }},
		"never listed":         {"organization", "never been listed", "infra/organization-events.yaml", func(f *doctor.Facts) { f.Synced = read(time.Time{}) }},
		"an old listing":       {"organization", "last listed at 2026-11-27T08:00:00Z", "logs tail", func(f *doctor.Facts) { f.Synced = read(now.Add(-4 * time.Hour)) }},
		"no delegation":        {"organization", "may not read", "Delegate=yes", func(f *doctor.Facts) { f.Organization = read(false) }},
		"no trusted access":    {"organization", "trusted access", "activate-organizations-access", func(f *doctor.Facts) { untrusted := read(false); f.StackSets = &untrusted }},
		"a failing gateway":    {"gateways", "may not be what", "gateway-grants list", attention(doctor.Gateway{Failing: true})},
		"a grant left out":     {"gateways", "1 grant is left out", "gateway-grants list", attention(doctor.Gateway{LeftOut: 1})},
		"little room":          {"gateways", "nearly full", "OUs", attention(doctor.Gateway{NearlyFull: true})},
		"a tag lost":           {"gateways", "is not managed", "tag-resource", attention(doctor.Gateway{LetsIn: true})},
		"a sibling":            {"gateways", "installation old", "--installation-id old", attention(doctor.Gateway{Siblings: []string{"old"}})},
		"an approval":          {"approvals", "account 444455556666", "gateway-grants approve", func(f *doctor.Facts) { f.Approvals = read([]string{"account 444455556666 is held"}) }},
		"an alarm":             {"alarms", "in ALARM", "describe-alarm-history", func(f *doctor.Facts) { f.Alarms.Value[0].Ringing = true }},
		"an alarm muted":       {"alarms", "actions", "enable-alarm-actions", func(f *doctor.Facts) { f.Alarms.Value[0].Muted = true }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := healthy()
			c.plant(&f)
			r := result(t, f, c.check)
			if r.Status != doctor.Found || len(r.Findings) != 1 {
				t.Fatalf("want one finding, got %+v", r)
			}
			if found := r.Findings[0]; !strings.Contains(found.What, c.what) || !strings.Contains(found.Mend, c.mend) {
				t.Errorf("got %+v, want %q mended by %q", found, c.what, c.mend)
			}
		})
	}
}

// What could not be read is not healthy, and the check says why.
func TestWhatCannotBeReadIsNotHealthy(t *testing.T) {
	const why = "AWS denies this"
	cases := map[string]func(*doctor.Facts){
		"tables":       func(f *doctor.Facts) { f.Tables[1].Read.Err = why },
		"sentinel":     func(f *doctor.Facts) { f.Sentinel.Err = why },
		"mappings":     func(f *doctor.Facts) { f.Mappings.Err = why },
		"rules":        func(f *doctor.Facts) { f.Rules.Err = why },
		"schedules":    func(f *doctor.Facts) { f.Schedules.Err = why },
		"queues":       func(f *doctor.Facts) { f.Queues[0].Messages.Err = why },
		"heartbeat":    func(f *doctor.Facts) { f.Heartbeat.Err = why },
		"trail":        func(f *doctor.Facts) { f.Trails.Err = why },
		"organization": func(f *doctor.Facts) { f.Organization.Err = why },
		"gateways":     func(f *doctor.Facts) { f.Attention.Err = why },
		"approvals":    func(f *doctor.Facts) { f.Approvals.Err = why },
		"forwarders":   func(f *doctor.Facts) { f.Forwarders.Err = why },
		"alarms":       func(f *doctor.Facts) { f.Alarms.Err = why },
	}
	for check, plant := range cases {
		t.Run(check, func(t *testing.T) {
			f := healthy()
			plant(&f)
			if r := result(t, f, check); r.Status != doctor.Unread || !slices.Equal(r.Unread, []string{why}) {
				t.Errorf("got %+v", r)
			}
			if doctor.Healthy(doctor.Examine(f)) {
				t.Error("it counts as healthy")
			}
		})
	}
}

func TestMissingStackIsUnhealthy(t *testing.T) {
	for _, r := range doctor.Examine(doctor.Facts{Stack: doctor.Reading[doctor.Stack]{Err: "AWS denies this"}}) {
		if r.Status != doctor.Unread {
			t.Errorf("check %s is %s", r.Check, r.Status)
		}
	}
}

func TestWhatADeploymentDoesNotHaveIsSkipped(t *testing.T) {
	f := healthy()
	delete(f.Stack.Value.Parameters, "ManagementAccountId")
	f.Schedules.Value[1].Enabled = false // that of the organization
	f.Owners, f.Synced, f.Forwarders = nil, read(time.Time{}), read([]doctor.Forwarder(nil))
	delete(f.Stack.Value.Outputs, "Version")
	for check, want := range map[string]doctor.Status{"version": doctor.Skipped, "organization": doctor.Skipped, "owners": doctor.Skipped, "forwarders": doctor.Skipped, "schedules": doctor.OK} {
		if r := result(t, f, check); r.Status != want {
			t.Errorf("check %s is %s, want %s", check, r.Status, want)
		}
	}
	if !doctor.Healthy(doctor.Examine(f)) {
		t.Error("it does not count as healthy")
	}
	f.Stack.Value.Outputs["Version"], f.Program = "1.2.3", version.Unknown
	if r := result(t, f, "version"); r.Status != doctor.Skipped {
		t.Errorf("a command line without a version: %+v", r)
	}
}

// The Makefile and the Go tool name the same commit in ways of their own.
func TestVersionsAreComparedByReleaseOrCommit(t *testing.T) {
	for _, c := range []struct {
		deployed, program string
		want              doctor.Status
	}{
		{"1.2.3", "v1.2.3", doctor.OK},
		{"1.2.3", "v1.2.4", doctor.Found},
		{"6701102", "v0.0.0-20261128084209-67011025e9d3", doctor.OK},
		{"6701102-dirty", "v0.0.0-20261128084209-67011025e9d3+dirty", doctor.OK},
		{"v1.2.3-4-g6701102", "v1.2.4-0.20261128084209-67011025e9d3", doctor.OK},
		{"v1.2.3-4-g6701102", "v1.2.4-0.20261128084209-58a866a5e9d3", doctor.Found},
		{"1.2.3", "v1.2.4-0.20261128084209-67011025e9d3", doctor.Found},
		{"(devel)", "v1.2.3", doctor.Skipped}, // sam deploy without make
		{"1.2.3", "(devel)", doctor.Skipped},
	} {
		f := healthy()
		f.Stack.Value.Outputs["Version"], f.Program = c.deployed, c.program
		if r := result(t, f, "version"); r.Status != c.want {
			t.Errorf("%s deployed and the command line %s: %+v, want %s", c.deployed, c.program, r, c.want)
		}
	}
}

func TestOwnerThatHasNotJoinedIsNoFinding(t *testing.T) {
	f := healthy()
	f.Owners = append(f.Owners, doctor.Owner{Account: "777788889999", NotJoined: true})
	for _, r := range doctor.Examine(f) {
		if r.Check == "owners" && (r.Status != doctor.OK || !strings.Contains(r.Note, "1 NotJoined, such as 777788889999")) {
			t.Errorf("%+v", r)
		}
	}
}

// What could not be sent was not tried, and where only some may send that is no fault.
func TestAProbeThatWasNotSentIsNoFinding(t *testing.T) {
	const why = "AWS denies this"
	f := healthy()
	f.Forwarders.Value[0].Unsent, f.Forwarders.Value[0].Arrived = why, false
	if r := result(t, f, "forwarders"); r.Status != doctor.Unread || !slices.Equal(r.Unread, []string{"calls on gateways of account 444455556666, eu-west-1: " + why}) {
		t.Errorf("%+v", r)
	}
	f = healthy()
	untried := doctor.Forwarder{Account: "999900001111", Template: "infra/organization-events.yaml", NotTried: true}
	f.Forwarders.Value = append(f.Forwarders.Value, untried, untried) // two rules of one account
	const note = "no probe was sent in account 999900001111: HubAdminRoles of infra/organization-events.yaml does not name your role"
	if r := result(t, f, "forwarders"); r.Status != doctor.OK || r.Note != note {
		t.Errorf("one of two: %+v", r)
	}
	f.Forwarders.Value = f.Forwarders.Value[1:]
	if r := result(t, f, "forwarders"); r.Status != doctor.Skipped || r.Note != note {
		t.Errorf("the only one: %+v", r)
	}
}
