package bus_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/event"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/noticetest"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
)

func TestPublishedEventsMatchSchemas(t *testing.T) {
	var example struct {
		Source     string          `json:"source"`
		DetailType string          `json:"detail-type"`
		Detail     json.RawMessage `json:"detail"`
	}
	raw, err := os.ReadFile("../../events/reconcile-requested.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &example); err != nil {
		t.Fatal(err)
	}
	w := newWorld()
	arn := gateway(t, 0).ARN()
	requests := []event.Request{{Gateway: gateway(t, 0), Cause: "grant team-b added", At: at}, {Gateway: gateway(t, 1)}, {Every: true, Cause: "grant b added", At: at}}
	if err := w.bus.Request(t.Context(), requests); err != nil {
		t.Fatal(err)
	}
	applied := plan.AppliedDetail{
		Gateway: arn, PlanHash: "none", Added: []string{}, Removed: []string{"arn:aws:iam::444455556666:root"},
		Cause: "sweep: due", By: "arn:aws:iam::111122223333:role/Admin", Interrupted: []string{"arn:aws:iam::777788889999:root"},
	}
	notices := []plan.Notice{
		{Type: plan.PolicyApplied, Gateway: arn, Detail: applied},
		{Type: plan.DriftRepaired, Gateway: arn, Detail: applied},
		{Type: plan.PolicyNotApplied, Gateway: arn, Detail: plan.NotAppliedDetail{Gateway: arn, PlanHash: "none", Added: []string{}, Removed: applied.Removed, Reason: grant.CodeObserved, Message: "observe: not applied"}},
		{Type: plan.GrantExpiring, Gateway: arn, Detail: plan.ExpiringDetail{Gateway: arn, Scope: "*", Grant: "g", Principal: "444455556666", Expires: "2026-12-25T00:00:00Z"}},
		{Type: plan.PolicyFull, Gateway: arn, Detail: plan.GrantDetail{Gateway: arn, Scope: "*", Grant: "g", Reason: grant.CodePolicyFull, Message: "no room"}},
		{Type: plan.GrantQuarantined, Gateway: arn, Detail: plan.GrantDetail{Gateway: arn, Scope: "*", Grant: "g", Reason: grant.CodeProofFailed, Message: "fails its check"}},
		{Type: plan.OverwrittenByOther, Gateway: arn, Detail: plan.OverwrittenDetail{Gateway: arn, Times: 3, Likely: "an automation", Until: "2026-11-20T09:05:00Z"}},
		{Type: plan.DeparturesHeld, Gateway: grant.EveryGateway, Detail: plan.DeparturesDetail{
			Accounts: []string{"444455556666"}, Held: 120, Since: "2026-11-20T09:05:00Z", Message: "approve them",
		}},
		{Type: plan.RowsRemoved, Gateway: grant.EveryGateway, Detail: plan.RowsRemovedDetail{Removed: 12, Rows: 40, Since: "2026-11-20T09:05:00Z", Message: "undo puts them back"}},
	}
	if err := w.bus.Publish(t.Context(), notices); err != nil {
		t.Fatal(err)
	}
	if len(w.taken) != len(requests)+len(notices) {
		t.Fatalf("%d events were taken", len(w.taken))
	}
	schemas := noticetest.Read(t, "../..")
	schemas.Check(t, example.Source, example.DetailType, example.Detail)
	for _, entry := range w.taken {
		schemas.Check(t, *entry.Source, *entry.DetailType, json.RawMessage(*entry.Detail))
	}
}
