package directory

import (
	"slices"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// Touch is what a change of one account may have changed the meaning of: grants
// for any of the selectors, and grants that name the account or something in it.
type Touch struct {
	Selectors []grant.Principal // each once
	Account   string            // the account's id if its membership or state changed, else ""
}

// Touched compares an account before and after a change; nil stands for no such
// account. It may name too much, never too little.
//
// A move touches also the places and tags that the account keeps, because a
// grant for them may exclude the unit that it came from or went to.
func Touched(before, after *Account) Touch {
	var touch Touch
	if before == nil && after == nil {
		return touch
	}
	if membershipChanged(before, after) {
		touch.Account = either(after, before).ID
	}
	if touch.Account != "" || placesChanged(before, after) {
		touch.Selectors = union(selectorsOf(before), selectorsOf(after))
		return touch
	}
	was, is := tagSelectors(before), tagSelectors(after)
	touch.Selectors = union(without(was, is), without(is, was))
	return touch
}

func membershipChanged(before, after *Account) bool {
	if before == nil || after == nil {
		return before != after
	}
	// That it is missing takes nothing away yet.
	return before.State != after.State || before.Organization != after.Organization
}

// placesChanged reports whether any view came, went or moved.
func placesChanged(before, after *Account) bool {
	if !slices.Equal(before.Path, after.Path) {
		return true
	}
	return !slices.EqualFunc(before.Kept, after.Kept, func(a, b Kept) bool { return a.Same(b.View) })
}

func either(a, b *Account) *Account {
	if a != nil {
		return a
	}
	return b
}

// selectorsOf lists every selector that matches the account.
func selectorsOf(a *Account) []grant.Principal {
	if a == nil {
		return nil
	}
	var names []string
	for _, v := range a.Views() {
		names = append(names, v.Path...)
		if len(v.Path) > 0 {
			names = append(names, v.Path[len(v.Path)-1]+"/direct")
		}
		names = append(names, v.Organization)
	}
	return without(append(parseSelectors(names), tagSelectors(a)...), nil)
}

func tagSelectors(a *Account) []grant.Principal {
	var names []string
	for _, v := range a.Views() {
		for key, value := range v.Tags {
			names = append(names, "tag:"+grant.TagName(key, value))
		}
	}
	slices.Sort(names)
	return parseSelectors(names)
}

// parseSelectors leaves out names that no grant can hold.
func parseSelectors(names []string) []grant.Principal {
	var selectors []grant.Principal
	for _, name := range names {
		if selector, err := grant.ParsePrincipal(name); err == nil && selector.IsSelector() {
			selectors = append(selectors, selector)
		}
	}
	return selectors
}

func union(a, b []grant.Principal) []grant.Principal {
	return append(slices.Clone(a), without(b, a)...)
}

func without(a, b []grant.Principal) []grant.Principal {
	var rest []grant.Principal
	for _, selector := range a {
		if !slices.Contains(b, selector) && !slices.Contains(rest, selector) {
			rest = append(rest, selector)
		}
	}
	return rest
}
