package main

import (
	"fmt"

	"github.com/gateway-grants/gateway-grants/pkg/plan"
)

// otherText is a statement of others for other programs.
type otherText struct {
	Statement int    `json:"statement"` // its place in the policy, from 1
	Sid       string `json:"sid,omitempty"`
}

// denialText is a Deny of others that stops admitted principals.
type denialText struct {
	otherText

	Wholly []string `json:"wholly,omitempty"` // every call of these principals
	Partly []string `json:"partly,omitempty"` // some of their calls
}

func outsideTexts(outside plan.Outside) (denials []denialText, open []otherText) {
	for _, d := range outside.Denials {
		denials = append(denials, denialText{otherText: otherText{d.Number, d.Sid}, Wholly: d.Wholly, Partly: d.Partly})
	}
	for _, s := range outside.Opens {
		open = append(open, otherText{s.Number, s.Sid})
	}
	return denials, open
}

// sayOutside says what statements of others do about the plan.
func (p *program) sayOutside(outside plan.Outside) {
	paint := p.paint(p.out)
	for _, d := range outside.Denials {
		for _, stopped := range []struct {
			calls string
			whose []string
		}{{"every call", d.Wholly}, {"some calls, by its conditions or principals,", d.Partly}} {
			if n := len(stopped.whose); n > 0 {
				fmt.Fprintf(p.out, "%s %s, which is not this installation's, refuses %s of %s\n", paint.yellow("Denied:"), d.Statement, stopped.calls, someOf(stopped.whose))
			}
		}
	}
	for _, s := range outside.Opens {
		fmt.Fprintln(p.out, paint.yellow("Open:"), oneLine(plan.OpenMessage(s.String())))
	}
}

// someOf names the first few of many.
func someOf(principals []string) string {
	const few = 3
	text := ""
	for i, principal := range principals {
		switch {
		case i == few:
			return fmt.Sprintf("%s and %d more", text, len(principals)-few)
		case i > 0:
			text += ", "
		}
		text += oneLine(principal)
	}
	return text
}
