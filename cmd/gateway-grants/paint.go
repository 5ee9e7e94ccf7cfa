package main

import (
	"io"
	"os"

	"github.com/fatih/color"
)

// paint colours text for one writer.
type paint struct{ on bool }

// paint colours only what goes to a terminal, unless told not to
// (https://no-color.org).
func (p *program) paint(to io.Writer) paint {
	return paint{on: isTerminal(to) && !p.settings.noColor && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	about, err := file.Stat()
	return err == nil && about.Mode()&os.ModeCharDevice != 0
}

func (p paint) red(text string) string    { return p.with(color.FgRed, text) }
func (p paint) green(text string) string  { return p.with(color.FgGreen, text) }
func (p paint) yellow(text string) string { return p.with(color.FgYellow, text) }
func (p paint) faint(text string) string  { return p.with(color.Faint, text) }

func (p paint) with(attribute color.Attribute, text string) string {
	if !p.on {
		return text
	}
	c := color.New(attribute)
	c.EnableColor()
	return c.Sprint(text)
}
