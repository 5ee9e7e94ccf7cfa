package grantfile_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/grantfile"
)

// Any text is a file or one line of what is wrong with it, and a file that is printed is
// the same file.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"grants: []\n", "source: git\ngrants:\n- {gateway: '*', grant: a, principal: 444455556666}\n", head + "  conditions: {sourceIp: [203.0.113.0/24]}\n",
		"{\"grants\":[{\"gateway\":\"*\",\"grant\":\"a\"}]}", head + "  x: !!binary aGVsbG8=\n  y: !numberSet [!!float 1]\n  z: !binarySet [!!binary aGk=]\n", "grants: &a [*a]", "? [a]\n: b\n", "\xef\xbb\xbfgrants: []",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		file, err := grantfile.Parse("grants.yaml", []byte(text))
		if err != nil {
			if failure, ok := errors.AsType[*grantfile.Error](err); !ok || strings.ContainsAny(failure.Error(), "\n\r") {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		var rows []grant.Attributes
		for _, row := range file.Rows {
			for name := range row.Attributes {
				if grant.ReservedAttribute(name) {
					return // which are not printed
				}
			}
			rows = append(rows, row.Attributes)
		}
		again, err := grantfile.Parse("grants.yaml", []byte(printed(t, rows)))
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		var read []grant.Attributes
		for _, row := range again.Rows {
			read = append(read, row.Attributes)
		}
		if diff := cmp.Diff(rows, read); diff != "" {
			t.Errorf("%q: -want +got\n%s", text, diff)
		}
	})
}
