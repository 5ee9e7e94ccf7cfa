package demo

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/fatih/color"
)

// teller prints the story and keeps count of how its steps ended.
type teller struct {
	out    io.Writer
	steps  int
	wrong  []string // what did not end as it should
	title  *color.Color
	good   *color.Color
	bad    *color.Color
	faint  *color.Color
	began  time.Time
	clock  func() time.Time
	checks int
}

func newTeller(out io.Writer, clock func() time.Time) *teller {
	return &teller{
		out: out, clock: clock, began: clock(),
		title: color.New(color.Bold), good: color.New(color.FgGreen), bad: color.New(color.FgRed), faint: color.New(color.Faint),
	}
}

// step begins a part of the story.
func (t *teller) step(format string, arguments ...any) {
	t.steps++
	fmt.Fprintf(t.out, "\n%s\n", t.title.Sprintf("%2d  "+format, append([]any{t.steps}, arguments...)...))
}

// say prints a line of what was done.
func (t *teller) say(format string, arguments ...any) {
	for line := range strings.Lines(fmt.Sprintf(format, arguments...)) {
		fmt.Fprintf(t.out, "    %s\n", strings.TrimRight(line, "\n"))
	}
}

// aside prints a line of how it came about.
func (t *teller) aside(format string, arguments ...any) {
	fmt.Fprintf(t.out, "    %s\n", t.faint.Sprintf(format, arguments...))
}

// check says whether something ended as it should.
func (t *teller) check(ok bool, what string) {
	t.checks++
	if ok {
		fmt.Fprintf(t.out, "    %s\n", t.good.Sprint("✓ "+what))
		return
	}
	t.wrong = append(t.wrong, fmt.Sprintf("step %d: %s", t.steps, what))
	fmt.Fprintf(t.out, "    %s\n", t.bad.Sprint("✗ not so: "+what))
}

// end sums up; its error names what did not end as it should.
func (t *teller) end() error {
	took := t.clock().Sub(t.began).Seconds()
	if len(t.wrong) > 0 {
		return fmt.Errorf("%d of %d checks failed:\n  %s", len(t.wrong), t.checks, strings.Join(t.wrong, "\n  "))
	}
	fmt.Fprintf(t.out, "\n%s\n", t.good.Sprintf("All %d checks of %d steps ended as they should, in %.1f s.", t.checks, t.steps, took))
	return nil
}
