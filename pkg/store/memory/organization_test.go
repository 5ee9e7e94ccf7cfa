package memory_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/dirsync"
	"github.com/gateway-grants/gateway-grants/pkg/event"
	"github.com/gateway-grants/gateway-grants/pkg/store/memory"
)

func TestOrganizationTwinPaths(t *testing.T) {
	o := newOrganization()
	outer := must(o.CreateUnit(o.Root()))(t)
	inner := must(o.CreateUnit(outer))(t)
	check(t, o.CreateAccount("444455556666"))
	check(t, o.MoveAccount("444455556666", inner))
	check(t, o.TagAccount("444455556666", "env", "prod"))

	member, found, err := o.Member(t.Context(), "444455556666")
	check(t, err)
	want := dirsync.Member{
		ID: "444455556666", State: directory.StateActive,
		Paths: []string{"o-exampleorgid/r-ab12/" + outer + "/" + inner + "/444455556666/"},
	}
	if diff := cmp.Diff(want, member); !found || diff != "" {
		t.Errorf("found %v, -want +got\n%s", found, diff)
	}
	if parent := must(o.Parent(t.Context(), inner))(t); parent != outer {
		t.Errorf("parent of %s is %s, want %s", inner, parent, outer)
	}
	if tags := must(o.Tags(t.Context(), "444455556666"))(t); tags["env"] != "prod" {
		t.Errorf("tags are %v", tags)
	}
	check(t, o.RemoveAccount("444455556666"))
	check(t, o.CreateAccount("444455556666"))
	if members := must(o.Members(t.Context(), ""))(t).Members; len(members) != 2 {
		t.Errorf("an account that joined again is listed among %v", members)
	}
}

func TestOrganizationTwinEvents(t *testing.T) {
	o := newOrganization()
	var names []string
	o.Listen(func(raw json.RawMessage) {
		parsed, err := event.Parse(raw)
		changed, is := parsed.(event.AccountsChanged)
		if err != nil || !is {
			t.Errorf("%v: %s", err, raw)
		}
		if _, _, err := o.Member(t.Context(), "444455556666"); err != nil {
			t.Errorf("a listener cannot ask: %v", err)
		}
		if diff := cmp.Diff([]string{"444455556666"}, changed.Accounts); diff != "" || changed.Sender != "111122223333" {
			t.Errorf("%s from %s: -want +got\n%s", changed.Name, changed.Sender, diff)
		}
		names = append(names, changed.Name)
	})
	check(t, o.CreateAccount("444455556666"))
	check(t, o.MoveAccount("444455556666", must(o.CreateUnit(o.Root()))(t)))
	check(t, o.TagAccount("444455556666", "env", "prod"))
	check(t, o.CloseAccount("444455556666"))
	check(t, o.RemoveAccount("444455556666"))

	want := []string{
		"CreateAccountResult", "MoveAccount", "TagResource", "CloseAccount", "CloseAccountResult",
		"RemoveAccountFromOrganization", "AccountDepartedOrganization",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestOrganizationTwinRejections(t *testing.T) {
	o := newOrganization()
	o.Listen(func(raw json.RawMessage) { t.Errorf("an event of what did not happen: %s", raw) })
	if _, err := o.CreateUnit("ou-ab12-99999999"); err == nil {
		t.Error("made a unit in a unit that does not exist")
	}
	for what, err := range map[string]error{
		"created the management account twice": o.CreateAccount("111122223333"),
		"moved a stranger":                     o.MoveAccount("444455556666", o.Root()),
		"moved an account to nowhere":          o.MoveAccount("111122223333", "ou-ab12-99999999"),
		"tagged a stranger":                    o.TagAccount("444455556666", "env", "prod"),
		"closed a stranger":                    o.CloseAccount("444455556666"),
		"removed the management account":       o.RemoveAccount("111122223333"),
	} {
		if err == nil {
			t.Error(what)
		}
	}
}

func newOrganization() *memory.Organization {
	at := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	return memory.NewOrganization("o-exampleorgid", "111122223333", func() time.Time { return at })
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		check(t, err)
		return value
	}
}
