package infra

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/event"
)

const (
	thisAccount  = "111122223333"
	otherAccount = "444455556666" // an owner's
)

// rule is a rule of the stack, with its pattern as it is once it is deployed.
type rule struct {
	id, function string
	bus          any // nil for the account's default bus
	pattern      any
}

// rules are those that invoke functions. The management account of the payloads
// is the account that they name.
func rules(t *testing.T, s stack) []rule {
	t.Helper()
	var all []rule
	queue, _ := at(s.Resources["RequestsPolicy"].Properties["PolicyDocument"], "Statement").([]any)
	mayQueue := at(queue[0], "Condition", "ArnEquals", "aws:SourceArn")
	for id, r := range s.of("AWS::Events::Rule") {
		target := at(r.Properties["Targets"].([]any)[0], "Arn").(string)
		function, invokes := strings.CutSuffix(target, "Function.Arn}")
		queued := target == "${Requests.Arn}"
		if queued {
			function, invokes = "${GatewayEvents", true // whose mapping reads the queue
		}
		raw, err := json.Marshal(r.Properties["EventPattern"])
		if err != nil {
			t.Fatal(err)
		}
		text := strings.NewReplacer("${AWS::AccountId}", thisAccount, "${ManagementAccountId}", thisAccount, `"${OwnerAccounts}"`, `["`+otherAccount+`"]`).Replace(string(raw))
		var pattern any
		if err := json.Unmarshal([]byte(text), &pattern); err != nil {
			t.Fatal(err)
		}
		// A notice is said once. All else only says where to look, where the sweep looks anyhow.
		if lost := at(r.Properties["Targets"].([]any)[0], "DeadLetterConfig", "Arn"); (lost == nil) != invokes {
			t.Errorf("what %s cannot deliver goes to %v", id, lost)
		}
		if !invokes {
			continue
		}
		all = append(all, rule{id, strings.TrimPrefix(function, "${"), r.Properties["EventBusName"], pattern})
		if queued {
			if !slices.Contains(texts(mayQueue), "${"+id+".Arn}") {
				t.Errorf("%s may not send to its queue", id)
			}
			continue
		}
		if permission := s.Resources[id+"MayInvoke"]; at(permission.Properties, "SourceArn") != "${"+id+".Arn}" || permission.Condition != r.Condition {
			t.Errorf("%s may not invoke its function", id)
		}
	}
	return all
}

// meantFor is the function that a payload of events/ is for; "" for none.
func meantFor(name string) string {
	switch prefix, _, _ := strings.Cut(name, "-"); {
	case name == "reconcile-requested-for-every-gateway":
		return "Sweep"
	case name == "reconcile-requested":
		return "GatewayEvents"
	case name == "cloudtrail-put-resource-policy-failed":
		return ""
	case prefix == "cloudtrail", name == "probe-gateways":
		return "GatewayEvents"
	case prefix == "organizations", prefix == "controltower", prefix == "tag", prefix == "probe":
		return "Organization"
	default:
		return "-" // no event of EventBridge
	}
}

func payloads(t *testing.T) map[string]map[string]any {
	t.Helper()
	paths, err := filepath.Glob("../events/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("payloads %v: %v", paths, err)
	}
	all := make(map[string]map[string]any)
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var payload map[string]any
		if err := json.Unmarshal(raw, &payload); err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(path), ".json")] = payload
	}
	return all
}

func TestPayloadsReachTheirFunctions(t *testing.T) {
	all := rules(t, read(t, "../template.yaml"))
	events := payloads(t)
	// The same call in an owner's account, which forwards it.
	elsewhere := maps.Clone(events["cloudtrail-put-resource-policy"])
	elsewhere["account"] = otherAccount
	events["cloudtrail-elsewhere"] = elsewhere
	// Only this account asks for reconciles, and only the management
	// account tells of accounts.
	for _, name := range []string{"reconcile-requested", "organizations-move-account"} {
		forged := maps.Clone(events[name])
		forged["account"] = "999900001111"
		events["forged "+name] = forged
	}
	type attempt struct{ event, rule int }
	var pairs [][2]any
	var names []string
	var of []attempt
	for name := range events {
		if meantFor(name) == "-" && !strings.HasPrefix(name, "forged ") {
			continue
		}
		names = append(names, name)
		for i := range all {
			pairs = append(pairs, [2]any{all[i].pattern, events[name]})
			of = append(of, attempt{len(names) - 1, i})
		}
	}
	var matches []bool
	python(t, pairs, &matches, "read.py", "match")
	reached := make([][]rule, len(names))
	for i, matched := range matches {
		if matched {
			reached[of[i].event] = append(reached[of[i].event], all[of[i].rule])
		}
	}
	for i, name := range names {
		want := meantFor(name)
		if strings.HasPrefix(name, "forged ") {
			want = ""
		}
		// The default bus carries this account's own calls, ours what others forward.
		wantDefault := strings.HasPrefix(name, "cloudtrail-") && name != "cloudtrail-elsewhere"
		var functions []string
		for _, r := range reached[i] {
			if onDefault := r.bus == nil; onDefault == wantDefault {
				functions = append(functions, r.function)
			}
		}
		if want == "" && len(functions) > 0 || want != "" && !slices.Equal(functions, []string{want}) {
			t.Errorf("%s reaches %v, want %q", name, functions, want)
		}
	}
	if len(names) < 20 {
		t.Errorf("only %d payloads were tried: the test does not see what it should", len(names))
	}
}

func TestTheStreamsHandOnWhatTableChangesReads(t *testing.T) {
	mappings, _ := read(t, "../template.yaml").Resources["TableChangesFunction"].Properties["Events"].(map[string]any)
	var pairs [][2]any
	var names []string
	var wanted []bool
	for name, payload := range payloads(t) {
		if !strings.HasPrefix(name, "dynamodb-stream-") {
			continue
		}
		mapping := "Grants"
		if strings.HasPrefix(name, "dynamodb-stream-account-") {
			mapping = "Accounts"
		}
		filters, _ := at(mappings[mapping], "Properties", "FilterCriteria", "Filters").([]any)
		for _, filter := range filters {
			var pattern any
			if err := json.Unmarshal([]byte(at(filter, "Pattern").(string)), &pattern); err != nil {
				t.Fatal(err)
			}
			for _, record := range payload["Records"].([]any) {
				partition, _ := at(record, "dynamodb", "Keys", "pk", "S").(string)
				pairs, names = append(pairs, [2]any{pattern, record}), append(names, name+" "+partition)
				wanted = append(wanted, strings.HasPrefix(partition, "ACCOUNT#") || partition == "TRUSTED" || partition == "OWNER")
			}
		}
	}
	var matches []bool
	python(t, pairs, &matches, "read.py", "match")
	for i, matched := range matches {
		if matched != wanted[i] {
			t.Errorf("the record %s is handed on: %t, want %t", names[i], matched, wanted[i])
		}
	}
	for name, mapping := range mappings {
		if p := at(mapping, "Properties"); !slices.Equal(texts(at(p, "FunctionResponseTypes")), []string{"ReportBatchItemFailures"}) ||
			at(p, "StartingPosition") != "TRIM_HORIZON" || at(p, "MaximumRetryAttempts") == nil || at(p, "MaximumRecordAgeInSeconds") == nil ||
			at(p, "DestinationConfig") != nil {
			t.Errorf("mapping %s is blocked by a record, or keeps what the sweep looks at anyhow", name)
		}
	}
	if len(matches) < 3 || len(mappings) != 2 {
		t.Errorf("%d records of %d mappings were tried: the test does not see what it should", len(matches), len(mappings))
	}
}

func TestEverySweepHasItsSchedule(t *testing.T) {
	want := map[string]string{
		event.SweepDue: "Sweep", event.SweepGateways: "Sweep",
		event.SweepOrganization: "Organization", event.SweepRechecks: "Organization",
	}
	for id, schedule := range read(t, "../template.yaml").of("AWS::Scheduler::Schedule") {
		target := schedule.Properties["Target"]
		var input struct{ Sweep string }
		if err := json.Unmarshal([]byte(at(target, "Input").(string)), &input); err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		if at(target, "Arn") != "${"+want[input.Sweep]+"Function.Arn}" {
			t.Errorf("%s: sweep %q goes to %v", id, input.Sweep, at(target, "Arn"))
		}
		delete(want, input.Sweep)
	}
	if len(want) > 0 {
		t.Errorf("no schedule for %v", want)
	}
}

// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
func TestQueueBoundsConcurrency(t *testing.T) {
	s := read(t, "../template.yaml")
	queue, function := s.Resources["Requests"].Properties, s.Resources["GatewayEventsFunction"].Properties
	mapping := at(function["Events"], "Requests", "Properties")
	if at(mapping, "Queue") != "${Requests.Arn}" || at(mapping, "BatchSize") != 1.0 || at(mapping, "ScalingConfig", "MaximumConcurrency") != "${ReconcileConcurrency}" {
		t.Errorf("the mapping is %v", mapping)
	}
	if queue["VisibilityTimeout"] != 6*function["Timeout"].(float64) || at(queue["RedrivePolicy"], "maxReceiveCount") != 5.0 {
		t.Errorf("the queue is %v", queue)
	}
	for id, f := range s.of("AWS::Serverless::Function") {
		if reserved := f.Properties["ReservedConcurrentExecutions"]; reserved != nil {
			t.Errorf("%s reserves %v, which a new account does not have", id, reserved)
		}
	}
}

// An alarm on a metric that no function writes never rings. Gauges are published with the
// functions' names as their one dimension.
func TestWatchedMetricsAreTheWrittenOnes(t *testing.T) {
	documented, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	written := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| metric \\|").FindAllStringSubmatch(string(documented), -1) {
		written[row[1]] = true
	}
	alarms := read(t, "../template.yaml").of("AWS::CloudWatch::Alarm")
	for id, alarm := range alarms {
		metric, _ := alarm.Properties["MetricName"].(string)
		if alarm.Properties["Namespace"] != "GatewayGrants" {
			continue
		}
		if !written[metric] {
			t.Errorf("%s watches %s, which docs/metrics.md does not have", id, metric)
		}
		delete(written, metric)
	}
	if len(written) > 0 {
		t.Errorf("no alarm watches %v", slices.Sorted(maps.Keys(written)))
	}
	if len(alarms) > 13 {
		t.Errorf("%d alarm metrics, of which each costs", len(alarms))
	}
}
