package grantfile_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/grantfile"
)

func printed(t interface{ Fatal(args ...any) }, rows []grant.Attributes) string {
	text, err := grantfile.Print(rows)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestRowsArePrintedAsAFile(t *testing.T) {
	got := printed(t, []grant.Attributes{
		{"reason": "pilot", "gateway": "*", "grant": "444455556666", "principal": "444455556666", "expires": "2027-01-31", "aws:rep:deleting": false},
		{"gateway": tools, "grant": "b", "zone": json.Number("1"), "condition": "x", "exclude": []any{"777788889999"}, "conditions": map[string]any{"sourceIp": []any{"203.0.113.0/24"}}},
	})
	want := `grants:
  - gateway: '*'
    grant: "444455556666"
    principal: "444455556666"
    expires: "2027-01-31"
    reason: pilot
  - gateway: ` + tools + `
    grant: b
    exclude: ["777788889999"]
    conditions:
      sourceIp: [203.0.113.0/24]
    condition: x
    zone: !!float "1"
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if got := printed(t, nil); got != "grants: []\n" {
		t.Errorf("no rows: %q", got)
	}
}

// Whatever a table holds, grants or not, is the same after a file: the same rows in the
// same order, and nothing to change.
func TestAFileOfTheTableChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := rapid.SliceOfNDistinct(row(), 0, 5, func(r grant.Attributes) string {
			return r["gateway"].(string) + "#" + r["grant"].(string)
		}).Draw(t, "table")
		text := printed(t, table)
		file, err := grantfile.Parse("grants.yaml", []byte(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		read := []grant.Attributes{}
		for _, row := range file.Rows {
			read = append(read, row.Attributes)
		}
		if diff := cmp.Diff(table, read); diff != "" {
			t.Errorf("-want +got\n%s\n%s", diff, text)
		}
		if steps, err := file.Changes(table, false, "arn:aws:iam::111122223333:user/a"); len(steps) > 0 || err != nil {
			t.Errorf("%v, %v\n%s", steps, err, text)
		}
	})
}

// texts are those of people and those that YAML might read as something else.
func texts() *rapid.Generator[string] {
	return rapid.OneOf(rapid.String(), rapid.StringMatching(`[-\n\t :#"'*&!|>{}\[\],a0~\\\x{85}\x{2028}\x{feff}]{1,12}`),
		rapid.SampledFrom([]string{"", "null", "true", "no", "0123", "1e3", "2027-01-31", "<<", "=", "0x1f", "1_000", ".inf", "🚪"}))
}

func row() *rapid.Generator[grant.Attributes] {
	return rapid.Custom(func(t *rapid.T) grant.Attributes {
		attributes := grant.Attributes{"gateway": rapid.SampledFrom([]string{"*", tools, "other"}).Draw(t, "gateway")}
		attributes["grant"] = rapid.Map(texts(), func(s string) string { return s + "x" }).Draw(t, "grant")
		for _, name := range rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom(grant.KnownAttributes()[2:]), texts()), 0, 6).Draw(t, "names") {
			if name != "gateway" && name != "grant" && !strings.HasPrefix(name, "aws:") {
				attributes[name] = value(3).Draw(t, "value")
			}
		}
		return attributes
	})
}

func value(depth int) *rapid.Generator[any] {
	asAny := func(s string) any { return s }
	kinds := []*rapid.Generator[any]{
		rapid.Map(texts(), asAny),
		rapid.Map(rapid.Float64Range(-1e20, 1e20), func(f float64) any { text, _ := json.Marshal(f); return json.Number(text) }),
		rapid.SampledFrom([]any{true, false, nil}),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 5), func(b []byte) any { return append([]byte{}, b...) }),
		rapid.SampledFrom([]any{grant.NumberSet{"1", "2.5"}, grant.BinarySet{[]byte("a"), []byte{0}}}),
	}
	if depth > 0 {
		kinds = append(kinds,
			rapid.Map(rapid.SliceOfN(rapid.Deferred(func() *rapid.Generator[any] { return value(depth - 1) }), 0, 3), func(l []any) any { return append([]any{}, l...) }),
			rapid.Map(rapid.MapOfN(texts(), rapid.Deferred(func() *rapid.Generator[any] { return value(depth - 1) }), 0, 3), func(m map[string]any) any { return m }))
	}
	return rapid.OneOf(kinds...)
}
