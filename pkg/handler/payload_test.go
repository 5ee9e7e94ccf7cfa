package handler_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/eventtest"
)

// outcome is what became of the world after one payload.
type outcome struct {
	Reconciled []string
	Cause, By  string
	Requested  []string
	Directory  []string // accounts recorded
	Probes     []string // recorded as arrived
	Answer     string
}

// Each payload in events/, by the function that it is for.
var payloads = map[string]struct {
	reason   string
	function string
	want     outcome
}{
	"dynamodb-stream-grant-inserted": {"a row is for one gateway", "table-changes", outcome{Reconciled: []string{storyARN}, Cause: "grant team-b added"}},
	"dynamodb-stream-grant-modified": {"a row is for one gateway", "table-changes", outcome{Reconciled: []string{storyARN}, Cause: "grant team-b changed"}},
	"dynamodb-stream-grant-replicated": {
		"only attributes that AWS adds changed", "table-changes", outcome{},
	},
	"dynamodb-stream-grant-removed": {"a row is for one gateway", "table-changes", outcome{Reconciled: []string{storyARN}, Cause: "grant team-b removed"}},
	"dynamodb-stream-grant-for-every-gateway": {
		"it takes a sweep to find them", "table-changes", outcome{Requested: []string{"*"}},
	},
	"dynamodb-stream-account-joined": {"the account is granted by name", "table-changes", outcome{Reconciled: arns(3), Cause: "account 444455556666 joined"}},
	"dynamodb-stream-account-moved":  {"its unit is granted", "table-changes", outcome{Reconciled: []string{storyARN}, Cause: "account 444455556666 changed"}},
	"dynamodb-stream-account-lists":  {"the account is granted by name, and the owner's gateways are asked for", "table-changes", outcome{Reconciled: arns(3), Requested: []string{"* of 777788889999"}, Cause: "trusted account 444455556666 added"}},
	"dynamodb-stream-account-left":   {"by name and by unit", "table-changes", outcome{Reconciled: []string{storyARN, arn(3)}, Cause: "account 444455556666 left"}},

	"reconcile-requested":                   {"the request names its gateway", "gateway-events", outcome{Reconciled: []string{storyARN}, Cause: "sweep: due"}},
	"reconcile-requested-for-every-gateway": {"each managed one is asked for", "sweep", outcome{Requested: arns(1, 2)}},
	"cloudtrail-create-gateway":             {"the answer names the gateway", "gateway-events", touched("CreateGateway")},
	"cloudtrail-update-gateway":             {"the answer names the gateway", "gateway-events", touched("UpdateGateway")},
	"cloudtrail-delete-gateway":             {"an id lives where the event does", "gateway-events", touched("DeleteGateway")},
	"cloudtrail-put-resource-policy":        {"the resource is the gateway", "gateway-events", touched("PutResourcePolicy")},
	"cloudtrail-delete-resource-policy":     {"the resource is the gateway", "gateway-events", touched("DeleteResourcePolicy")},
	"cloudtrail-tag-resource":               {"it may be managed now", "gateway-events", touched("TagResource")},
	"cloudtrail-untag-resource":             {"it may be managed no more", "gateway-events", touched("UntagResource")},
	"cloudtrail-put-resource-policy-failed": {"nothing was touched", "gateway-events", outcome{}},
	"cloudtrail-put-resource-policy-own": {
		"the product's own call is a hint, and no drift", "gateway-events",
		outcome{Reconciled: []string{storyARN}, Cause: "own PutResourcePolicy"},
	},

	"organizations-create-account-result":        {"the account is read", "organization", outcome{Directory: []string{member}}},
	"organizations-move-account":                 {"the account is read", "organization", outcome{Directory: []string{member}}},
	"organizations-close-account":                {"the account is read", "organization", outcome{Directory: []string{member}}},
	"organizations-close-account-result":         {"the account is read", "organization", outcome{Directory: []string{member}}},
	"organizations-remove-account":               {"what the event says is not believed: the account is read", "organization", outcome{Directory: []string{member}}},
	"organizations-account-joined":               {"the account is read", "organization", outcome{Directory: []string{member}}},
	"organizations-account-departed":             {"what the event says is not believed: the account is read", "organization", outcome{Directory: []string{member}}},
	"organizations-tag-resource":                 {"the account is read", "organization", outcome{Directory: []string{member}}},
	"organizations-untag-resource":               {"the account is read", "organization", outcome{Directory: []string{member}}},
	"tag-change-on-account":                      {"the account is read", "organization", outcome{Directory: []string{member}}},
	"controltower-create-managed-account":        {"the account is read", "organization", outcome{Directory: []string{member}}},
	"controltower-update-managed-account":        {"the account is read", "organization", outcome{Directory: []string{member}}},
	"organizations-create-account":               {"there is no account yet", "organization", outcome{}},
	"organizations-create-account-result-failed": {"there will be no account", "organization", outcome{}},
	"organizations-move-account-failed":          {"nothing moved", "organization", outcome{}},
	"organizations-tag-resource-on-unit":         {"units' tags select no account", "organization", outcome{}},
	"schedule-organization":                      {"every account is read", "organization", outcome{Directory: []string{management, member}}},

	"schedule-rechecks": {"there is no directory yet, so every account is read", "organization", outcome{Directory: []string{management, member}}},

	"probe-gateways": {"it is recorded that it arrived", "gateway-events", outcome{Probes: []string{"5c0de1f0a7b94e52-0"}}},
	"probe-accounts": {"it is recorded that it arrived", "organization", outcome{Probes: []string{"5c0de1f0a7b94e52-1"}}},
	"probe-tags":     {"it is recorded that it arrived", "organization", outcome{Probes: []string{"5c0de1f0a7b94e52-2"}}},

	"schedule-due":      {"what is due is asked for", "sweep", outcome{Requested: []string{storyARN}}},
	"schedule-gateways": {"every managed gateway is asked for", "sweep", outcome{Requested: arns(1, 2)}},

	"echo-arguments":      {"the message comes back", "echo", outcome{Answer: `{"message":"Hello from account B"}`}},
	"echo-client-context": {"sent along with the arguments, not instead", "", outcome{}},
}

func touched(call string) outcome {
	return outcome{Reconciled: []string{storyARN}, Cause: call, By: "arn:aws:sts::111122223333:assumed-role/Admin/alice"}
}

func TestPayloadsThroughHandlers(t *testing.T) {
	names := eventtest.Names(t)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			c, ok := payloads[name]
			if !ok {
				t.Fatal("this payload has no case")
			}
			w := newWorld(t)
			w.grant(t, arn(3), "by-name", member)
			w.grant(t, storyARN, "by-unit", unit)
			w.states.arns = []string{storyARN}
			check(t, w.organization.CreateAccount(member))
			if diff := cmp.Diff(c.want, w.run(t, c.function, eventtest.Payload(t, name))); diff != "" {
				t.Errorf("%s: -want +got\n%s\n%s", c.reason, diff, w.log.String())
			}
		})
	}
	if len(names) != len(payloads) {
		t.Errorf("%d payloads and %d cases", len(names), len(payloads))
	}
}

func (w *world) run(t *testing.T, function string, raw []byte) outcome {
	t.Helper()
	var got outcome
	var err error
	switch function {
	case "table-changes":
		if failed := deliver(t, t.Context(), w.tableChanges(), raw); failed != nil {
			t.Errorf("reported as failed: %v", failed)
		}
	case "gateway-events":
		_, err = invoke(t.Context(), w.gatewayEvents().Handle, raw)
	case "organization":
		_, err = invoke(t.Context(), w.organizationEvents().Handle, raw)
	case "sweep":
		_, err = invoke(t.Context(), w.sweep().Handle, raw)
	case "echo":
		var answer []byte
		answer, err = invoke(echoContext(t, eventtest.Payload(t, "echo-client-context")), echo, raw)
		got.Answer = string(answer)
	}
	check(t, err)
	got.Reconciled, got.Requested = w.reconciler.reconciled(), w.requests.requested()
	got.Directory, got.Probes = slices.Sorted(maps.Keys(w.changed(t))), w.probes(t)
	for _, causes := range w.reconciler.causes {
		got.Cause, _, _ = strings.Cut(causes[0].Text, " (")
		got.By = causes[0].By
	}
	return got
}

// The twin of the organization sends the events that AWS would send: the same
// handler reads both, and the account is where it is.
func TestOrganizationEventsUpdateDirectory(t *testing.T) {
	w := newWorld(t)
	w.run(t, "organization", eventtest.Payload(t, "schedule-organization"))
	before := w.changed(t)
	organization := w.organizationEvents()
	w.organization.Listen(func(event json.RawMessage) {
		_, err := invoke(t.Context(), organization.Handle, event)
		check(t, err)
	})
	place, err := w.organization.CreateUnit(w.organization.Root())
	check(t, err)
	w.grant(t, arn(3), "by-unit", place)
	w.grant(t, arn(3), "by-tag", "tag:env=prod")
	check(t, w.organization.CreateAccount(member))
	check(t, w.organization.MoveAccount(member, place))
	check(t, w.organization.TagAccount(member, "env", "prod"))
	check(t, w.organization.TagAccount(member, "CostCenter", "1234")) // which no grant asks for
	want := maps.Clone(before)
	want[member] = directory.Account{
		ID: member, State: directory.StateActive, Organization: "o-exampleorgid",
		Path: []string{place}, Tags: map[string]string{"env": "prod"}, ReadAt: at,
	}
	if diff := cmp.Diff(want, w.changed(t)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	check(t, w.organization.CloseAccount(member))
	closing := w.changed(t)[member]
	if closing.State != directory.StatePendingClosure || len(closing.Kept) != 1 {
		t.Errorf("after closing, which Organizations may yet take back: %+v", closing)
	}
	w.elapsed += time.Minute
	w.run(t, "organization", eventtest.Payload(t, "schedule-rechecks"))
	if closed := w.changed(t)[member]; closed.State != directory.StatePendingClosure || len(closed.Kept) != 0 {
		t.Errorf("a minute after closing: %+v", closed)
	}
	check(t, w.organization.RemoveAccount(member)) // two events report it
	if got := w.changed(t); got[member].MissingSince.IsZero() {
		t.Errorf("after removal, the directory holds %v", got)
	}
	w.elapsed += time.Minute
	w.run(t, "organization", eventtest.Payload(t, "schedule-rechecks"))
	if got := w.changed(t); len(got) != len(before) {
		t.Errorf("a minute after removal, the directory holds %v", got)
	}
}
