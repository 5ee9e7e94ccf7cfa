package main

import (
	"io"
	"os"

	"github.com/fatih/color"
	"github.com/mattn/go-isatty"
)

// paint colours text for one writer.
type paint struct{ on bool }

// paint colours only what goes to a terminal, unless the user asks for no color
// (https://no-color.org).
func (p *program) paint(to io.Writer) paint {
	return paint{on: isTerminal(to) && !p.settings.noColor && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

func isTerminal(to any) bool {
	file, ok := to.(*os.File)
	if !ok {
		return false
	}
	return isatty.IsTerminal(file.Fd()) // /dev/null is a character device, too, and no terminal
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
