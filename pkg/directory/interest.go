package directory

import (
	"fmt"
	"slices"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// Interests are what grants ask of the directory: nothing else that an account
// has can be a loss. The zero Interests ask nothing.
type Interests struct {
	asked    []interest
	keys     []string
	explicit map[string][]grant.Key // for an account, or something in it
}

// interest is a selector with its exclusions, and the grants that have both.
type interest struct {
	selector grant.Principal
	exclude  grant.Exclusion
	grants   []grant.Key
}

// InterestsOf reads the interests of rows; one with a fault lets nobody in and
// asks nothing.
func InterestsOf(rows []grant.Row) Interests {
	interests := Interests{explicit: make(map[string][]grant.Key)}
	known := make(map[string]int)
	for _, row := range rows {
		if row.Fault != nil {
			continue
		}
		g := row.Grant
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
	return lost
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

// Needed leaves the tags that some selector may name; nil for none.
func (i Interests) Needed(tags map[string]string) map[string]string {
	var needed map[string]string
	for key, value := range tags {
		if _, asked := slices.BinarySearch(i.keys, key); !asked {
			continue
		}
		if needed == nil {
			needed = make(map[string]string)
		}
		needed[key] = value
	}
	return needed
}
