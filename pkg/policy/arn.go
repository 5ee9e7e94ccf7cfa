package policy

import (
	"slices"
	"strings"
)

// arnFields is how many fields an ARN has; the last may contain colons.
const arnFields = 6

// resourcePattern reads a value of Resource. A star at the end of an ARN's
// field covers colons too, one inside a field, or a question mark, does not;
// in the last field both cover anything.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
func resourcePattern(value string, variables bool) pattern {
	p := parsePattern(value, true, variables)
	colons := 0
	for i := range p.tokens {
		if colons >= arnFields-1 {
			break
		}
		switch t := &p.tokens[i]; t.kind {
		case text:
			colons += strings.Count(t.text, ":")
		case anyText:
			if !endsField(p.tokens[i+1:]) {
				t.kind = within
			}
		case anyRune:
			t.kind = oneOf
		default:
		}
	}
	return p
}

// endsField reports whether a field of an ARN ends before these tokens.
func endsField(rest []token) bool {
	return len(rest) == 0 || rest[0].kind == text && rest[0].text[0] == ':'
}

// matchARN compares ARNs field by field: no wildcard covers a colon, except in
// the last field. What is no ARN matches nothing.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_ARN
func (p *pattern) matchARN(value string) bool {
	tokens := p.tokens
	for field := range arnFields - 1 {
		head, rest, ok := cutField(tokens)
		part, others, found := strings.Cut(value, ":")
		if !ok || !found || field == 0 && part != "arn" || !matchTokens(head, part) {
			return false
		}
		tokens, value = rest, others
	}
	return matchTokens(tokens, value)
}

// cutField splits tokens around their first colon.
func cutField(tokens []token) (head, rest []token, ok bool) {
	for i, t := range tokens {
		if t.kind != text {
			continue
		}
		before, after, found := strings.Cut(t.text, ":")
		if !found {
			continue
		}
		if before == "" && after == "" {
			return tokens[:i:i], tokens[i+1:], true
		}
		head = slices.Concat(tokens[:i], []token{{kind: text, text: before}})
		rest = slices.Concat([]token{{kind: text, text: after}}, tokens[i+1:])
		return head, rest, true
	}
	return nil, nil, false
}

// arnAccount is the account field of an ARN; empty if it is none.
func arnAccount(arn string) string {
	fields := strings.SplitN(arn, ":", arnFields)
	if len(fields) < arnFields {
		return ""
	}
	return fields[4]
}
