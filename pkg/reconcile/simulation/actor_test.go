package simulation

import (
	"errors"
	"iter"
	"math/rand/v2"
)

// chooser decides all that is left open.
type chooser interface {
	// pick returns a number from 0 on and below n.
	pick(n int) int
}

type seeded struct{ *rand.Rand }

func newSeeded(seed uint64) seeded { return seeded{rand.New(rand.NewPCG(seed, 0))} }

func (s seeded) pick(n int) int { return s.IntN(n) }

// errCrashed unwinds an actor that was stopped in the middle of a call.
var errCrashed = errors.New("crashed")

// actor is a participant that acts step by step, interleaved with others.
type actor struct {
	name string
	at   string // what it is about to do
	next func() (string, bool)
	stop func()
}

// act starts an actor. Its body calls pause wherever others may come in between;
// an actor that is stopped never returns from there.
func act(name string, body func(pause func(at string))) *actor {
	a := &actor{name: name}
	a.next, a.stop = iter.Pull(func(yield func(string) bool) {
		defer func() {
			if p := recover(); p != nil && p != any(errCrashed) {
				panic(p)
			}
		}()
		body(func(at string) {
			if !yield(at) {
				panic(errCrashed)
			}
		})
	})
	return a
}

// step runs the actor to its next pause, and reports whether there is one.
func (a *actor) step() (alive bool) {
	a.at, alive = a.next()
	return alive
}
