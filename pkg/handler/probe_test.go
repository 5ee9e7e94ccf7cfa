package handler_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/event"
	"github.com/gateway-grants/gateway-grants/pkg/store/memory"
)

// probeFrom is a probe as EventBridge delivers it.
func probeFrom(account, source, id string) []byte {
	return []byte(`{"source":"` + source + `","detail-type":"AWS API Call via CloudTrail","account":"` + account + `","detail":{"eventName":"UpdateGateway","probe":"` + id + `"}}`)
}

func (w *world) probes(t *testing.T) []string {
	t.Helper()
	ids, err := w.rows.Probes(t.Context(), "")
	check(t, err)
	return ids
}

func TestAProbeIsRecordedIfAnOwnerSentIt(t *testing.T) {
	const hub, owner, listed, stranger = "111122223333", "444455556666", "777788889999", "999900001111"
	for name, c := range map[string]struct {
		sender, source, reason string
		recorded               bool
		count                  string
	}{
		"the hub":           {hub, event.ProbeGateways, "another Region of the hub forwards, too", true, ""},
		"an owner":          {owner, event.ProbeGateways, "a parameter names it", true, ""},
		"a listed owner":    {listed, event.ProbeGateways, "the accounts table names it", true, ""},
		"a stranger":        {stranger, event.ProbeGateways, "it is no owner", false, "EventsMalformed"},
		"no account":        {"", event.ProbeGateways, "an envelope names its account", false, "EventsMalformed"},
		"accounts' probe":   {owner, event.ProbeAccounts, "it is for the organization function", false, "EventsIgnored"},
		"stranger accounts": {stranger, event.ProbeAccounts, "it is for the organization function", false, "EventsIgnored"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			check(t, w.accounts.AddToList(t.Context(), directory.TopicOwner, []directory.Note{{ID: listed, At: at}}))
			body := w.gatewayEvents()
			body.Owners = []string{hub, owner}
			ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{InvokedFunctionArn: "arn:aws:lambda:us-east-1:" + hub + ":function:gateway-grants-gateway-events"})
			check(t, body.Handle(ctx, probeFrom(c.sender, c.source, "run-0")))
			var want []string
			if c.recorded {
				want = []string{"run-0"}
			}
			if got := w.probes(t); !slices.Equal(got, want) || c.count != "" && w.metrics.counts[c.count] != 1 || len(w.reconciler.causes) > 0 {
				t.Errorf("%s: recorded %v, want %v; counts %v\n%s", c.reason, got, want, w.metrics.counts, w.log.String())
			}
		})
	}
}

func TestProbeOfManagementAccountIsRecorded(t *testing.T) {
	for name, c := range map[string]struct {
		sender, source string
		recorded       bool
	}{
		"the management account": {management, event.ProbeAccounts, true},
		"another account":        {member, event.ProbeAccounts, false},
		"gateways' probe":        {management, event.ProbeGateways, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			check(t, w.organizationEvents().Handle(t.Context(), probeFrom(c.sender, c.source, "run-0")))
			if got := w.probes(t); (len(got) == 1) != c.recorded {
				t.Errorf("recorded %v\n%s", got, w.log.String())
			}
		})
	}
}

func TestAProbeThatCannotBeJudgedComesAgain(t *testing.T) {
	w := newWorld(t)
	body := w.gatewayEvents()
	body.Owners, body.Listed = []string{management}, memory.NewAccounts(memory.Config{})
	if err := body.Handle(t.Context(), probeFrom(member, event.ProbeGateways, "run-0")); err == nil || !strings.Contains(err.Error(), "read whether account "+member+" owns gateways") {
		t.Errorf("without the list of owners: %v", err)
	}
}

func TestAProbeThatCannotBeRecordedComesAgain(t *testing.T) {
	w := newWorld(t)
	gateways, accounts := w.gatewayEvents(), w.organizationEvents()
	gateways.Probes, accounts.Probes = noProbes{}, noProbes{}
	for source, handle := range map[string]func(context.Context, json.RawMessage) error{event.ProbeGateways: gateways.Handle, event.ProbeAccounts: accounts.Handle} {
		if err := handle(t.Context(), probeFrom(management, source, "run-0")); err == nil || !strings.Contains(err.Error(), "record probe run-0") {
			t.Errorf("%s: %v", source, err)
		}
	}
}

// noProbes cannot record a probe.
type noProbes struct{}

func (noProbes) RecordProbe(context.Context, string, time.Time) error { return errors.New("throttled") }

func TestAnOddProbeIsDropped(t *testing.T) {
	for _, id := range []string{"", "A", strings.Repeat("0", 65), "a b", "#owners"} {
		w := newWorld(t)
		check(t, w.gatewayEvents().Handle(t.Context(), probeFrom(management, event.ProbeGateways, id)))
		if got := w.probes(t); len(got) > 0 || w.metrics.counts["EventsMalformed"] != 1 {
			t.Errorf("probe %q: recorded %v, counts %v", id, got, w.metrics.counts)
		}
	}
}
