package directory

import (
	"fmt"
	"maps"
	"slices"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// Interests are what grants ask of the directory: nothing else that an account
// has can be a loss. The zero Interests ask nothing.
type Interests struct {
	asked    []interest
	keys     []string
	explicit map[string][]grant.Key // for an account, or something in it
	unclear  []grant.Key            // of rows that do not say what they ask
}

// interest is a selector with its exclusions, and the grants that have both.
type interest struct {
	selector grant.Principal
	exclude  grant.Exclusion
	grants   []grant.Key
}

// InterestsOf reads the interests of rows. One with a fault keeps what its last
// valid revision gave, so it asks what its principal says or, where that cannot be
// read, may ask anything: then any loss counts, and tags once recorded stay.
func InterestsOf(rows []grant.Row) Interests {
	interests := Interests{explicit: make(map[string][]grant.Key)}
	known := make(map[string]int)
	for _, row := range rows {
		g := row.Grant
		if row.Fault != nil {
			g = &grant.Grant{Principal: row.Named}
		}
		if g.Principal == (grant.Principal{}) {
			interests.unclear = append(interests.unclear, row.Key)
			continue
		}
		if !g.Principal.IsSelector() {
			interests.explicit[g.Principal.Account()] = append(interests.explicit[g.Principal.Account()], row.Key)
			continue
		}
		form := fmt.Sprintf("%s %q %q", g.Principal, g.Exclude.Accounts, g.Exclude.Units)
		at, ok := known[form]
		if !ok {
			at = len(interests.asked)
			known[form] = at
			interests.asked = append(interests.asked, interest{selector: g.Principal, exclude: g.Exclude})
		}
		interests.asked[at].grants = append(interests.asked[at].grants, row.Key)
		if g.Principal.Kind() == grant.KindTag {
			interests.keys = append(interests.keys, g.Principal.TagKey())
		}
	}
	slices.Sort(interests.keys)
	interests.keys = slices.Compact(interests.keys)
	return interests
}

// KeepsTags reports whether the tags that are recorded with an account still count
// where they were not read.
func (i Interests) KeepsTags() bool { return len(i.keys)+len(i.unclear) > 0 }

// TagKeys are the keys of account tags that some selector names, sorted.
func (i Interests) TagKeys() []string { return i.keys }

// Lost lists the grants that mean the account by one view and not by another.
func (i Interests) Lost(id string, was, is View) []grant.Key {
	var lost []grant.Key
	for _, asked := range i.asked {
		if !slices.Contains(asked.exclude.Accounts, id) &&
			was.selectedBy(asked.selector, asked.exclude) && !is.selectedBy(asked.selector, asked.exclude) {
			lost = append(lost, asked.grants...)
		}
	}
	if was.loses(is) {
		lost = append(lost, i.unclear...)
	}
	return lost
}

// loses reports whether some selector may mean an account by this view that it does
// not mean by the other.
func (v View) loses(is View) bool {
	return v.State == StateActive && is.State != StateActive || v.Organization != is.Organization ||
		slices.ContainsFunc(v.Path, func(unit string) bool { return !slices.Contains(is.Path, unit) }) ||
		!maps.Equal(v.Tags, is.Tags)
}

// Ending lists the grants that an account is about to lose.
func (i Interests) Ending(a Account) []grant.Key {
	var ending []grant.Key
	left := a.View()
	if !a.MissingSince.IsZero() {
		left = View{}
		ending = append(ending, i.explicit[a.ID]...)
	}
	for _, v := range a.Views() {
		for _, key := range i.Lost(a.ID, v, left) {
			if !slices.Contains(ending, key) {
				ending = append(ending, key)
			}
		}
	}
	return ending
}

// Needed leaves the tags that some selector may name; nil for none. While a row
// does not say what it asks, a key that is recorded with the account is needed.
func (i Interests) Needed(tags, recorded map[string]string) map[string]string {
	var needed map[string]string
	for key, value := range tags {
		_, asked := slices.BinarySearch(i.keys, key)
		if _, known := recorded[key]; !asked && (len(i.unclear) == 0 || !known) {
			continue
		}
		if needed == nil {
			needed = make(map[string]string)
		}
		needed[key] = value
	}
	return needed
}
