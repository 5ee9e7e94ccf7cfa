package policy

import (
	"strings"
	"unicode/utf8"
)

// pattern is a value of a policy made ready to match: text, wildcards and
// policy variables.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
type pattern struct {
	tokens   []token
	variable bool // at least one token is a variable
}

type token struct {
	kind tokenKind
	text string // of text; the key, in lower case, of a variable

	// fallback is what a variable stands for when its key has no value.
	fallback    string
	hasFallback bool
}

type tokenKind uint8

const (
	text     tokenKind = iota
	anyText            // *
	anyRune            // ?
	within             // *, of an ARN's field: no colon
	oneOf              // ?, of an ARN's field: no colon
	variable           // ${key} or ${key, 'fallback'}
)

// parsePattern reads a value. Without wildcards * and ? are text, without
// variables ${...} is.
func parsePattern(value string, wildcards, variables bool) pattern {
	special := ""
	if wildcards {
		special = "*?"
	}
	if variables {
		special += "$"
	}
	var p pattern
	for value != "" {
		i := len(value)
		if special != "" {
			if at := strings.IndexAny(value, special); at >= 0 {
				i = at
			}
		}
		if i > 0 {
			p.addText(value[:i])
			value = value[i:]
			continue
		}
		switch value[0] {
		case '*':
			if n := len(p.tokens); n == 0 || p.tokens[n-1].kind != anyText {
				p.tokens = append(p.tokens, token{kind: anyText})
			}
			i = 1
		case '?':
			p.tokens, i = append(p.tokens, token{kind: anyRune}), 1
		default:
			i = p.addVariable(value)
		}
		value = value[i:]
	}
	return p
}

func (p *pattern) addText(value string) {
	if n := len(p.tokens); n > 0 && p.tokens[n-1].kind == text {
		p.tokens[n-1].text += value
		return
	}
	p.tokens = append(p.tokens, token{kind: text, text: value})
}

// addVariable reads what begins with a dollar sign and returns its length.
func (p *pattern) addVariable(value string) int {
	end := strings.IndexByte(value, '}')
	if !strings.HasPrefix(value, "${") || end < 0 {
		p.addText("$")
		return 1
	}
	name := value[2:end]
	if name == "*" || name == "?" || name == "$" {
		p.addText(name)
		return end + 1
	}
	p.variable = true
	// A default value stands between single quotes, after a comma and a space,
	// and may contain a brace.
	if key, rest, ok := strings.Cut(value[2:], ", '"); ok && len(key) < len(name) {
		if length := strings.Index(rest, "'}"); length >= 0 {
			p.tokens = append(p.tokens, token{
				kind: variable, text: fold(key), fallback: rest[:length], hasFallback: true,
			})
			return len(value) - len(rest) + length + len("'}")
		}
	}
	p.tokens = append(p.tokens, token{kind: variable, text: fold(name)})
	return end + 1
}

// resolve puts values for variables. It reports false if one has no value:
// nothing is then equal to the pattern or like it.
func (p *pattern) resolve(r *request) (pattern, bool) {
	if !p.variable {
		return *p, true
	}
	var resolved pattern
	for _, t := range p.tokens {
		if t.kind != variable {
			resolved.tokens = append(resolved.tokens, t)
			continue
		}
		values := r.values(t.text)
		switch {
		case len(values) == 1: // keys with several values cannot be variables
			resolved.tokens = append(resolved.tokens, token{kind: text, text: values[0]})
		case len(values) == 0 && t.hasFallback:
			resolved.tokens = append(resolved.tokens, token{kind: text, text: t.fallback})
		default:
			return pattern{}, false
		}
	}
	return resolved, true
}

// match reports whether the resolved pattern covers value.
func (p *pattern) match(value string) bool { return matchTokens(p.tokens, value) }

// matchTokens is a glob match. When it fails it goes back to the last star of
// each kind and lets that cover one character more: what an earlier star of the
// same kind could cover, the last one can.
func matchTokens(tokens []token, value string) bool {
	if len(tokens) == 1 && tokens[0].kind == text {
		return tokens[0].text == value
	}
	far, near := star{token: -1}, star{token: -1} // over colons, and within a field
	t, at := 0, 0
	for at < len(value) || t < len(tokens) {
		if t < len(tokens) {
			switch tokens[t].kind {
			case anyText:
				if t == len(tokens)-1 {
					return true
				}
				far, near = star{t, at}, star{token: -1}
				t++
				continue
			case within:
				near = star{t, at}
				t++
				continue
			default:
			}
			if size, ok := tokens[t].take(value[at:]); ok {
				t, at = t+1, at+size
				continue
			}
		}
		switch {
		case near.grow(value, ':'):
			t, at = near.token+1, near.end
		case far.grow(value, -1):
			near.token = -1
			t, at = far.token+1, far.end
		default:
			return false
		}
	}
	return true
}

// star is where a star stands among the tokens, and where in the value what it
// covers ends.
type star struct{ token, end int }

// grow lets the star cover one character more, unless that is stop.
func (s *star) grow(value string, stop rune) bool {
	if s.token < 0 || s.end == len(value) {
		return false
	}
	r, size := utf8.DecodeRuneInString(value[s.end:])
	if r == stop {
		return false
	}
	s.end += size
	return true
}

// take reports whether value begins with the token, and how much of it that is.
func (t token) take(value string) (int, bool) {
	if t.kind == text {
		return len(t.text), strings.HasPrefix(value, t.text)
	}
	r, size := utf8.DecodeRuneInString(value)
	return size, size > 0 && (t.kind == anyRune || r != ':')
}
