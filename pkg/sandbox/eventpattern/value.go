package eventpattern

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
)

// values is what a field may be: one of them has to match, of a field that is an
// array in one of its elements.
type values []matcher

// matcher tells by one value, or by there being none.
type matcher func(value any, present bool) bool

func parseValues(name string, list []any) (node, error) {
	if len(list) == 0 {
		return nil, fmt.Errorf("%s may be nothing at all: its array is empty", name)
	}
	var parsed values
	for _, element := range list {
		match, err := parseMatcher(name, element)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, match)
	}
	return parsed, nil
}

func (v values) matches(value any, present bool) bool {
	if list, ok := value.([]any); ok && present && len(list) > 0 {
		for _, element := range list {
			if v.matches(element, true) {
				return true
			}
		}
		return false
	}
	for _, match := range v {
		if match(value, present) {
			return true
		}
	}
	return false
}

func parseMatcher(name string, element any) (matcher, error) {
	object, ok := element.(map[string]any)
	if !ok {
		if _, list := element.([]any); list {
			return nil, fmt.Errorf("%s may be an array: that cannot be asked for", name)
		}
		return exactly(element), nil
	}
	if len(object) != 1 {
		return nil, fmt.Errorf("%s has an operator with %d names", name, len(object))
	}
	for operator, operand := range object {
		match, err := parseOperator(operator, operand)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return match, nil
	}
	return nil, nil // not reached: there is one
}

func parseOperator(operator string, operand any) (matcher, error) {
	switch operator {
	case "exists":
		want, ok := operand.(bool)
		if !ok {
			return nil, fmt.Errorf("exists is true or false, not %v", operand)
		}
		return exists(want), nil
	case "prefix", "suffix", "equals-ignore-case":
		text, ok := operand.(string)
		if !ok {
			return nil, fmt.Errorf("%s is a text, not %v", operator, operand)
		}
		return ofText(operator, text), nil
	case "anything-but":
		return parseAnythingBut(operand)
	case "numeric":
		return parseNumeric(operand)
	default:
		return nil, fmt.Errorf("operator %q is not one that Lambda documents for filters", operator)
	}
}

func exactly(want any) matcher {
	return func(value any, present bool) bool { return present && value == want }
}

// exists is about leaves: an object is not one.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html#eb-filtering-exists-matching
func exists(want bool) matcher {
	return func(value any, present bool) bool {
		_, object := value.(map[string]any)
		return (present && !object) == want
	}
}

func ofText(operator, want string) matcher {
	return func(value any, present bool) bool {
		text, ok := value.(string)
		if !present || !ok {
			return false
		}
		switch operator {
		case "prefix":
			return strings.HasPrefix(text, want)
		case "suffix":
			return strings.HasSuffix(text, want)
		default:
			return strings.EqualFold(text, want)
		}
	}
}

// parseAnythingBut takes a value, several, or a prefix, suffix or text of whatever
// case. A field that is not there is not anything.
func parseAnythingBut(operand any) (matcher, error) {
	var unwanted values
	switch o := operand.(type) {
	case []any:
		if len(o) == 0 {
			return nil, fmt.Errorf("anything-but leaves nothing out")
		}
		for _, element := range o {
			switch element.(type) {
			case map[string]any, []any:
				return nil, fmt.Errorf("anything-but has something other than values in its array")
			}
			unwanted = append(unwanted, exactly(element))
		}
	case map[string]any:
		match, err := parseMatcher("anything-but", o)
		if err != nil {
			return nil, err
		}
		for operator := range o {
			if operator != "prefix" && operator != "suffix" && operator != "equals-ignore-case" {
				return nil, fmt.Errorf("anything-but knows no operator %q", operator)
			}
		}
		unwanted = append(unwanted, match)
	default:
		unwanted = append(unwanted, exactly(o))
	}
	return func(value any, present bool) bool { return present && !unwanted.matches(value, true) }, nil
}

// parseNumeric takes one comparison or the two of a range, such as [">", 0, "<=", 5].
func parseNumeric(operand any) (matcher, error) {
	list, ok := operand.([]any)
	if !ok || (len(list) != 2 && len(list) != 4) {
		return nil, fmt.Errorf("numeric is one comparison or two, not %v", operand)
	}
	var all []func(*big.Rat) bool
	for i := 0; i < len(list); i += 2 {
		operator, _ := list[i].(string)
		limit, ok := number(list[i+1])
		if !ok {
			return nil, fmt.Errorf("numeric compares with %v", list[i+1])
		}
		compare, ok := comparisons[operator]
		if !ok {
			return nil, fmt.Errorf("numeric knows no comparison %v", list[i])
		}
		all = append(all, func(n *big.Rat) bool { return compare(n.Cmp(limit)) })
	}
	return func(value any, present bool) bool {
		n, ok := number(value)
		if !present || !ok {
			return false
		}
		for _, holds := range all {
			if !holds(n) {
				return false
			}
		}
		return true
	}, nil
}

var comparisons = map[string]func(int) bool{
	"=":  func(c int) bool { return c == 0 },
	"<":  func(c int) bool { return c < 0 },
	"<=": func(c int) bool { return c <= 0 },
	">":  func(c int) bool { return c > 0 },
	">=": func(c int) bool { return c >= 0 },
}

// longestNumber bounds how a number may be written, so that no exponent makes
// comparing it a long work.
const longestNumber = 40

func number(value any) (*big.Rat, bool) {
	text, ok := value.(json.Number)
	if !ok || len(text) > longestNumber || strings.ContainsAny(string(text), "eE") && len(text) > 8 {
		return nil, false
	}
	return new(big.Rat).SetString(string(text))
}
