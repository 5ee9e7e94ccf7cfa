package directory_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

func TestTouched(t *testing.T) {
	at := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	base := directory.Account{
		ID: "444455556666", State: directory.StateActive, Organization: "o-exampleorgid",
		Path: []string{"ou-ab12-11111111", "ou-ab12-22222222"}, Tags: map[string]string{"env": "prod", "team": "search"}, ReadAt: at,
	}
	everything := []string{
		"o-exampleorgid", "ou-ab12-11111111", "ou-ab12-22222222", "ou-ab12-22222222/direct", "tag:env=prod", "tag:team=search",
	}
	change := func(f func(*directory.Account)) *directory.Account {
		a := base
		f(&a)
		return &a
	}
	cases := map[string]struct {
		reason        string
		before, after *directory.Account
		selectors     []string
		account       string
	}{
		"appears": {
			reason: "a new member gains every place and tag, and its explicit grants",
			after:  &base, selectors: everything, account: "444455556666",
		},
		"disappears": {
			reason: "one that left loses them all",
			before: &base, selectors: everything, account: "444455556666",
		},
		"suspended": {
			reason: "no selector means an account that is not active",
			before: &base, after: change(func(a *directory.Account) { a.State = directory.StateSuspended }),
			selectors: everything, account: "444455556666",
		},
		"moved": {
			reason: "a grant for a place that it keeps may exclude the unit that it went to",
			before: &base, after: change(func(a *directory.Account) { a.Path = []string{"ou-ab12-11111111", "ou-ab12-33333333"} }),
			selectors: append([]string{"ou-ab12-33333333", "ou-ab12-33333333/direct"}, everything...),
		},
		"moved to the root": {
			reason: "an account directly under the root is in no unit",
			before: &base, after: change(func(a *directory.Account) { a.Path = nil }),
			selectors: everything,
		},
		"renamed": {
			reason: "a name is for people: no grant means it",
			before: &base, after: change(func(a *directory.Account) { a.Name = "Tools" }),
		},
		"tag changed": {
			reason: "a tag's other value is another selector; nothing else is concerned",
			before: &base, after: change(func(a *directory.Account) { a.Tags = map[string]string{"env": "test", "team": "search"} }),
			selectors: []string{"tag:env=prod", "tag:env=test"},
		},
		"read again": {
			reason: "a reading that says the same changes nothing",
			before: &base, after: change(func(a *directory.Account) { a.ReadAt = at.Add(time.Hour) }),
		},
		"went missing": {
			reason: "it keeps everything until that is certain",
			before: &base, after: change(func(a *directory.Account) { a.MissingSince, a.HeldSince = at, at }),
		},
		"lost what it kept": {
			reason: "a grant for where it was means it no longer",
			before: change(func(a *directory.Account) {
				a.Kept = []directory.Kept{{View: directory.View{State: directory.StateActive, Organization: "o-exampleorgid", Path: []string{"ou-ab12-44444444"}}}}
			}),
			after: &base, selectors: append([]string{"ou-ab12-44444444", "ou-ab12-44444444/direct"}, everything...),
		},
		"a tag that no grant can name": {
			reason: "nothing can select it",
			before: &base, after: change(func(a *directory.Account) {
				a.Tags = map[string]string{"env": "prod", "team": "search", "odd\n": "x"}
			}),
		},
		"nothing": {reason: "no account before or after is no change"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			touch := directory.Touched(c.before, c.after)
			var got []string
			for _, selector := range touch.Selectors {
				got = append(got, selector.String())
			}
			slices.Sort(got)
			slices.Sort(c.selectors)
			if diff := cmp.Diff(c.selectors, got); diff != "" {
				t.Errorf("%s: selectors -want +got\n%s", c.reason, diff)
			}
			if touch.Account != c.account {
				t.Errorf("%s: account %q, want %q", c.reason, touch.Account, c.account)
			}
		})
	}
}

// Whatever changes, a selector that means something else afterwards is named.
func TestTouchedSelectorsAreComplete(t *testing.T) {
	units := []string{"ou-ab12-11111111", "ou-ab12-22222222", "ou-ab12-33333333"}
	names := []string{"o-exampleorgid", "o-otherorgid1", "tag:env=prod", "tag:env=test"}
	for _, unit := range units {
		names = append(names, unit, unit+"/direct")
	}
	account := rapid.Custom(func(t *rapid.T) *directory.Account {
		if rapid.IntRange(0, 4).Draw(t, "absent") == 0 {
			return nil
		}
		a := &directory.Account{
			ID:           "444455556666",
			State:        rapid.SampledFrom([]directory.State{directory.StateActive, directory.StateSuspended}).Draw(t, "state"),
			Organization: rapid.SampledFrom([]string{"o-exampleorgid", "o-otherorgid1"}).Draw(t, "organization"),
			Path:         rapid.SliceOfNDistinct(rapid.SampledFrom(units), 0, 2, rapid.ID).Draw(t, "path"),
		}
		if env := rapid.SampledFrom([]string{"", "prod", "test"}).Draw(t, "env"); env != "" {
			a.Tags = map[string]string{"env": env}
		}
		return a
	})
	rapid.Check(t, func(t *rapid.T) {
		before, after := account.Draw(t, "before"), account.Draw(t, "after")
		touch := directory.Touched(before, after)
		exclude := grant.Exclusion{Units: rapid.SliceOfN(rapid.SampledFrom(units), 0, 1).Draw(t, "exclude")}
		for _, name := range names {
			selector, err := grant.ParsePrincipal(name)
			if err != nil {
				t.Fatal(err)
			}
			was := before != nil && directory.Selects(selector, exclude, *before)
			is := after != nil && directory.Selects(selector, exclude, *after)
			if was != is && !slices.Contains(touch.Selectors, selector) {
				t.Fatalf("%s excluding %v selected: %v, now %v, and is not touched", name, exclude.Units, was, is)
			}
		}
		if (before == nil) != (after == nil) && touch.Account == "" {
			t.Fatal("membership changed and the account is not touched")
		}
	})
}

func TestAccountReadsBackFromItem(t *testing.T) {
	want := directory.Account{
		ID: "444455556666", Name: "Équipe Outils & Co.", State: directory.StateActive, Organization: "o-exampleorgid",
		Path: []string{"ou-ab12-11111111"}, Tags: map[string]string{"env": "prod"},
		ReadAt:       time.Date(2026, 11, 20, 9, 0, 0, 123, time.UTC),
		MissingSince: time.Date(2026, 11, 19, 9, 0, 0, 0, time.UTC),
	}
	got, err := directory.ParseItem(want.ID, want.Item())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestNameIsReadAsPrintable(t *testing.T) {
	for _, c := range []struct {
		reason string
		name   any
		want   string
	}{
		{"older items have no name", nil, ""},
		{"a name decides nothing, so that a bad one fails no reading", true, ""},
		{"a terminal would take an escape for a command", "\x1b]0;owned\a\u009b2JTools", "\ufffd]0;owned\ufffd\ufffd2JTools"},
		{"a mark of direction would turn the text after it around", "Tools\u202e)", "Tools\ufffd)"},
		{"a name is one line", "Tools\r\nAllowed", "Tools\ufffd\ufffdAllowed"},
		{"only AWS's 50 characters are kept", strings.Repeat("é", 60), strings.Repeat("é", 50)},
		{"spaces around it are none of it", " Tools ", "Tools"},
	} {
		item := directory.Attributes{"state": "ACTIVE"}
		if c.name != nil {
			item["name"] = c.name
		}
		got, err := directory.ParseItem("444455556666", item)
		if err != nil || got.Name != c.want {
			t.Errorf("%s: %q, %v; want %q", c.reason, got.Name, err, c.want)
		}
	}
}

func TestMalformedItemIsNoAccount(t *testing.T) {
	cases := map[string]struct {
		reason string
		id     string
		item   directory.Attributes
	}{
		"no id":      {"the key names the account", "", directory.Attributes{}},
		"odd id":     {"an id has 12 digits", "44445555666x", directory.Attributes{}},
		"state":      {"text is text", "444455556666", directory.Attributes{"state": true}},
		"path":       {"a path is a list", "444455556666", directory.Attributes{"path": "ou-ab12-11111111"}},
		"path parts": {"of strings", "444455556666", directory.Attributes{"path": []any{"ou-ab12-11111111", 1.0}}},
		"tags":       {"tags are a map", "444455556666", directory.Attributes{"tags": []any{"env"}}},
		"tag values": {"of strings", "444455556666", directory.Attributes{"tags": map[string]any{"env": nil}}},
		"readAt":     {"a time is RFC 3339", "444455556666", directory.Attributes{"readAt": "yesterday"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if account, err := directory.ParseItem(c.id, c.item); err == nil {
				t.Errorf("%s: got %+v", c.reason, account)
			}
		})
	}
}
