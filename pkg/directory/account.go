// Package directory is what is known of the organization's accounts: who is in
// it, under which units, with which tags, in which state. It is pure.
package directory

import (
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// State is an account's state as AWS Organizations names it.
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_Account.html
type State string

// The states of an account.
const (
	StateActive            State = "ACTIVE"
	StatePendingActivation State = "PENDING_ACTIVATION"
	StateSuspended         State = "SUSPENDED"
	StatePendingClosure    State = "PENDING_CLOSURE"
	StateClosed            State = "CLOSED"
)

// Account is one account of the organization, as last read.
type Account struct {
	ID           string // 12 digits
	Name         string // for people, as DisplayName makes it; "" where it is not known
	State        State
	Organization string            // o-…
	Path         []string          // OU ids from below the root down to the parent; empty directly under the root
	Tags         map[string]string // only those that some selector needs are sure to be here
	ReadAt       time.Time         // when Organizations reported it; an older reading never replaces a newer
	MissingSince time.Time         // when a reading first lacked it; zero for present
	HeldSince    time.Time         // when the departure guard began to hold what it would lose; zero for not held
	Kept         []Kept            // what it no longer has and still counts
}

// View is what makes selectors mean an account, as one reading had it.
type View struct {
	State        State
	Organization string
	Path         []string
	Tags         map[string]string
}

// Kept is a view that an account had, and that counts until its loss is certain
// and not held: additions take effect at once, losses do not.
type Kept struct {
	View

	LostSince time.Time // when a reading first lacked it
}

// View is the account as last read.
func (a Account) View() View { return View{a.State, a.Organization, a.Path, a.Tags} }

// Views are all that count: the account as last read, and what it keeps.
func (a Account) Views() []View {
	views := make([]View, 1, 1+len(a.Kept))
	views[0] = a.View()
	for _, kept := range a.Kept {
		views = append(views, kept.View)
	}
	return views
}

// Leaving reports whether something is about to be lost.
func (a Account) Leaving() bool { return !a.MissingSince.IsZero() || len(a.Kept) > 0 }

// Same reports whether two views are equal.
func (v View) Same(other View) bool {
	return v.State == other.State && v.Organization == other.Organization &&
		slices.Equal(v.Path, other.Path) && maps.Equal(v.Tags, other.Tags)
}

// Selects reports whether a selector means the account: active, in the place or
// with the tag that the selector names, and not excluded, in any of its views.
// Principals that are no selectors select nothing.
func Selects(selector grant.Principal, exclude grant.Exclusion, a Account) bool {
	if slices.Contains(exclude.Accounts, a.ID) {
		return false
	}
	return slices.ContainsFunc(a.Views(), func(v View) bool { return v.selectedBy(selector, exclude) })
}

// Matches reports whether the account is in the place or has the tag that the
// selector names, in any of its views, whatever its state.
func Matches(selector grant.Principal, a Account) bool {
	return slices.ContainsFunc(a.Views(), func(v View) bool { return v.matches(selector) })
}

func (v View) selectedBy(selector grant.Principal, exclude grant.Exclusion) bool {
	return v.State == StateActive && v.matches(selector) && !slices.ContainsFunc(v.Path, func(unit string) bool {
		return slices.Contains(exclude.Units, unit)
	})
}

func (v View) matches(selector grant.Principal) bool {
	switch selector.Kind() {
	case grant.KindUnit:
		return slices.Contains(v.Path, selector.Name())
	case grant.KindUnitDirect:
		return len(v.Path) > 0 && v.Path[len(v.Path)-1] == selector.Name()
	case grant.KindOrganization:
		return v.Organization == selector.Name()
	case grant.KindTag:
		for key, value := range v.Tags {
			if grant.TagName(key, value) == selector.Name() {
				return true
			}
		}
		return false
	default:
		return false
	}
}

// SameAccount reports whether two readings of an account say the same, whenever
// they were made.
func SameAccount(a, b Account) bool {
	return a.ID == b.ID && a.Name == b.Name && a.View().Same(b.View()) &&
		a.MissingSince.Equal(b.MissingSince) && a.HeldSince.Equal(b.HeldSince) &&
		slices.EqualFunc(a.Kept, b.Kept, func(x, y Kept) bool { return x.Same(y.View) && x.LostSince.Equal(y.LostSince) })
}

// maxName is how many characters the name of an account may have.
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_Account.html
const maxName = 50

// DisplayName is an account's name as it can be shown on a terminal: what cannot be
// printed is replaced, and what is beyond AWS's 50 characters is cut off.
func DisplayName(name string) string {
	printable := []rune(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, strings.TrimSpace(name)))
	return string(printable[:min(len(printable), maxName)])
}
