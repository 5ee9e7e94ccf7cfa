package grantfile_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/grantfile"
)

const alice = "arn:aws:iam::111122223333:user/alice"

// steps are what becomes of which row, and in what.
func steps(t *testing.T, file grantfile.File, table []grant.Attributes, prune bool) []string {
	t.Helper()
	changes, err := file.Changes(table, prune, alice)
	if err != nil {
		t.Fatal(err)
	}
	parts := []string{}
	for _, step := range changes {
		parts = append(parts, string(step.Verb)+" "+step.Key.ID+": "+strings.Join(step.Fields(), " "))
	}
	return parts
}

func TestApplyChangesAndPrunes(t *testing.T) {
	table := []grant.Attributes{
		{"gateway": tools, "grant": "gone", "principal": "444455556666", "source": "git"},
		{"gateway": tools, "grant": "invalid", "principal": "444455556666", "condition": "x"},
		{"gateway": tools, "grant": "later", "principal": "444455556666", "expires": "2027-01-31", "source": "git", "requestedBy": "bob"},
		{"gateway": tools, "grant": "of others", "principal": "444455556666", "source": "tickets"},
		{"gateway": tools, "grant": "of no source", "principal": "444455556666"},
		{"gateway": tools, "grant": "same", "principal": "444455556666", "source": "git", "requestedBy": "bob"},
		{"gateway": tools, "grant": "taken over", "principal": "444455556666", "source": "tickets"},
	}
	row := func(id, rest string) string { return "- {gateway: " + tools + ", grant: " + id + rest + "}\n" }
	file := parsed(t, "source: git\ngrants:\n"+row("new", ", principal: 555566667777")+row("later", ", principal: 444455556666, expires: 2027-06-30")+
		row("same", ", principal: 444455556666")+row("taken over", ", principal: 444455556666"))
	changed := []string{"Add new: gateway grant principal requestedBy source", "Change later: expires requestedBy", "Change taken over: requestedBy source"}
	if diff := cmp.Diff(changed, steps(t, file, table, false)); diff != "" {
		t.Errorf("without prune: -want +got\n%s", diff)
	}
	if diff := cmp.Diff(append(changed, "Remove gone: gateway grant principal source"), steps(t, file, table, true)); diff != "" {
		t.Errorf("with prune: -want +got\n%s", diff)
	}
	empty := parsed(t, "source: git\ngrants: []\n")
	if got := steps(t, empty, table, true); len(got) != 3 {
		t.Errorf("a file without grants prunes every row of its source, got %v", got)
	}
}

func TestWhatCannotBeChangedIsRejectedWithItsLine(t *testing.T) {
	same := grant.Attributes{"gateway": tools, "grant": "b", "principal": "444455556666", "condition": "x"}
	for _, test := range []struct {
		reason, text, want string
		prune              bool
	}{
		{"an unknown attribute that the table has just so", head + "  principal: 444455556666\n  condition: x\n", "", false},
		{"an unknown attribute", head + "  principal: 444455556666\n  condition: y\n", `grants.yaml:5: grant "b": read attribute "condition": the attributes are`, false},
		{"no principal", head, `grants.yaml:2: grant "b": read principal: a grant needs a principal`, false},
		{"a wrong type", head + "  principal: 444455556666\n  role: true\n", `grants.yaml:5: grant "b": read role: write role as a string`, false},
		{"a lost zero", head + "  principal: 44455556666\n", `grants.yaml:4: grant "b": read principal "44455556666": an account id has 12 digits`, false},
		{"a bad gateway", "grants:\n- {gateway: tools, grant: b, principal: 444455556666}\n", `grants.yaml:2: grant "b": read gateway "tools"`, false},
		{"a value deeper", head + "  principal: 444455556666\n  conditions:\n    sourceIp: [0.0.0.0/0]\n", `grants.yaml:5: grant "b": read conditions sourceIp`, false},
		{"prune without a source", "grants: []\n", "grants.yaml: nothing can be pruned", true},
	} {
		changes, err := parsed(t, test.text).Changes([]grant.Attributes{same}, test.prune, alice)
		if test.want == "" {
			if len(changes) > 0 || err != nil {
				t.Errorf("%s: %v, %v", test.reason, changes, err)
			}
			continue
		}
		if failure, ok := errors.AsType[*grantfile.Error](err); !ok || !strings.HasPrefix(failure.Error(), test.want) || changes != nil {
			t.Errorf("%s: want %s\ngot %v, %v", test.reason, test.want, changes, err)
		}
	}
}

func TestRowsAreCarriedOut(t *testing.T) {
	table := []grant.Attributes{
		{"gateway": tools, "grant": "gone", "principal": "444455556666", "source": "git"},
		{"gateway": tools, "grant": "stays", "principal": "444455556666"},
	}
	file := parsed(t, "source: git\ngrants:\n- {gateway: "+tools+", grant: new, principal: 555566667777}\n")
	changes, err := file.Changes(table, true, alice)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, row := range grantfile.Carried(table, changes) {
		ids = append(ids, row.ID)
	}
	if diff := cmp.Diff([]string{"new", "stays"}, ids); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if got := grantfile.Summary(changes); got != "1 to add, 0 to change, 1 to remove" {
		t.Error(got)
	}
}
