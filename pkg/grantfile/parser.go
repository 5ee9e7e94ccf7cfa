package grantfile

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// parser turns nodes of YAML into values, strictly: nothing is guessed, and nothing
// that a line does not show, such as an alias, has a meaning.
type parser struct{ name string }

func (p parser) fail(line int, format string, args ...any) error {
	return &Error{File: p.name, Line: line, Problem: fmt.Sprintf(format, args...)}
}

var yamlProblem = regexp.MustCompile(`^yaml: (?:line (\d+): )?(?s:(.*))$`)

// malformed says where the text is no YAML.
func (p parser) malformed(err error) error {
	if part := yamlProblem.FindStringSubmatch(err.Error()); part != nil {
		line, _ := strconv.Atoi(part[1]) // 0 where the library does not give it
		return p.fail(line, "this is no YAML: %s", part[2])
	}
	return p.fail(0, "this is no YAML: %v", err)
}

// document is the root of the file's only document.
func (p parser) document(text []byte) (*yaml.Node, error) {
	if len(text) > MaxSize {
		return nil, p.fail(0, "the file has more than %d bytes: split it", MaxSize)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document, next yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF) || err == nil && len(document.Content) == 0:
		return nil, p.fail(0, "the file is empty: write %s: [] for no grants", keyGrants)
	case err != nil:
		return nil, p.malformed(err)
	}
	switch err := decoder.Decode(&next); {
	case err == nil:
		return nil, p.fail(next.Line, "a second document begins here: write one")
	case !errors.Is(err, io.EOF):
		return nil, p.malformed(err)
	}
	return document.Content[0], nil
}

// member is one field of a mapping.
type member struct {
	name  string
	line  int
	value *yaml.Node
}

func (p parser) members(node *yaml.Node) ([]member, error) {
	if node.Kind != yaml.MappingNode {
		return nil, p.fail(node.Line, "%s instead of fields: write name: value", what(node))
	}
	lines := make(map[string]int)
	var all []member
	for i := 0; i < len(node.Content); i += 2 {
		key := node.Content[i]
		if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge" {
			return nil, p.fail(key.Line, "a field's name is text: write name: value")
		}
		if line, twice := lines[key.Value]; twice {
			return nil, p.fail(key.Line, "field %s stands on line %d already: leave one out", quote(key.Value), line)
		}
		lines[key.Value] = key.Line
		all = append(all, member{key.Value, key.Line, node.Content[i+1]})
	}
	return all, nil
}

func (p parser) source(m member) (string, error) {
	value, err := p.value(m.value)
	if err != nil {
		return "", err
	}
	if text, ok := value.(string); ok && text != "" {
		return text, nil
	}
	return "", p.fail(m.line, "%s is the name of what keeps these rows: write it as text", keySource)
}

func (p parser) rows(node *yaml.Node) ([]Row, error) {
	if node.Kind != yaml.SequenceNode {
		return nil, p.fail(node.Line, "%s instead of a list of rows: write - gateway: … for each", what(node))
	}
	rows := make([]Row, 0, len(node.Content))
	for _, item := range node.Content {
		members, err := p.members(item)
		if err != nil {
			return nil, err
		}
		row := Row{Attributes: make(grant.Attributes), line: item.Line, lines: make(map[string]int)}
		for _, m := range members {
			row.lines[m.name] = m.line
			if row.Attributes[m.name], err = p.value(m.value); err != nil {
				return nil, err
			}
		}
		for _, name := range []string{grant.AttrGateway, grant.AttrGrant} {
			if text, ok := row.Attributes[name].(string); !ok || text == "" {
				return nil, p.fail(item.Line, "the row has no %s: every row has a %s and a %s, as text", name, grant.AttrGateway, grant.AttrGrant)
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// Tags of what a table can hold and YAML has no word for.
const (
	tagNumberSet = "!numberSet"
	tagBinarySet = "!binarySet"
)

func (p parser) value(node *yaml.Node) (any, error) {
	switch node.Kind {
	case yaml.ScalarNode:
		return p.scalar(node)
	case yaml.SequenceNode:
		return p.list(node)
	case yaml.MappingNode:
		members, err := p.members(node)
		if err != nil {
			return nil, err
		}
		values := make(map[string]any, len(members))
		for _, m := range members {
			if values[m.name], err = p.value(m.value); err != nil {
				return nil, err
			}
		}
		return values, nil
	default:
		return nil, p.fail(node.Line, "%s: write the value out", what(node))
	}
}

// scalar reads one value. Digits and dates are text, as all that a grant has: 12
// digits are an account's id, whose zeros in front count. Only a tag makes a number.
func (p parser) scalar(node *yaml.Node) (any, error) {
	switch tag := node.ShortTag(); tag {
	case "!!str", "!!timestamp":
		return node.Value, nil
	case "!!int", "!!float":
		if node.Style&yaml.TaggedStyle == 0 {
			return node.Value, nil
		}
		var number json.Number
		if err := json.Unmarshal([]byte(node.Value), &number); err != nil {
			return nil, p.fail(node.Line, "%s is no number", quote(node.Value))
		}
		return number, nil
	case "!!bool":
		value, err := strconv.ParseBool(node.Value)
		if err != nil {
			return nil, p.fail(node.Line, "%s is neither true nor false", quote(node.Value))
		}
		return value, nil
	case "!!null":
		return nil, nil
	case "!!binary":
		value, err := base64.StdEncoding.DecodeString(node.Value)
		if err != nil {
			return nil, p.fail(node.Line, "%s is no base64", quote(node.Value))
		}
		return value, nil
	default:
		return nil, p.fail(node.Line, "unknown tag %s: leave it out", tag)
	}
}

func (p parser) list(node *yaml.Node) (any, error) {
	list := make([]any, len(node.Content))
	for i, item := range node.Content {
		var err error
		if list[i], err = p.value(item); err != nil {
			return nil, err
		}
	}
	switch tag := node.ShortTag(); tag {
	case "!!seq":
		return list, nil
	case tagNumberSet:
		set, ok := setOf[json.Number](list)
		return grant.NumberSet(set), p.unless(ok, node, "a set of numbers, each with the tag !!float")
	case tagBinarySet:
		set, ok := setOf[[]byte](list)
		return grant.BinarySet(set), p.unless(ok, node, "a set of values with the tag !!binary")
	default:
		return nil, p.fail(node.Line, "unknown tag %s: leave it out", tag)
	}
}

func setOf[T any](list []any) ([]T, bool) {
	set := make([]T, len(list))
	for i, item := range list {
		value, ok := item.(T)
		if !ok {
			return nil, false
		}
		set[i] = value
	}
	return set, true
}

func (p parser) unless(ok bool, node *yaml.Node, what string) error {
	if ok {
		return nil
	}
	return p.fail(node.Line, "write %s", what)
}

// what says what a node is, for messages.
func what(node *yaml.Node) string {
	switch node.Kind {
	case yaml.MappingNode:
		return "fields"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	default:
		return "a value"
	}
}
