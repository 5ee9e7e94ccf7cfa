package handler_test

import (
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/eventtest"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// Whatever arrives, no handler of events panics, fails where a retry would not
// help, or acts on anything but a gateway or account that the payload names.
func FuzzPayloads(f *testing.F) {
	for _, name := range eventtest.Names(f) {
		f.Add(eventtest.Payload(f, name))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		w := newWorld(t)
		w.grant(t, storyARN, "by-unit", unit)
		check(t, w.organization.CreateAccount(member))

		if answer, err := w.tableChanges().Handle(t.Context(), raw); err != nil || len(answer.BatchItemFailures) > 0 {
			t.Errorf("table-changes: %v, %v", answer, err)
		}
		check(t, w.gatewayEvents().Handle(t.Context(), raw))
		check(t, w.organizationEvents().Handle(t.Context(), raw))
		// A schedule's input is our own and a tool answers any caller, so that
		// these two may refuse; they must say why in a bearable length.
		for name, refusal := range map[string]error{
			"sweep": w.sweep().Handle(t.Context(), raw),
			"echo":  refusalOf(invoke(echoContext(t, eventtest.Payload(t, "echo-client-context")), echo, raw)),
		} {
			if refusal != nil && len(refusal.Error()) > 2000 {
				t.Errorf("%s: a refusal of %d bytes", name, len(refusal.Error()))
			}
		}
		for _, arn := range w.reconciler.reconciled() {
			if _, err := grant.ParseGateway(arn); err != nil {
				t.Errorf("reconciled what is no gateway: %v", err)
			}
		}
		for id := range w.changed(t) {
			if id != member && id != management {
				t.Errorf("recorded %s, which is no member", id)
			}
		}
	})
}

func refusalOf(_ []byte, err error) error { return err }
