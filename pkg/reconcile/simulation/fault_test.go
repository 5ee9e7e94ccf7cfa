package simulation

import (
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

// fault is what goes wrong with a call.
type fault int

const (
	none       fault = iota
	throttled        // nothing happens
	denied           // nothing happens
	lost             // nothing happens, and the caller cannot know
	unanswered       // it happens, and the caller cannot know
	delayed          // it happens later, and the caller cannot know
	outdated         // a read answers what was there before
)

var (
	readFaults  = []fault{throttled, denied, lost}
	policyReads = []fault{throttled, denied, lost, outdated, outdated, outdated}
	writeFaults = []fault{throttled, denied, lost, unanswered, delayed}
	tableFaults = []fault{lost, unanswered}
)

// fault decides whether and how a call of the run fails.
func (n *run) fault(kinds []fault) fault {
	switch {
	case n.gateway.stuck:
		return kinds[0]
	case n.w.faults == 0 || !n.w.oneIn(n.w.faults):
		return none
	default:
		return kinds[n.w.pick(len(kinds))]
	}
}

// failure is how an adapter reports a fault of AgentCore.
func (f fault) failure(op string) error {
	code := map[fault]grant.Code{throttled: reconcile.CodeThrottled, denied: reconcile.CodeAccessDenied}[f]
	if code == "" {
		code = reconcile.CodeUnknownOutcome
	}
	return &grant.Error{Code: code, Op: op, Hint: "simulated"}
}

func tableFailure(op string) error {
	return &grant.Error{Code: store.CodeWriteFailed, Op: op, Hint: "simulated"}
}

// A delayed write takes effect within this time.
const lateBy = 15 * time.Second

// land carries out a delayed write, whose caller has given up.
func (w *world) land(g *gateway) {
	write, before := g.late[0], w.traces(g)
	g.late = g.late[1:]
	err := w.replacePolicy(g, parse(write.put.text))
	w.log("AWS: a late write on %s takes effect (%v): %s", g.name, err, write.put.text)
	if err == nil {
		write.put.done = true
		w.product(g)
		w.wipe(g, before, write.decided)
	}
}
