package model_test

import (
	"encoding/json"
	"testing"
)

func TestCreateIgnoresUpdateOnlySettings(t *testing.T) {
	w := newWorld(t)
	in := iamGateway("tools")
	in.WAFConfiguration = json.RawMessage(`{"failureMode":"FAIL_OPEN"}`)
	g := w.gateway(in)
	if g.WAFConfiguration != nil {
		t.Errorf("created with %s", g.WAFConfiguration)
	}
	updated, err := w.UpdateGateway(ownerA, g.ID, in.GatewaySettings)
	if err != nil || string(updated.WAFConfiguration) != string(in.WAFConfiguration) {
		t.Errorf("updated with %s, %v", updated.WAFConfiguration, err)
	}
}
