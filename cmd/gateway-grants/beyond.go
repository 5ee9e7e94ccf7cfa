package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	trailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/organizations"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/selftest"
)

// beyond reaches the services that only the selftest's questions need.
type beyond struct {
	of     func(hub, caller aws.Config) selftest.Beyond
	roleOf func(ctx context.Context, caller aws.Config, who identity) (arn string)
}

func onAWS() beyond { return beyond{of: beyondOf, roleOf: roleOf} }

func beyondOf(hub, caller aws.Config) selftest.Beyond {
	roles := iam.NewFromConfig(caller)
	return selftest.Beyond{
		Organization: func(ctx context.Context) (string, error) {
			answer, err := organizations.NewFromConfig(hub).DescribeOrganization(ctx, &organizations.DescribeOrganizationInput{})
			if err != nil {
				return "", fmt.Errorf("describe the organization: %w", err)
			}
			return aws.ToString(answer.Organization.Id), nil
		},
		CreateRole: func(ctx context.Context, name string) (string, error) {
			// A trust policy has to name a principal; this one may not assume anything.
			const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
			answer, err := roles.CreateRole(ctx, &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(trust)})
			if err != nil {
				return "", fmt.Errorf("create role %s in the caller's account: %w", name, err)
			}
			return aws.ToString(answer.Role.Arn), nil
		},
		DeleteRole: func(ctx context.Context, name string) error {
			_, err := roles.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: &name})
			if _, gone := errors.AsType[*iamtypes.NoSuchEntityException](err); gone || err == nil {
				return nil
			}
			return fmt.Errorf("delete role %s in the caller's account: %w", name, err)
		},
		Recorded: func(ctx context.Context, event string, since time.Time) (bool, error) {
			answer, err := cloudtrail.NewFromConfig(hub).LookupEvents(ctx, &cloudtrail.LookupEventsInput{
				StartTime:        &since,
				LookupAttributes: []trailtypes.LookupAttribute{{AttributeKey: trailtypes.LookupAttributeKeyEventName, AttributeValue: &event}},
			})
			if err != nil {
				return false, fmt.Errorf("look up events of CloudTrail: %w", err)
			}
			for _, e := range answer.Events {
				if aws.ToString(e.EventSource) == "bedrock-agentcore.amazonaws.com" {
					return true, nil
				}
			}
			return false, nil
		},
	}
}

// roleOf is the role or user that the caller is, as a policy names it. A session does
// not show the path of its role, which IAM shows to those who may ask.
func roleOf(ctx context.Context, caller aws.Config, who identity) string {
	session, isRole := policy.ParseSessionARN(who.ARN)
	if !isRole {
		return who.ARN
	}
	if answer, err := iam.NewFromConfig(caller).GetRole(ctx, &iam.GetRoleInput{RoleName: &session.Role}); err == nil {
		return aws.ToString(answer.Role.Arn)
	}
	return policy.IAMARN{Partition: session.Partition, Account: session.Account, Resource: "role/" + session.Role}.String()
}
