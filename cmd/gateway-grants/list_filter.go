package main

import (
	"slices"
	"strings"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// listFlags say which rows are shown.
type listFlags struct {
	expiring, principal string
	phases              []string
}

// phases are those that a row can be listed in.
var phases = []string{
	string(grant.PhaseAdmitted), string(grant.PhaseLeftOut), string(grant.PhaseInvalid), string(grant.PhaseExpired), string(phasePending), string(phasePerGateway),
}

// filter tells which rows are wanted.
func (f listFlags) filter(now time.Time) (func(listedRow) bool, error) {
	for _, phase := range f.phases {
		if !slices.ContainsFunc(phases, func(known string) bool { return strings.EqualFold(known, phase) }) {
			return nil, refuse("--phase %s is unknown: write %s", phase, strings.Join(phases, ", "))
		}
	}
	var until string
	if f.expiring != "" {
		row := grant.Parse(grant.Attributes{
			grant.AttrGateway: grant.EveryGateway, grant.AttrGrant: "filter", grant.AttrPrincipal: "111122223333", grant.AttrExpires: expiry(f.expiring, now),
		})
		if row.Fault != nil {
			return nil, refuse("--expiring %s is no time: write how long from now (30d, 8h), a date or an RFC 3339 time", f.expiring)
		}
		until = moment(row.Grant.Expires)
	}
	named, err := grant.ParsePrincipal(f.principal)
	if !isAccountName(f.principal) && f.principal != "" && err != nil {
		return nil, refuse("--principal: %v", err)
	}
	return func(row listedRow) bool {
		return (until == "" || row.Expires != "" && row.Phase != grant.PhaseExpired && row.Expires <= until) &&
			(len(f.phases) == 0 || slices.ContainsFunc(f.phases, func(phase string) bool { return strings.EqualFold(phase, string(row.Phase)) })) &&
			(f.principal == "" || row.names(named))
	}, nil
}

// names reports whether the row's principal is the one given or, where an account is
// given, is of that account.
func (l listedRow) names(wanted grant.Principal) bool {
	principal, err := grant.ParsePrincipal(l.Principal)
	if err != nil {
		return false
	}
	if wanted.Kind() == grant.KindAccount {
		return principal.Account() == wanted.Account()
	}
	narrowed := grant.Grant{Principal: principal, Role: l.Role}
	return subject(&narrowed) == subject(&grant.Grant{Principal: wanted})
}

// age is how long the row has been in its phase; "" where that is not recorded.
func (l listedRow) age(now time.Time) string {
	since, err := time.Parse(time.RFC3339, l.Since)
	if err != nil {
		return ""
	}
	return age(since, now)
}
