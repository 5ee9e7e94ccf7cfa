package cloud

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/actions"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
)

// errNotForMembers refuses a call to Organizations that only the management
// account, or a delegated administrator, may make.
var errNotForMembers = errors.New("You don't have permissions to access this resource.") //nolint:revive,staticcheck // AWS's own words

// actsIn is the account that moto is to serve a call to Organizations in. Moto
// keeps an organization in its management account and shows every other account
// an empty one, where AWS shows it to delegated administrators, and to the accounts
// that the organization's delegation policy names, and refuses the rest.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_integrate_delegated_admin.html
func (i *Identities) actsIn(ctx context.Context, caller iam.Caller, target string) (string, error) {
	_, operation, _ := strings.Cut(target, ".")
	if caller.Account == i.management || i.management == "" || operation == "DescribeOrganization" {
		return caller.Account, nil
	}
	if !strings.HasPrefix(operation, "List") && !strings.HasPrefix(operation, "Describe") {
		return "", errNotForMembers
	}
	client := organizations.NewFromConfig(i.moto.Config(i.management, i.region))
	pages := organizations.NewListDelegatedAdministratorsPaginator(client, &organizations.ListDelegatedAdministratorsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", fmt.Errorf("listing the delegated administrators: %w", err)
		}
		for n := range page.DelegatedAdministrators {
			if aws.ToString(page.DelegatedAdministrators[n].Id) == caller.Account {
				return i.management, nil
			}
		}
	}
	return i.delegated(ctx, client, caller, operation)
}

// delegated asks the delegation policy alone: what the caller's own policies say is
// decided before. Of statements only those for all resources count.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_delegate_policies.html
func (i *Identities) delegated(ctx context.Context, client *organizations.Client, caller iam.Caller, operation string) (string, error) {
	described, err := client.DescribeResourcePolicy(ctx, &organizations.DescribeResourcePolicyInput{})
	if none := (*types.ResourcePolicyNotFoundException)(nil); errors.As(err, &none) {
		return "", errNotForMembers
	}
	if err != nil {
		return "", fmt.Errorf("reading the delegation policy: %w", err)
	}
	document, err := policy.Parse([]byte(aws.ToString(described.ResourcePolicy.Content)))
	if err != nil {
		return "", fmt.Errorf("parsing the delegation policy: %w", err)
	}
	own, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`))
	if err != nil {
		return "", err
	}
	decision := policy.Evaluate(policy.Call{
		Caller: caller.Principal(), Identity: []*policy.Document{own}, ResourcePolicy: document,
		Action: "organizations:" + operation, Resource: "*", ResourceAccount: i.management,
	})
	if !decision.Allowed {
		return "", errNotForMembers
	}
	return i.management, nil
}

// organization is what ARNs in the organization are made of; nothing where there is
// none. What an organization is called never changes.
func (i *Identities) organization(ctx context.Context) (actions.Organization, error) {
	i.mu.Lock()
	known := i.organizationID
	i.mu.Unlock()
	if known != "" || i.management == "" {
		return actions.Organization{Management: i.management, ID: known}, nil
	}
	client := organizations.NewFromConfig(i.moto.Config(i.management, i.region))
	described, err := client.DescribeOrganization(ctx, &organizations.DescribeOrganizationInput{})
	if none := (*types.AWSOrganizationsNotInUseException)(nil); errors.As(err, &none) {
		return actions.Organization{Management: i.management}, nil
	}
	if err != nil {
		return actions.Organization{}, fmt.Errorf("describing the organization: %w", err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.organizationID = aws.ToString(described.Organization.Id)
	return actions.Organization{Management: i.management, ID: i.organizationID}, nil
}

// organizationOf is the id of the organization that an account is a member of, as
// aws:PrincipalOrgID has it; "" for none.
func (i *Identities) organizationOf(ctx context.Context, account string) (string, error) {
	organization, err := i.organization(ctx)
	if err != nil || organization.ID == "" {
		return "", err
	}
	client := organizations.NewFromConfig(i.moto.Config(i.management, i.region))
	_, err = client.DescribeAccount(ctx, &organizations.DescribeAccountInput{AccountId: &account})
	if none := (*types.AccountNotFoundException)(nil); errors.As(err, &none) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("describing account %s: %w", account, err)
	}
	return organization.ID, nil
}
