package simulation

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// run is one Reconcile under way, and what it has read: the judge measures its
// decisions by what it could know.
type run struct {
	*actor
	w       *world
	gateway *gateway
	cause   reconcile.Cause
	pause   func(string)
	moved   time.Time // when it last went on
	result  reconcile.Result
	err     error

	rows       []grant.Row                // as they were when it read them
	org        *organization              // as it was when it read it
	state      ledger.State               // as it loaded it
	read       *policy.Document           // the policy as last read
	readAt     int                        // after so many effects
	visible    string                     // the policy as it was when its last call returned
	stale      bool                       // a read showed it an older policy
	unknown    bool                       // the directory failed it
	unmarked   bool                       // the directory seemed to be none, although it is one
	informed   bool                       // the directory answered it
	right      *string                    // of the gateway, when the state was read
	wroteOther bool                       // of the gateway, when the state was read
	refused    *policy.Document           // the first document of this pass that AWS refused
	sought     int                        // as of how many changes of IAM, and one more, it seeks bad principals; 0 for not
	known      *ledger.State              // what was recorded when the pass read the policy
	basis      *policy.Document           // the policy as the pass first read it, on which it decides
	basisAt    int                        // when that was, as readAt
	owed       *written                   // its write that is not in the journal yet; nil for none
	kept       map[grant.Key]*grant.Grant // of rows that cannot be understood: what their last valid revision gives
	history    string                     // a digest of what its calls answered, where every schedule is played
	observes   bool                       // it was launched in observe mode
	older      bool                       // it is of an older version, beside newer ones
	others     int                        // effects of others before it began, and its own since
}

// launch starts a reconcile. It has the product's own reconciler, wired to calls
// that others can come in between.
func (w *world) launch(r request) *run {
	w.number++
	n := &run{w: w, gateway: r.gateway, cause: reconcile.Cause{Text: r.cause}, moved: w.now, others: w.effects, org: w.org}
	n.older = w.skewed && w.oneIn(2)
	n.actor = act(fmt.Sprintf("run %d of gateway %s", w.number, r.gateway.name), func(pause func(string)) {
		n.pause = pause
		d := reconcile.Dependencies{
			Gateways: n, Grants: n, Directory: n, States: n, Notices: n,
			Now: func() time.Time { return w.now }, Log: slog.New(slog.DiscardHandler),
		}
		limits := w.limits
		n.observes = limits.Observe
		if w.bug != nil {
			w.bug.plant(n, &d, &limits)
		}
		n.result, n.err = reconcile.New(d, limits).Reconcile(ctx, n.gateway.Gateway, n.cause)
	})
	w.runs = append(w.runs, n)
	w.log("%s begins, for %s, of an older version: %t", n.name, r.cause, n.older)
	return n
}

// crash ends a run for good, wherever it is.
func (w *world) crash(n *run) {
	w.log("%s crashes before %s", n.name, n.at)
	n.stop()
	if n.justWrote() {
		n.excuse()
	}
	w.drop(n)
}

func (w *world) drop(n *run) {
	for i, r := range w.runs {
		if r == n {
			w.runs = append(w.runs[:i:i], w.runs[i+1:]...)
		}
	}
}

// excuse says that the last write had no chance to get into the journal: the table
// failed, or the run crashed in between.
func (n *run) excuse() {
	if n.owed != nil {
		n.owed.excused, n.owed = true, nil
	}
}

// justWrote reports whether nothing but the journal comes next.
func (n *run) justWrote() bool {
	return n.at == "answer of PutPolicy" || n.at == "answer of DeletePolicy" || n.at == "Journal"
}

// advance runs a run to its next pause, and judges it when it ends.
func (w *world) advance(n *run) {
	n.moved = w.now
	if n.step() {
		return
	}
	w.drop(n)
	failure := "it is done"
	if n.result.Failure != nil {
		failure = n.result.Failure.Error()
	}
	w.log("%s ends after %d passes and %d writes: %s; recorded: %t", n.name, n.result.Passes, n.result.Writes, failure, n.err == nil)
	if n.err != nil { // the queue or stream delivers the request again, for a while
		if w.oneIn(2) {
			w.requests = append(w.requests, request{n.gateway, n.cause.Text})
		}
		return
	}
	w.ended(n)
}

// alone reports whether no other actor had an effect since the run began.
func (n *run) alone() bool { return n.w.effects == n.others }

// did counts an effect of the run itself.
func (n *run) did() {
	n.w.effects++
	n.others++
}
