package main

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// accountNames are the names of accounts, by id, as far as the directory has them.
type accountNames map[string]string

// accountNames reads the names of the accounts that principals are of. Everything is
// worth showing without them, so that a failure is a note.
func (p *program) accountNames(ctx context.Context, table directoryTable, principals []string) (accountNames, error) {
	var ids []string
	for _, principal := range principals {
		if id := accountOf(principal); id != "" {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	snapshot, err := table.Lookup(ctx, nil, ids)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		p.note("names of accounts are missing, as the accounts table could not be read: " + p.explain(err))
	}
	names := accountNames{}
	for _, id := range ids {
		if name := snapshot.Name(id); name != "" {
			names[id] = name
		}
	}
	return names, nil
}

// of is the name of a principal's account; "" where it is not known.
func (n accountNames) of(principal string) string { return n[accountOf(principal)] }

// beside is the principal, with the name of its account behind it.
func (n accountNames) beside(principal string) string { return beside(principal, n.of(principal)) }

func (n accountNames) besideEach(principals []string) []string {
	named := make([]string, len(principals))
	for i, principal := range principals {
		named[i] = n.beside(principal)
	}
	return named
}

// principalLike is what begins like a principal or is an id, and so is no account's name.
var principalLike = regexp.MustCompile(`^(?:arn:|ou-|o-|r-|tag:|\*|[\d-]*$)`)

func isAccountName(text string) bool { return !principalLike.MatchString(text) }

// withoutName is the principal or, where that is the name of an account, the account's id.
// The owners of accounts choose their names, and several may choose the same: a name may
// only filter what is shown, and never say who is let in.
func (p *program) withoutName(ctx context.Context, table directoryTable, principal string) (string, error) {
	if !isAccountName(principal) {
		return principal, nil
	}
	recorded, err := table.Recorded(ctx)
	if err != nil {
		return "", err
	}
	var ids []string
	for _, account := range recorded {
		if strings.EqualFold(account.Name, directory.DisplayName(principal)) {
			ids = append(ids, account.ID)
		}
	}
	slices.Sort(ids)
	switch len(ids) {
	case 0:
		return "", refuse("the directory has no account named %q: write the account's id, or the ARN of a role or user", principal)
	case 1:
		return ids[0], nil
	default:
		return "", refuse("%d accounts are named %q: write the id of one: %s", len(ids), principal, strings.Join(ids, ", "))
	}
}

func beside(principal, name string) string {
	if name == "" {
		return principal
	}
	return principal + " (" + name + ")"
}

// accountOf is the account of a principal as rows and policies write it; "" where it
// is of none or of many.
func accountOf(text string) string {
	if arn, ok := policy.ParseIAMARN(text); ok {
		return arn.Account
	}
	principal, err := grant.ParsePrincipal(text)
	if err != nil {
		return ""
	}
	return principal.Account()
}
