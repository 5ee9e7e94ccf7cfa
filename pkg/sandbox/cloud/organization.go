package cloud

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/actions"
)

// errNotForMembers refuses a call to Organizations that only the management
// account, or a delegated administrator, may make.
var errNotForMembers = errors.New("You don't have permissions to access this resource.") //nolint:revive,staticcheck // AWS's own words

// actsIn is the account that moto is to serve a call to Organizations in. Moto
// keeps an organization in its management account and shows every other account
// an empty one, where AWS shows it to delegated administrators and refuses the
// rest.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_integrate_delegated_admin.html
func (i *Identities) actsIn(ctx context.Context, caller, target string) (string, error) {
	_, operation, _ := strings.Cut(target, ".")
	if caller == i.management || i.management == "" || operation == "DescribeOrganization" {
		return caller, nil
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
			if aws.ToString(page.DelegatedAdministrators[n].Id) == caller {
				return i.management, nil
			}
		}
	}
	return "", errNotForMembers
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
