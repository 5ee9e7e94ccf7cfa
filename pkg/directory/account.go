// Package directory is what is known of the organization's accounts: who is in
// it, under which units, with which tags, in which state. It is pure.
package directory

import (
	"slices"
	"time"

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
	State        State
	Organization string            // o-…
	Path         []string          // OU ids from below the root down to the parent; empty directly under the root
	Tags         map[string]string // only those that some selector needs are sure to be here
	ReadAt       time.Time         // when Organizations said so; an older reading never replaces a newer
	MissingSince time.Time         // when a complete listing first lacked it; zero for present
}

// Selects tells whether a selector means the account: active, in the place or
// with the tag that the selector names, and not excluded. Principals that are
// no selectors select nothing.
func Selects(selector grant.Principal, exclude grant.Exclusion, a Account) bool {
	return a.State == StateActive && Matches(selector, a) && !excluded(exclude, a)
}

// Matches tells whether the account is in the place or has the tag that the
// selector names, whatever its state.
func Matches(selector grant.Principal, a Account) bool {
	switch selector.Kind() {
	case grant.KindUnit:
		return slices.Contains(a.Path, selector.Name())
	case grant.KindUnitDirect:
		return len(a.Path) > 0 && a.Path[len(a.Path)-1] == selector.Name()
	case grant.KindOrganization:
		return a.Organization == selector.Name()
	case grant.KindTag:
		for key, value := range a.Tags {
			if key+"="+value == selector.Name() {
				return true
			}
		}
		return false
	default:
		return false
	}
}

func excluded(exclude grant.Exclusion, a Account) bool {
	if slices.Contains(exclude.Accounts, a.ID) {
		return true
	}
	return slices.ContainsFunc(a.Path, func(unit string) bool {
		return slices.Contains(exclude.Units, unit)
	})
}
