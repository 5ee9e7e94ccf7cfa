package iam

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// User reads the user of that name, which has no path, with the policies of its groups.
func (r Reader) User(ctx context.Context, name string) (Principal, error) {
	answer, err := r.client.GetUser(ctx, &iam.GetUserInput{UserName: &name})
	if err != nil {
		return Principal{}, fmt.Errorf("read user %s: %w", name, err)
	}
	found := Principal{ARN: aws.ToString(answer.User.Arn), UniqueID: aws.ToString(answer.User.UserId)}
	inline, err := collect(ctx, iam.NewListUserPoliciesPaginator(r.client, &iam.ListUserPoliciesInput{UserName: &name}),
		func(page *iam.ListUserPoliciesOutput) []string { return page.PolicyNames })
	if err != nil {
		return Principal{}, fmt.Errorf("list the policies of user %s: %w", name, err)
	}
	for _, id := range inline {
		answer, err := r.client.GetUserPolicy(ctx, &iam.GetUserPolicyInput{UserName: &name, PolicyName: &id})
		if err != nil {
			return Principal{}, fmt.Errorf("read policy %s of user %s: %w", id, name, err)
		}
		if err := found.add(id, answer.PolicyDocument); err != nil {
			return Principal{}, err
		}
	}
	attached, err := collect(ctx, iam.NewListAttachedUserPoliciesPaginator(r.client, &iam.ListAttachedUserPoliciesInput{UserName: &name}),
		func(page *iam.ListAttachedUserPoliciesOutput) []types.AttachedPolicy { return page.AttachedPolicies })
	if err != nil {
		return Principal{}, fmt.Errorf("list the policies attached to user %s: %w", name, err)
	}
	if err := r.addManaged(ctx, &found, attached); err != nil {
		return Principal{}, err
	}
	groups, err := collect(ctx, iam.NewListGroupsForUserPaginator(r.client, &iam.ListGroupsForUserInput{UserName: &name}),
		func(page *iam.ListGroupsForUserOutput) []types.Group { return page.Groups })
	if err != nil {
		return Principal{}, fmt.Errorf("list the groups of user %s: %w", name, err)
	}
	for _, group := range groups {
		if err := r.addGroup(ctx, &found, aws.ToString(group.GroupName)); err != nil {
			return Principal{}, err
		}
	}
	found.Boundary, err = r.boundary(ctx, answer.User.PermissionsBoundary)
	return found, err
}

func (r Reader) addGroup(ctx context.Context, found *Principal, name string) error {
	inline, err := collect(ctx, iam.NewListGroupPoliciesPaginator(r.client, &iam.ListGroupPoliciesInput{GroupName: &name}),
		func(page *iam.ListGroupPoliciesOutput) []string { return page.PolicyNames })
	if err != nil {
		return fmt.Errorf("list the policies of group %s: %w", name, err)
	}
	for _, id := range inline {
		answer, err := r.client.GetGroupPolicy(ctx, &iam.GetGroupPolicyInput{GroupName: &name, PolicyName: &id})
		if err != nil {
			return fmt.Errorf("read policy %s of group %s: %w", id, name, err)
		}
		if err := found.add(name+"/"+id, answer.PolicyDocument); err != nil {
			return err
		}
	}
	attached, err := collect(ctx, iam.NewListAttachedGroupPoliciesPaginator(r.client, &iam.ListAttachedGroupPoliciesInput{GroupName: &name}),
		func(page *iam.ListAttachedGroupPoliciesOutput) []types.AttachedPolicy { return page.AttachedPolicies })
	if err != nil {
		return fmt.Errorf("list the policies attached to group %s: %w", name, err)
	}
	return r.addManaged(ctx, found, attached)
}
