package ledger

import "maps"

// Newer is the version of the product that recorded a state in a form that this one
// does not know. The zero Newer stands for a form that it does.
type Newer struct {
	Form    int
	Product string // the version that recorded it; "" for unknown
}

// withMarks is the state with what an older version may record on top of a newer one:
// the marks of its run, that there is a directory, and principals that it holds. All else
// stays as it is, so that an older version loses nothing that it does not know. A newer
// form keeps the meaning of these marks.
func (s State) withMarks(next Ledger) State {
	l := s.Gateway
	l.InFlightUntil, l.Due = next.InFlightUntil, next.Due
	l.LastError, l.LastMessage, l.Failures = next.LastError, next.LastMessage, next.Failures
	l.HadDirectory = l.HadDirectory || next.HadDirectory
	if next.PendingHash != "" {
		l.PendingHash = next.PendingHash
	}
	held := maps.Clone(next.Refused)
	maps.DeleteFunc(held, func(principal string, refusal Refusal) bool {
		known, recorded := l.Refused[principal]
		return !refusal.Held() || recorded && known.Held()
	})
	l.Refused = with(l.Refused, held)
	s.Gateway = l
	return s
}

// Record applies a transition as this version may: to a state that a newer one
// recorded it adds its marks, and nothing else.
func (s State) Record(by Transition) (State, error) {
	next, err := by.Apply(s)
	if err != nil || s.Newer == (Newer{}) {
		return next, err
	}
	return s.withMarks(next.Gateway), nil
}
