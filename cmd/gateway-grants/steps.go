package main

import (
	"fmt"
	"time"
)

// steps shows how far long work is: on a terminal in one line that is written over,
// elsewhere in a plain line now and then. Short work shows nothing.
type steps struct {
	*program

	what     string
	of       int // 0 where it is not known
	finished int
	began    time.Time
	shown    time.Time // zero for never
	terminal bool
}

const (
	stepsAfter    = 2 * time.Second        // what ends sooner shows nothing
	stepsTerminal = 200 * time.Millisecond // between two looks on a terminal
	stepsPlain    = 15 * time.Second       // between two lines elsewhere
)

func (p *program) steps(what string, of int) *steps {
	return &steps{program: p, what: what, of: of, began: p.now(), terminal: isTerminal(p.err)}
}

// done counts one step.
func (s *steps) done() { s.at(s.finished + 1) }

// at says how many steps are done.
func (s *steps) at(finished int) {
	s.finished = finished
	now, wait := s.now(), stepsPlain
	if s.terminal {
		wait = stepsTerminal
	}
	if now.Sub(s.began) < stepsAfter || now.Sub(s.shown) < wait {
		return
	}
	s.shown = now
	if s.terminal {
		fmt.Fprintf(s.err, "\r\x1b[K%s", s.line(now))
		return
	}
	fmt.Fprintln(s.err, s.line(now))
}

func (s *steps) line(now time.Time) string {
	if s.of == 0 {
		return fmt.Sprintf("%s: %d", s.what, s.finished)
	}
	line := fmt.Sprintf("%s: %d of %d", s.what, s.finished, s.of)
	if s.finished > 0 && s.finished < s.of {
		left := now.Sub(s.began) / time.Duration(s.finished) * time.Duration(s.of-s.finished)
		line += fmt.Sprintf(", about %s left", left.Round(time.Second))
	}
	return line
}

// clear takes the line from the terminal, so that something else can be shown.
func (s *steps) clear() {
	if s.terminal && !s.shown.IsZero() {
		fmt.Fprint(s.err, "\r\x1b[K")
	}
}
