// Package eventpattern matches events with the patterns by which Lambda's event
// source mappings filter records. It is pure.
//
// It knows the operators that Lambda documents. A pattern with any other is an
// error, never one that happens to match or not.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html#filtering-syntax
package eventpattern

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Pattern is what an event has to look like.
type Pattern struct{ root fields }

// Parse reads a pattern. An error names what is not known.
func Parse(text string) (Pattern, error) {
	value, err := decode([]byte(text))
	if err != nil {
		return Pattern{}, fmt.Errorf("reading an event pattern: %w", err)
	}
	object, ok := value.(map[string]any)
	if !ok || len(object) == 0 {
		return Pattern{}, errors.New("reading an event pattern: it is not an object with at least one field")
	}
	root, err := parseFields(object)
	if err != nil {
		return Pattern{}, fmt.Errorf("reading an event pattern: %w", err)
	}
	return Pattern{root}, nil
}

// Matches says whether the event, a JSON object, is what the pattern wants. What
// is no JSON is not.
func (p Pattern) Matches(event []byte) bool {
	value, err := decode(event)
	return err == nil && p.root.matches(value, true)
}

// decode keeps numbers as they are spelt: EventBridge compares them so, unless a
// numeric operator asks for their value.
func decode(text []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err //nolint:wrapcheck // the caller says what was read
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more after the first value")
	}
	return value, nil
}

// node is a part of a pattern, for a part of an event that may be absent.
type node interface {
	matches(value any, present bool) bool
}

// fields has to match in every field.
type fields map[string]node

func parseFields(object map[string]any) (fields, error) {
	parsed := fields{}
	for name, value := range object {
		var err error
		if parsed[name], err = parseField(name, value); err != nil {
			return nil, err
		}
	}
	return parsed, nil
}

func parseField(name string, value any) (node, error) {
	if name == "$or" {
		return parseAlternatives(value)
	}
	switch v := value.(type) {
	case map[string]any:
		return parseFields(v)
	case []any:
		return parseValues(name, v)
	default:
		return nil, fmt.Errorf("%s is neither an object nor an array of what it may be", name)
	}
}

func (f fields) matches(value any, present bool) bool {
	if list, ok := value.([]any); ok && present {
		for _, element := range list {
			if f.matches(element, true) {
				return true
			}
		}
		return false
	}
	object, _ := value.(map[string]any) // anything else has no fields
	for name, wanted := range f {
		if name == "$or" {
			if !wanted.matches(value, present) {
				return false
			}
			continue
		}
		field, ok := object[name]
		if !wanted.matches(field, ok) {
			return false
		}
	}
	return true
}

// alternatives has to match in one of its patterns.
type alternatives []fields

func parseAlternatives(value any) (node, error) {
	list, ok := value.([]any)
	if !ok || len(list) < 2 {
		return nil, errors.New("$or is not an array of two patterns or more")
	}
	var parsed alternatives
	for _, element := range list {
		object, ok := element.(map[string]any)
		if !ok {
			return nil, errors.New("$or has an element that is not a pattern")
		}
		alternative, err := parseFields(object)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, alternative)
	}
	return parsed, nil
}

func (a alternatives) matches(value any, present bool) bool {
	for _, alternative := range a {
		if alternative.matches(value, present) {
			return true
		}
	}
	return false
}
