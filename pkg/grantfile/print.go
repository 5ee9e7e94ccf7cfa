package grantfile

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// Print writes rows, as the table has them, in the form that Parse reads: in their
// order, with every attribute but those that AWS adds. It fails on a kind of value
// that DynamoDB adds one day.
func Print(rows []grant.Attributes) ([]byte, error) {
	list := &yaml.Node{Kind: yaml.SequenceNode}
	for _, attributes := range rows {
		node, err := mapping(attributes, order(attributes))
		if err != nil {
			return nil, err
		}
		list.Content = append(list.Content, node)
	}
	if len(rows) == 0 {
		list.Style = yaml.FlowStyle
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	root := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{text(keyGrants), list}}
	if err := encoder.Encode(root); err != nil {
		return nil, fmt.Errorf("print grants as YAML: %w", err)
	}
	return out.Bytes(), nil
}

// order lists the attributes of a row as README.md has them, and then those that a
// grant has not.
func order(attributes grant.Attributes) []string {
	known := grant.KnownAttributes()
	var names, unknown []string
	for _, name := range known {
		if _, has := attributes[name]; has {
			names = append(names, name)
		}
	}
	for name := range attributes {
		if !slices.Contains(known, name) && !grant.ReservedAttribute(name) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return append(names, unknown...)
}

func mapping(values map[string]any, names []string) (*yaml.Node, error) {
	node := &yaml.Node{Kind: yaml.MappingNode}
	for _, name := range names {
		value, err := nodeOf(values[name])
		if err != nil {
			return nil, fmt.Errorf("print attribute %s: %w", name, err)
		}
		node.Content = append(node.Content, text(name), value)
	}
	return node, nil
}

func nodeOf(value any) (*yaml.Node, error) {
	switch v := value.(type) {
	case string:
		return text(v), nil
	case json.Number:
		return tagged("!!float", v.String()), nil
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(v)}, nil
	case nil:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}, nil
	case []byte:
		return tagged("!!binary", base64.StdEncoding.EncodeToString(v)), nil
	case map[string]any:
		return mapping(v, slices.Sorted(maps.Keys(v)))
	case []any:
		return listOf("", v)
	case grant.NumberSet:
		return listOf(tagNumberSet, v)
	case grant.BinarySet:
		return listOf(tagBinarySet, v)
	default:
		return nil, fmt.Errorf("a value of type %T cannot be written to a file", value)
	}
}

func listOf[E any](tag string, list []E) (*yaml.Node, error) {
	node := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle, Tag: tag}
	if tag != "" {
		node.Style |= yaml.TaggedStyle
	}
	for _, item := range list {
		value, err := nodeOf(item)
		if err != nil {
			return nil, err
		}
		node.Content = append(node.Content, value)
	}
	return node, nil
}

// text is quoted where it might be read as something else, or not be read at all.
func text(value string) *yaml.Node {
	node := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
	if value == "<<" || strings.TrimSpace(value) != value || strings.ContainsFunc(value, isOdd) || oldYAML.MatchString(value) {
		node.Style = yaml.DoubleQuotedStyle
	}
	return node
}

// oldYAML is text that readers of YAML 1.1, such as PyYAML, take for a bool or for a
// number to the base of 60.
var oldYAML = regexp.MustCompile(`^(?:(?i:y|n|yes|no|on|off)|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?)$`)

// isOdd reports whether a character is written as an escape, at least where it begins
// or breaks a line of YAML.
func isOdd(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r == '\ufeff'
}

func tagged(tag, value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value, Style: yaml.TaggedStyle | yaml.DoubleQuotedStyle}
}
