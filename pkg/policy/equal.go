package policy

import (
	"encoding/json"
	"slices"
	"strings"
)

// Equal reports whether two documents mean the same; nil is "no policy" and
// equal to nil only.
func Equal(a, b *Document) bool { return a.Equal(b) }

// Equal is the function Equal as a method, which cmp.Equal and cmp.Diff use.
func (d *Document) Equal(other *Document) bool {
	if d == nil || other == nil {
		return d == other
	}
	return slices.Equal(normalise(d).keys(), normalise(other).keys())
}

// Equal reports whether two statements mean the same and have the same Sid.
func (s Statement) Equal(other Statement) bool { return s.key() == other.key() }

func (s Statement) key() string {
	n := normaliseStatement(&s)
	return string(appendStatementKey(nil, &s, &n))
}

// normalJSON gives JSON values that differ only in the order of members or in
// escapes the same text. What json cannot read stays as it is.
func normalJSON(text string) string {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return text
	}
	out, err := json.Marshal(value)
	if err != nil {
		return text
	}
	return string(out)
}
