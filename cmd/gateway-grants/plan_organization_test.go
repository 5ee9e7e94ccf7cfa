package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/dirsync"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// pages is an organization whose accounts are listed one a page, with an empty one between.
type pages struct {
	accounts []string
	fails    error // on the last page
}

func (o pages) Members(_ context.Context, token string) (dirsync.Page, error) {
	at := len(token)
	switch {
	case at == len(o.accounts):
		return dirsync.Page{}, o.fails
	case len(o.accounts) == 0:
		return dirsync.Page{}, nil
	}
	return dirsync.Page{Members: []dirsync.Member{{ID: o.accounts[at]}}, Next: token + "."}, nil
}

func TestPlanOrganizationShowsDropped(t *testing.T) {
	w := newWorld(t)
	w.organization = pages{accounts: []string{accountA, accountB}}
	w.done("grant", gatewayARN, accountB)
	w.done("grant", gatewayARN, "arn:aws:iam::777788889999:role/Agent")
	w.done("grant", "*", "777788889999")
	w.done("grant", gatewayARN, "888899990000")
	w.done("grant", gatewayARN, "999900001111")
	w.done("grant", gatewayARN, "o-exampleorgid")
	w.must(w.grants.Put(t.Context(), grant.Attributes{"gateway": gatewayARN, "grant": "unreadable", "principal": "no principal"}, true))
	w.done("account", "add", "--trusted", "888899990000")
	t.Setenv("TRUSTED_ACCOUNTS", "999900001111")

	got := w.run("plan", "--organization", "--detailed-exitcode", "-o", "json")
	fits(t, "plan-organization", got.out)
	var found organizationPlan
	w.must(json.Unmarshal([]byte(got.out), &found))
	if got.code != exitChanges || found.Members != 2 || found.Trusted != 2 {
		t.Errorf("exit %d, %+v", got.code, found)
	}
	var dropped []string
	for _, account := range found.Dropped {
		dropped = append(dropped, account.Account)
		if len(account.Grants) != 2 {
			t.Errorf("the grants of %s are %v", account.Account, account.Grants)
		}
	}
	if diff := cmp.Diff([]string{"777788889999"}, dropped); diff != "" {
		t.Errorf("dropped: -want +got\n%s", diff)
	}
	if diff := cmp.Diff([]string{gatewayARN + "#unreadable"}, found.Unclear); diff != "" {
		t.Errorf("unclear: -want +got\n%s", diff)
	}
	if text := w.done("plan", "--organization", "--organization-profile", "account-b").out; !strings.Contains(text, "- 777788889999: ") || !strings.Contains(text, "Changes: 1 account would be dropped") {
		t.Errorf("for people:\n%s", text)
	}
	if got := w.run("plan", "--organization", "--organization-profile", "no-such"); got.code != exitError || !strings.Contains(got.err, "no-such") {
		t.Errorf("a profile that there is not: exit %d\n%s%s", got.code, got.out, got.err)
	}
	w.done("account", "add", "--trusted", "777788889999")
	if text := w.done("plan", "--organization").out; !strings.Contains(text, "no account that a grant names would be dropped") {
		t.Errorf("once it is trusted:\n%s", text)
	}
}

func TestIncompleteListingIsNoPlan(t *testing.T) {
	w := newWorld(t)
	w.done("grant", gatewayARN, accountB)
	for reason, organization := range map[string]pages{
		"a page is missing":        {accounts: []string{accountA}, fails: errors.New("AccessDeniedException")},
		"no organization has none": {},
	} {
		w.organization = organization
		if got := w.run("plan", "--organization"); got.code != exitError || !strings.Contains(got.err, "organizations:ListAccounts") || got.out != "" {
			t.Errorf("%s: exit %d\n%s%s", reason, got.code, got.out, got.err)
		}
	}
	if got := w.run("plan", "--organization", gatewayARN); got.code != exitError || !strings.Contains(got.err, "--organization") {
		t.Errorf("with a gateway: exit %d\n%s%s", got.code, got.out, got.err)
	}
}
