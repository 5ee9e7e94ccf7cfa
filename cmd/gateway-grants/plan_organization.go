package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	sdk "github.com/aws/aws-sdk-go-v2/service/organizations"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/dirsync"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/organizations"
)

// members lists the accounts of an organization, page by page.
type members interface {
	Members(ctx context.Context, token string) (dirsync.Page, error)
}

func openOrganization(cfg aws.Config) members {
	return organizations.New(sdk.NewFromConfig(cfg), organizations.SystemClock())
}

// droppedAccount is an account that loses access once the deployment knows the organization.
type droppedAccount struct {
	Account string   `json:"account"`
	Grants  []string `json:"grants"` // that let it in now, GATEWAY#ID
}

// organizationPlan is what turning the organization on would drop.
type organizationPlan struct {
	Members int              `json:"members"` // accounts of the organization
	Trusted int              `json:"trusted"`
	Dropped []droppedAccount `json:"dropped"`
	Unclear []string         `json:"unclear,omitempty"` // rows that do not say which account they let in
}

// planOrganization shows which accounts would be dropped once the deployment knows the
// organization: those that are not in it, and not trusted.
func (p *program) planOrganization(ctx context.Context, profile string, d deployment, detailed bool) error {
	s, err := p.session(ctx)
	if err != nil {
		return err
	}
	stored := p.open(s.config, p.settings.tables)
	rows, err := stored.grants.All(ctx)
	if err != nil {
		return err
	}
	listed, err := stored.directory.List(ctx, directory.TopicTrusted)
	if err != nil {
		return err
	}
	reader := s.config
	if profile != "" {
		if reader, err = config.LoadDefaultConfig(ctx, config.WithSharedConfigProfile(profile), config.WithRegion(s.config.Region)); err != nil {
			return fmt.Errorf("load profile %s: %w", profile, err)
		}
	}
	inside, err := listMembers(ctx, p.organization(reader))
	if err != nil {
		return fmt.Errorf("list the organization with your own rights, which takes organizations:ListAccounts in its management account or a delegated administrator's (--organization-profile): %w", err)
	}
	trusted := sorted(append(directory.IDs(listed), d.limits.Trusted...))
	found := organizationPlan{Members: len(inside), Trusted: len(trusted)}
	found.Dropped, found.Unclear = droppedBy(rows, append(inside, trusted...))
	if err := p.sayDropped(found); err != nil {
		return err
	}
	if detailed && len(found.Dropped)+len(found.Unclear) > 0 {
		return errChanges
	}
	return nil
}

// listMembers lists every account of the organization, or fails.
func listMembers(ctx context.Context, from members) ([]string, error) {
	var all []string
	for token := ""; ; {
		page, err := from.Members(ctx, token)
		if err != nil {
			return nil, err
		}
		for _, member := range page.Members {
			all = append(all, member.ID)
		}
		if token = page.Next; token == "" {
			break
		}
	}
	if len(all) == 0 {
		return nil, errors.New("the answer holds no account")
	}
	return all, nil
}

// droppedBy are the accounts, none of those that may stay, that rows let in explicitly, and
// the rows that do not say which account they let in. An account is let in to its own
// gateways whatever it is in.
func droppedBy(rows []grant.Row, stay []string) (dropped []droppedAccount, unclear []string) {
	may := make(map[string]bool, len(stay))
	for _, id := range stay {
		may[id] = true
	}
	grants := make(map[string][]string)
	for _, row := range rows {
		principal := row.Named
		if row.Fault == nil {
			principal = row.Grant.Principal
		}
		if principal == (grant.Principal{}) {
			unclear = append(unclear, row.String())
			continue
		}
		own, err := grant.ParseGateway(row.Gateway)
		account := principal.Account()
		if principal.IsSelector() || may[account] || err == nil && own.Account() == account {
			continue
		}
		grants[account] = append(grants[account], row.String())
	}
	dropped = []droppedAccount{}
	for account, keys := range grants {
		slices.Sort(keys)
		dropped = append(dropped, droppedAccount{Account: account, Grants: keys})
	}
	slices.SortFunc(dropped, func(a, b droppedAccount) int { return strings.Compare(a.Account, b.Account) })
	return dropped, unclear
}

func (p *program) sayDropped(found organizationPlan) error {
	if p.settings.structured() {
		return p.printValue(found)
	}
	paint := p.paint(p.out)
	for _, account := range found.Dropped {
		keys := make([]string, len(account.Grants))
		for i, key := range account.Grants {
			keys[i] = shortKey(key)
		}
		fmt.Fprintf(p.out, "%s %s: %s\n", paint.red("-"), account.Account, strings.Join(keys, ", "))
	}
	for _, key := range found.Unclear {
		fmt.Fprintf(p.out, "%s %s does not say which account it lets in: correct it first\n", paint.yellow("?"), shortKey(key))
	}
	fmt.Fprintf(p.out, "The organization has %s, and %d more are trusted.\n", counted(found.Members, "account"), found.Trusted)
	if len(found.Dropped) == 0 {
		fmt.Fprintln(p.out, paint.green("Nothing to do:"), "no account that a grant names would be dropped.")
		return nil
	}
	fmt.Fprintf(p.out, "%s %s would be dropped once the organization is turned on. To keep one: gateway-grants account add --trusted ACCOUNT.\n",
		paint.yellow("Changes:"), counted(len(found.Dropped), "account"))
	return nil
}
