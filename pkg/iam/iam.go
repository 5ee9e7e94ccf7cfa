// Package iam reads what a role's or user's own side says to its calls: identity
// policies and permissions boundary. It reads IAM of one account, and writes nothing.
package iam

import (
	"context"
	"fmt"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// Reader reads IAM of the account that its client acts in.
type Reader struct{ client *iam.Client }

// New returns a Reader of the account that the configuration acts in.
func New(config aws.Config) Reader { return Of(iam.NewFromConfig(config)) }

// Of returns a Reader that uses the client.
func Of(client *iam.Client) Reader { return Reader{client} }

// Policy is a policy by its name: of a managed one the ARN.
type Policy struct {
	Name     string
	Document *policy.Document
}

// Principal is a role or user and what its own side says.
type Principal struct {
	ARN      string // path included
	UniqueID string
	Policies []Policy // inline and attached; of a user those of its groups, too
	Boundary *Policy  // nil for none
}

// Role reads the role of that name, which has no path. An error of the SDK stays in
// reach: a role that there is not is a *types.NoSuchEntityException.
func (r Reader) Role(ctx context.Context, name string) (Principal, error) {
	answer, err := r.client.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
	if err != nil {
		return Principal{}, fmt.Errorf("read role %s: %w", name, err)
	}
	found := Principal{ARN: aws.ToString(answer.Role.Arn), UniqueID: aws.ToString(answer.Role.RoleId)}
	inline, err := collect(ctx, iam.NewListRolePoliciesPaginator(r.client, &iam.ListRolePoliciesInput{RoleName: &name}),
		func(page *iam.ListRolePoliciesOutput) []string { return page.PolicyNames })
	if err != nil {
		return Principal{}, fmt.Errorf("list the policies of role %s: %w", name, err)
	}
	for _, id := range inline {
		answer, err := r.client.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &name, PolicyName: &id})
		if err != nil {
			return Principal{}, fmt.Errorf("read policy %s of role %s: %w", id, name, err)
		}
		if err := found.add(id, answer.PolicyDocument); err != nil {
			return Principal{}, err
		}
	}
	attached, err := collect(ctx, iam.NewListAttachedRolePoliciesPaginator(r.client, &iam.ListAttachedRolePoliciesInput{RoleName: &name}),
		func(page *iam.ListAttachedRolePoliciesOutput) []types.AttachedPolicy { return page.AttachedPolicies })
	if err != nil {
		return Principal{}, fmt.Errorf("list the policies attached to role %s: %w", name, err)
	}
	if err := r.addManaged(ctx, &found, attached); err != nil {
		return Principal{}, err
	}
	found.Boundary, err = r.boundary(ctx, answer.Role.PermissionsBoundary)
	return found, err
}

// addManaged adds attached policies as their default versions say.
func (r Reader) addManaged(ctx context.Context, found *Principal, attached []types.AttachedPolicy) error {
	for _, each := range attached {
		document, err := r.managed(ctx, each.PolicyArn)
		if err != nil {
			return err
		}
		if err := found.add(aws.ToString(each.PolicyArn), document); err != nil {
			return err
		}
	}
	return nil
}

func (r Reader) boundary(ctx context.Context, boundary *types.AttachedPermissionsBoundary) (*Policy, error) {
	if boundary == nil || boundary.PermissionsBoundaryArn == nil {
		return nil, nil
	}
	arn := *boundary.PermissionsBoundaryArn
	text, err := r.managed(ctx, &arn)
	if err != nil {
		return nil, err
	}
	document, err := parse(arn, text)
	if err != nil {
		return nil, err
	}
	return &Policy{Name: arn, Document: document}, nil
}

func (r Reader) managed(ctx context.Context, arn *string) (*string, error) {
	about, err := r.client.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: arn})
	if err != nil {
		return nil, fmt.Errorf("read policy %s: %w", aws.ToString(arn), err)
	}
	version, err := r.client.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: arn, VersionId: about.Policy.DefaultVersionId})
	if err != nil {
		return nil, fmt.Errorf("read policy %s: %w", aws.ToString(arn), err)
	}
	return version.PolicyVersion.Document, nil
}

func (p *Principal) add(name string, text *string) error {
	document, err := parse(name, text)
	p.Policies = append(p.Policies, Policy{Name: name, Document: document})
	return err
}

// parse reads a document, which IAM gives as RFC 3986 has it.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRolePolicy.html
func parse(name string, text *string) (*policy.Document, error) {
	decoded, err := url.PathUnescape(aws.ToString(text))
	if err != nil {
		return nil, fmt.Errorf("read policy %s: %w", name, err)
	}
	document, err := policy.Parse([]byte(decoded))
	if err != nil {
		return nil, fmt.Errorf("read policy %s: %w", name, err)
	}
	return document, nil
}

// pages is a paginator of the SDK.
type pages[O, P any] interface {
	HasMorePages() bool
	NextPage(ctx context.Context, options ...func(*O)) (*P, error)
}

// collect reads every page.
func collect[O, P, T any](ctx context.Context, all pages[O, P], items func(*P) []T) ([]T, error) {
	var found []T
	for all.HasMorePages() {
		page, err := all.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		found = append(found, items(page)...)
	}
	return found, nil
}
