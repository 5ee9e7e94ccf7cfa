package simulation

import (
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// actMode is an admin who turns observe mode on and off.
func (w *world) actMode(times int) *actor {
	return act("the deployment's mode", func(pause func(string)) {
		for range times {
			pause("turn")
			w.limits.Observe = !w.limits.Observe
			w.log("observe mode: %t", w.limits.Observe)
			w.everywhere("mode changed")
		}
	})
}

// everywhere asks for every gateway.
func (w *world) everywhere(cause string) {
	for _, g := range w.gateways {
		w.ask(g, cause)
	}
}

// onlyObserves is invariant 13: in observe mode no policy is written.
func (n *run) onlyObserves() {
	if n.observes {
		n.w.violate(13, "%s writes in observe mode", n.name)
	}
}

// observeIgnored writes policies in observe mode.
func observeIgnored(_ *run, _ *reconcile.Dependencies, limits *plan.Limits) { limits.Observe = false }
