// Package organizations reads AWS Organizations through its API.
package organizations

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/dirsync"
)

// API is the part of the SDK's client that is used: reading calls only.
type API interface {
	DescribeOrganization(ctx context.Context, in *organizations.DescribeOrganizationInput, options ...func(*organizations.Options)) (*organizations.DescribeOrganizationOutput, error)
	DescribeAccount(ctx context.Context, in *organizations.DescribeAccountInput, options ...func(*organizations.Options)) (*organizations.DescribeAccountOutput, error)
	organizations.ListAccountsAPIClient
	organizations.ListParentsAPIClient
	organizations.ListTagsForResourceAPIClient
}

// Client reads an organization. It needs the permissions of API's calls in the
// management account or in a delegated administrator's. It may be used by several
// goroutines.
type Client struct {
	api  API
	pace *pace
}

var _ dirsync.Organizations = (*Client)(nil)

// New makes a Client of the SDK's client. It keeps to AWS's published rates by
// the clock, and asks again where others used them up: the SDK's client need not.
func New(api API, clock Clock) *Client { return &Client{api: api, pace: newPace(clock)} }

// Organization describes the organization that the caller belongs to.
func (c *Client) Organization(ctx context.Context) (dirsync.Organization, error) {
	out, err := paced(ctx, c.pace, describeOrganization, func() (*organizations.DescribeOrganizationOutput, error) {
		return c.api.DescribeOrganization(ctx, &organizations.DescribeOrganizationInput{})
	})
	if err != nil {
		return dirsync.Organization{}, fmt.Errorf("DescribeOrganization: %w", err)
	}
	if out.Organization == nil {
		return dirsync.Organization{}, errors.New("DescribeOrganization: the answer holds no organization")
	}
	return dirsync.Organization{
		ID:         aws.ToString(out.Organization.Id),
		Management: aws.ToString(out.Organization.MasterAccountId),
	}, nil
}

// Member describes one account; false where the organization has none of that id.
func (c *Client) Member(ctx context.Context, id string) (dirsync.Member, bool, error) {
	out, err := paced(ctx, c.pace, describeAccount, func() (*organizations.DescribeAccountOutput, error) {
		return c.api.DescribeAccount(ctx, &organizations.DescribeAccountInput{AccountId: &id})
	})
	if _, absent := errors.AsType[*types.AccountNotFoundException](err); absent {
		return dirsync.Member{}, false, nil
	}
	if err != nil {
		return dirsync.Member{}, false, fmt.Errorf("DescribeAccount: %w", err)
	}
	if out.Account == nil {
		return dirsync.Member{}, false, errors.New("DescribeAccount: the answer holds no account")
	}
	member, err := memberOf(*out.Account)
	return member, err == nil, err
}

// Members lists a page of accounts, 20 at most; it may be empty before the last.
func (c *Client) Members(ctx context.Context, token string) (dirsync.Page, error) {
	in := &organizations.ListAccountsInput{}
	if token != "" {
		in.NextToken = &token
	}
	out, err := paced(ctx, c.pace, listAccounts, func() (*organizations.ListAccountsOutput, error) {
		return c.api.ListAccounts(ctx, in)
	})
	if _, bad := errors.AsType[*types.InvalidInputException](err); bad && token != "" {
		return dirsync.Page{}, fmt.Errorf("ListAccounts: %w: %w", dirsync.ErrToken, err)
	}
	if err != nil {
		return dirsync.Page{}, fmt.Errorf("ListAccounts: %w", err)
	}
	page := dirsync.Page{Next: aws.ToString(out.NextToken), Members: make([]dirsync.Member, len(out.Accounts))}
	for i, account := range out.Accounts {
		if page.Members[i], err = memberOf(account); err != nil {
			return dirsync.Page{}, fmt.Errorf("ListAccounts: %w", err)
		}
	}
	return page, nil
}

// memberOf takes the account's State. Its older Status was removed on 9
// September 2026.
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_Account.html
func memberOf(account types.Account) (dirsync.Member, error) {
	if account.Id == nil {
		return dirsync.Member{}, errors.New("an account without an id")
	}
	return dirsync.Member{ID: *account.Id, Name: aws.ToString(account.Name), State: directory.State(account.State), Paths: account.Paths}, nil
}

// Parent is the unit or root that the account or unit is directly in. Today
// there is exactly one.
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListParents.html
func (c *Client) Parent(ctx context.Context, child string) (string, error) {
	pages := organizations.NewListParentsPaginator(c.api, &organizations.ListParentsInput{ChildId: &child})
	for pages.HasMorePages() {
		page, err := paced(ctx, c.pace, listParents, func() (*organizations.ListParentsOutput, error) { return pages.NextPage(ctx) })
		if err != nil {
			return "", fmt.Errorf("ListParents: %w", err)
		}
		for _, parent := range page.Parents {
			return aws.ToString(parent.Id), nil
		}
	}
	return "", fmt.Errorf("ListParents: the answer names no parent of %s", child)
}

// Tags are those of an account.
func (c *Client) Tags(ctx context.Context, id string) (map[string]string, error) {
	tags := make(map[string]string)
	pages := organizations.NewListTagsForResourcePaginator(c.api, &organizations.ListTagsForResourceInput{ResourceId: &id})
	for pages.HasMorePages() {
		page, err := paced(ctx, c.pace, listTags, func() (*organizations.ListTagsForResourceOutput, error) { return pages.NextPage(ctx) })
		if err != nil {
			return nil, fmt.Errorf("ListTagsForResource: %w", err)
		}
		for _, tag := range page.Tags {
			tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
		}
	}
	return tags, nil
}
