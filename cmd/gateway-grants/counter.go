package main

import (
	"fmt"
	"io"
	"time"
)

// counter shows on stderr how far long work is: on a terminal one line that changes,
// with the time that is left, and in a pipe a plain line now and then.
type counter struct {
	to       io.Writer
	what     string
	now      func() time.Time
	terminal bool
	began    time.Time
	last     time.Time // when it was shown
	open     bool      // a line is on the terminal
}

// plainEvery is how often a pipe gets a line.
const plainEvery = 10 * time.Second

func (p *program) counter(what string) *counter {
	return &counter{to: p.err, what: what, now: p.now, terminal: isTerminal(p.err), began: p.now(), last: p.now()}
}

// show says that some of all is done.
func (c *counter) show(done, all int) {
	now := c.now()
	if !c.terminal && now.Sub(c.last) < plainEvery {
		return
	}
	c.last = now
	text := fmt.Sprintf("%s: %d of %d", c.what, done, all)
	if spent := now.Sub(c.began); done > 0 && done < all && spent > time.Second {
		left := spent / time.Duration(done) * time.Duration(all-done)
		text += ", about " + left.Round(time.Second).String() + " left"
	}
	if c.terminal {
		fmt.Fprintf(c.to, "\r\x1b[K%s", text)
		c.open = true
		return
	}
	fmt.Fprintln(c.to, text)
}

// end takes the line off the terminal.
func (c *counter) end() {
	if c.open {
		fmt.Fprint(c.to, "\r\x1b[K")
	}
	c.open = false
}
