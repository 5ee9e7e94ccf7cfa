package model_test

import (
	"testing"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

func TestCallsBeyondTheRateAreThrottled(t *testing.T) {
	rates := model.DocumentedRates()
	rates[model.PolicyCalls] = 2
	w := newWorld(t, func(o *model.Options) { o.Rates = rates })
	g := w.gateway(iamGateway("tools"))
	for i := range 10 {
		if _, err := w.GetGateway(ownerA, g.ID); err != nil {
			t.Fatalf("read %d of a second: %v", i+1, err)
		}
	}
	if _, err := w.GetGateway(ownerA, g.ID); code(err) != model.Throttling {
		t.Errorf("the eleventh read: %v", err)
	}
	if _, _, err := w.ListGateways(ownerB, model.Page{}); err != nil {
		t.Errorf("another account: %v", err)
	}
	for range 2 {
		if _, err := w.GetResourcePolicy(ownerA, g.ARN); err != nil {
			t.Errorf("another group: %v", err)
		}
	}
	if _, err := w.PutResourcePolicy(ownerA, g.ARN, allow(g.ARN, `{"AWS":"444455556666"}`)); code(err) != model.Throttling {
		t.Errorf("a put beyond the rate: %v", err)
	}
	w.clock.pass(100 * time.Millisecond)
	if _, err := w.GetGateway(ownerA, g.ID); err != nil {
		t.Errorf("a tenth of a second later: %v", err)
	}
	if _, err := w.GetGateway(ownerA, g.ID); code(err) != model.Throttling {
		t.Errorf("two in a tenth of a second: %v", err)
	}
}

func TestWithoutRatesNothingIsThrottled(t *testing.T) {
	w := newWorld(t)
	g := w.gateway(iamGateway("tools"))
	for range 100 {
		if _, err := w.GetGateway(ownerA, g.ID); err != nil {
			t.Fatal(err)
		}
	}
}
