package handler_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/dirsync"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/handler"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/alarm"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

// templateAlarms reads the alarms of template.yaml.
func templateAlarms(t *testing.T) map[string]alarm.Definition {
	t.Helper()
	infra := filepath.Join(cloudtest.Repository(t), "infra")
	command := exec.Command(cloudtest.Python(t), filepath.Join(infra, "read.py"), "stack", filepath.Join(infra, "..", "template.yaml"))
	output, err := command.Output()
	check(t, err)
	var stack struct {
		Resources map[string]struct {
			Type       string
			Properties json.RawMessage
		}
	}
	check(t, json.Unmarshal(output, &stack))
	alarms := map[string]alarm.Definition{}
	for id, resource := range stack.Resources {
		if resource.Type != "AWS::CloudWatch::Alarm" {
			continue
		}
		var p struct {
			Namespace, MetricName, Statistic, ComparisonOperator, TreatMissingData string
			Dimensions                                                             []struct{ Value map[string]any }
			Threshold                                                              float64
			Period, EvaluationPeriods                                              int
		}
		check(t, json.Unmarshal(resource.Properties, &p))
		of := ""
		for _, value := range p.Dimensions[0].Value { // Ref or GetAtt
			of = strings.Trim(strings.Split(fmt.Sprint(value), " ")[0], "[]")
		}
		alarms[id] = alarm.Definition{
			Metric:    alarm.Metric{Namespace: p.Namespace, Name: p.MetricName, Dimension: of},
			Statistic: p.Statistic, Operator: p.ComparisonOperator, Threshold: p.Threshold, Missing: p.TreatMissingData,
			Period: time.Duration(p.Period) * time.Second, Evaluations: p.EvaluationPeriods,
		}
	}
	return alarms
}

// ward is an estate whose schedules run by the minute, with the template's alarms on what
// its functions publish.
type ward struct {
	*estate

	alarms         map[string]alarm.Definition
	watch          *alarm.Watch
	changes        []alarm.Change
	asleep         bool // no schedule runs
	noOrganization bool
	undelegated    bool // the organization cannot be listed
}

func newWard(t *testing.T) *ward {
	t.Helper()
	w := &ward{estate: newEstate(t, &stepped{now: at}, nil), alarms: templateAlarms(t)}
	var err error
	w.watch, err = alarm.NewWatch(w.alarms, at)
	check(t, err)
	return w
}

// published takes what a function publishes.
type published struct {
	ward     *ward
	function string
}

func (p published) Emit(_ context.Context, _ string, values map[string]int) {
	for name, value := range values {
		if handler.IsGauge(name) {
			p.ward.put("GatewayGrants", name, p.function, float64(value))
		}
	}
}

func (w *ward) put(namespace, name, of string, value float64) {
	w.watch.Put(alarm.Metric{Namespace: namespace, Name: name, Dimension: of}, w.clock.Now(), value)
}

// minute runs what the schedules run, and what that sets off. A run that fails counts as
// Lambda counts it.
func (w *ward) minute() {
	sweep, organization := w.sweep(), w.organizationEvents()
	sweep.Metrics, organization.Metrics = published{w, "SweepFunction"}, published{w, "OrganizationFunction"}
	if w.undelegated {
		organization.Directory = dirsync.New(throttled{w.organization}, w.accounts, w.grants, w.clock.Now)
	}
	run := func(function string, handle func(context.Context, json.RawMessage) error, input string) {
		failed := 0.0
		if handle(context.Background(), json.RawMessage(input)) != nil {
			failed = 1
		}
		w.put("AWS/Lambda", "Errors", function, failed)
		w.settle()
	}
	if !w.asleep {
		moment := w.clock.Now()
		run("SweepFunction", sweep.Handle, `{"sweep":"gateways","at":"`+moment.Format(time.RFC3339)+`"}`)
		run("SweepFunction", sweep.Handle, `{"sweep":"due"}`)
		if !w.noOrganization {
			run("OrganizationFunction", organization.Handle, `{"sweep":"rechecks"}`)
			if moment.Minute() == 0 {
				run("OrganizationFunction", organization.Handle, `{"sweep":"organization"}`)
			}
		}
	}
	check(w.t, w.clock.Sleep(context.Background(), time.Minute))
	w.changes = append(w.changes, w.watch.Evaluate(w.clock.Now())...)
	w.watch.Forget(w.clock.Now().Add(-time.Hour))
}

func (w *ward) during(d time.Duration) {
	for range int(d / time.Minute) {
		w.minute()
	}
}

// rang lists the alarms that rang, and those that ended, in order.
func (w *ward) rang() []string {
	var all []string
	for _, change := range w.changes {
		switch {
		case change.To == alarm.Alarm:
			all = append(all, change.Alarm+" rang")
		case change.From == alarm.Alarm:
			all = append(all, change.Alarm+" ended")
		}
	}
	w.changes = nil
	return all
}

// estates are what may be about in an account, none of it a fault.
func (w *ward) settled() (managed grant.Gateway) {
	managed = w.gateway("managed", true)
	w.gateway("of-others", false)
	_, err := w.service.CreateGateway(owner, model.CreateGatewayInput{
		GatewaySettings: model.GatewaySettings{
			Name: "jwt", RoleARN: "arn:aws:iam::111122223333:role/R", ProtocolType: "MCP", AuthorizerType: model.CustomJWT,
			AuthorizerConfiguration: &model.AuthorizerSettings{CustomJWT: &model.JWTSettings{
				DiscoveryURL: "https://example.com/.well-known/openid-configuration", AllowedClients: []string{"c"},
			}},
		},
		Tags: map[string]string{plan.ManagedTag: plan.ManagedValue},
	})
	check(w.t, err)
	gone := w.gateway("gone", true)
	check(w.t, w.organization.CreateAccount(member))
	w.grant(managed.ARN(), "account-b", member)
	w.grant(gone.ARN(), "of-a-deleted-gateway", member)
	w.grant("*", "everywhere", "o-exampleorgid")
	w.settle()
	_, err = w.service.DeleteGateway(owner, gone.ARN()[strings.LastIndex(gone.ARN(), "/")+1:])
	check(w.t, err)
	return managed
}

func TestDayAtRestRaisesNoAlarm(t *testing.T) {
	for name, off := range map[string]bool{"with an organization": false, "without one": true} {
		t.Run(name, func(t *testing.T) {
			w := newWard(t)
			w.noOrganization = off
			w.settled()
			w.during(24 * time.Hour)
			if rang := w.rang(); len(rang) > 0 {
				t.Errorf("alarms: %v", rang)
			}
			for name, a := range w.alarms {
				if state := w.watch.State(name); state != alarm.OK && a.Namespace == "GatewayGrants" && (!off || a.Dimension != "OrganizationFunction") {
					t.Errorf("after a day at rest %s is %s: nothing publishes its metric", name, state)
				}
			}
		})
	}
}

// In the order of docs/operations.md: the stack stands, then the sentinel row is put, then
// the management account delegates.
func TestFirstDeploymentRaisesNoAlarm(t *testing.T) {
	w := newWard(t)
	_, err := w.grants.Delete(t.Context(), grant.Key{Gateway: grant.EveryGateway, ID: grant.SentinelID})
	check(t, err)
	w.undelegated = true
	w.deaf = true // what an event fails for comes again, and is lost in the end
	managed := w.settled()
	w.deaf = false
	for step, next := range []func(){
		func() {},
		func() { check(t, w.grants.PutSentinel(t.Context())) },
		func() { w.undelegated = false },
	} {
		next()
		w.during(90 * time.Minute)
		if rang := w.rang(); len(rang) > 0 {
			t.Errorf("step %d: alarms: %v", step, rang)
		}
	}
	state, err := w.states.Load(t.Context(), managed)
	check(t, err)
	for key, status := range state.Grants {
		if status.Phase != grant.PhaseAdmitted {
			t.Errorf("in the end grant %s is %s: %s", key, status.Phase, status.Message)
		}
	}
	if len(state.Grants) == 0 {
		t.Error("in the end nothing is recorded: the test does not see what it should")
	}
}

func TestAlarmPerFault(t *testing.T) {
	w := newWard(t)
	managed := w.settled()
	w.during(time.Hour)
	refuse := func(path string) { w.refused.Store(&path) }
	permit := func() { w.refused.Store(nil) }
	remove := func(id string) func() {
		return func() {
			_, err := w.grants.Delete(t.Context(), grant.Key{Gateway: managed.ARN(), ID: id})
			check(t, err)
			w.settle()
		}
	}
	measured := func(namespace, metric, of string, value float64) func() {
		return func() {
			for range 20 {
				w.put(namespace, metric, of, value)
				w.minute()
			}
		}
	}
	faults := []struct {
		alarm       string
		fault, mend func()
	}{
		{"SweepOverdue", func() { w.asleep = true }, func() { w.asleep = false }},
		{"GatewaysFail", func() {
			refuse("/resourcepolicy/")
			w.grant(managed.ARN(), "meanwhile", management)
			w.settle()
		}, permit},
		{"GrantsAreLeftOut", func() { w.grant(managed.ARN(), "left-out", "123123123123"); w.settle() }, remove("left-out")},
		{"RowsAreRemoved", func() {
			for i := range 12 {
				w.grant(managed.ARN(), fmt.Sprintf("of-many-%d", i), member)
			}
			w.settle()
			w.during(2 * grant.RemovalWindow) // what comes and goes within minutes was hardly there
			for i := range 12 {
				remove(fmt.Sprintf("of-many-%d", i))()
			}
		}, func() {}},
		{"UnmanagedLetsIn", func() {
			check(t, w.service.UntagResource(owner, managed.ARN(), []string{plan.ManagedTag}))
			w.settle()
		}, func() {
			check(t, w.service.TagResource(owner, managed.ARN(), map[string]string{plan.ManagedTag: plan.ManagedValue}))
			w.settle()
		}},
		{"GatewaysNotFound", func() { refuse("/gateways/$") }, permit},
		{"OrganizationFails", measured("AWS/Lambda", "Errors", "OrganizationFunction", 1), func() {}},
		{"ChangesWaiting", measured("AWS/Lambda", "IteratorAge", "TableChangesFunction", 61_000), func() {}},
		{"RequestsLost", measured("AWS/SQS", "ApproximateNumberOfMessagesVisible", "LostRequests", 1), measured("AWS/SQS", "ApproximateNumberOfMessagesVisible", "LostRequests", 0)},
		{"NoticesLost", measured("AWS/SQS", "ApproximateNumberOfMessagesVisible", "LostNotices", 1), measured("AWS/SQS", "ApproximateNumberOfMessagesVisible", "LostNotices", 0)},
	}
	var tried []string
	for _, c := range faults {
		tried = append(tried, c.alarm)
		c.fault()
		w.during(45 * time.Minute)
		rang := w.rang()
		c.mend()
		w.during(90 * time.Minute)
		if diff := cmp.Diff([]string{c.alarm + " rang", c.alarm + " ended"}, append(rang, w.rang()...)); diff != "" {
			t.Errorf("%s: -want +got\n%s", c.alarm, diff)
		}
	}
	// These gauges are tested where they are made; the way from a gauge to its alarm is the same.
	for alarm, gauge := range map[string]string{
		"PoliciesAreNearlyFull": handler.GaugeNearlyFull, "DeparturesAreHeld": handler.GaugeHeld, "OrganizationNotRead": handler.GaugeUnreadOrg,
	} {
		if w.alarms[alarm].Name != gauge {
			t.Errorf("%s watches %s", alarm, w.alarms[alarm].Name)
		}
		tried = append(tried, alarm)
	}
	slices.Sort(tried)
	var have []string
	for name := range w.alarms {
		have = append(have, name)
	}
	slices.Sort(have)
	if diff := cmp.Diff(have, tried); diff != "" {
		t.Errorf("alarms: -template +tried\n%s", diff)
	}
}
