package simulation

import (
	"slices"
	"time"
)

const (
	most     = 3   // runs at the same time
	atMost   = 500 // steps before every actor stops
	together = 15 * time.Second
)

// trouble has the actors act in the order that the chooser draws.
func (w *world) trouble() {
	steady := 1 + w.pick(12) // how long one actor goes on, on average
	var current *run
	for range atMost {
		if len(w.broken) > 0 || len(w.people)+len(w.runs)+len(w.requests) == 0 {
			break
		}
		if current == nil || w.oneIn(steady) {
			current = w.anything()
			continue
		}
		if w.advance(current); !w.isRunning(current) {
			current = nil
		}
	}
	abrupt := w.faults > 0 && w.oneIn(3)
	for len(w.runs) > 0 && len(w.broken) == 0 {
		if abrupt {
			w.crash(w.runs[0])
			continue
		}
		n := w.runs[w.pick(len(w.runs))]
		if w.oneIn(40) {
			w.crash(n)
		} else {
			w.advance(n)
		}
	}
}

func (w *world) isRunning(n *run) bool {
	return slices.Contains(w.runs, n)
}

// anything is one thing that can happen now. It returns the run that goes on next.
func (w *world) anything() *run {
	switch w.pick(16) {
	case 0:
		w.pass([]time.Duration{time.Second, 4 * time.Second, together}[w.pick(3)])
	case 1:
		if len(w.runs) == 0 {
			w.pass([]time.Duration{time.Minute, 3 * time.Minute, 10 * time.Minute}[w.pick(3)])
		}
		w.sweep()
	case 2:
		w.breakOrMend()
	case 3:
		if len(w.runs) > 0 && w.faults > 0 && w.oneIn(3) {
			w.crash(w.runs[w.pick(len(w.runs))])
		}
	case 4, 5:
		for _, g := range w.gateways {
			if len(g.late) > 0 {
				w.land(g)
			}
		}
	case 6, 7, 8:
		w.person()
	case 9, 10, 11:
		if len(w.requests) > 0 && len(w.runs) < most {
			return w.deliver()
		}
		fallthrough
	default:
		if len(w.runs) > 0 {
			return w.runs[w.pick(len(w.runs))]
		}
		if len(w.requests) > 0 {
			return w.deliver()
		}
		w.person()
	}
	return nil
}

// deliver begins a run for a request, not always the oldest.
func (w *world) deliver() *run {
	i := w.pick(len(w.requests))
	r := w.requests[i]
	w.requests = append(w.requests[:i:i], w.requests[i+1:]...)
	return w.launch(r)
}

// person has another actor make its next step.
func (w *world) person() {
	if len(w.people) == 0 {
		return
	}
	i := w.pick(len(w.people))
	if !w.people[i].step() {
		w.people = append(w.people[:i:i], w.people[i+1:]...)
	}
}

// breakOrMend breaks the directory or the grants table, or mends them.
func (w *world) breakOrMend() {
	if w.faults == 0 {
		return
	}
	switch w.pick(4) {
	case 0:
		w.wrongTable = !w.wrongTable
		w.log("the grants table is the wrong one: %t", w.wrongTable)
	case 1:
		w.unmarked = !w.unmarked
		w.log("the directory lacks its mark of a complete listing: %t", w.unmarked)
	default:
		w.directoryDown = !w.directoryDown
		w.log("the directory cannot be read: %t", w.directoryDown)
	}
}

// pass advances the clock, unless a run is in a call that would have timed out by then.
func (w *world) pass(d time.Duration) {
	now := w.now.Add(d)
	for _, n := range w.runs {
		if now.Sub(n.moved) > together {
			return
		}
	}
	for _, g := range w.gateways {
		for len(g.late) > 0 && !now.Before(g.late[0].by) {
			w.land(g)
		}
	}
	w.now = now
	w.effects++
}

// sweep asks for what is due.
func (w *world) sweep() {
	due, err := w.states.Due(ctx, w.now)
	must(err)
	for _, g := range w.gateways {
		for _, arn := range due {
			if arn == g.ARN() {
				w.ask(g, "sweep: due")
			}
		}
	}
}
