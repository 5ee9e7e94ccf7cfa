package main

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/organizations"

	"github.com/gateway-grants/gateway-grants/infra/permissions"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
)

// The accounts of the stand-in: those of the story, and the management account
// of the organization that both are members of.
const (
	region     = "us-east-1"
	accountA   = "111122223333" // hosts the gateways, the tables and the functions
	accountB   = "444455556666" // calls the gateways
	management = "999900001111"
)

// session is how long the profiles' credentials work. AWS ends a session after 12
// hours at most, but a stand-in may be up for days.
const session = 30 * 24 * time.Hour

// profile is an identity that clients can use. An admin of grants and an auditor have the
// rights that the product documents for them, and no more.
type profile struct {
	name, account, role, policy string
}

const everything = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`

func profiles() []profile {
	return []profile{
		{"account-a", accountA, "AdminRole", everything},
		{"account-b", accountB, "AdminRole", everything},
		{"admin", accountA, "GrantsAdminRole", string(permissions.Admin)},
		{"auditor", accountA, "AuditorRole", string(permissions.Auditor)},
		{"management", management, "AdminRole", everything},
	}
}

func trusting(principal string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":` + principal + `,"Action":"sts:AssumeRole"}]}`
}

// foundOrganization makes accounts A and B members of an organization. Moto
// is started so that it gives them these ids.
func foundOrganization(ctx context.Context, moto *cloud.Moto) error {
	client := organizations.NewFromConfig(moto.Config(management, region))
	if _, err := client.CreateOrganization(ctx, &organizations.CreateOrganizationInput{}); err != nil {
		return fmt.Errorf("making the organization: %w", err)
	}
	for _, member := range []struct{ name, id string }{{"account-a", accountA}, {"account-b", accountB}} {
		made, err := client.CreateAccount(ctx, &organizations.CreateAccountInput{
			AccountName: &member.name, Email: aws.String(member.name + "@example.com"),
		})
		if err != nil {
			return fmt.Errorf("making %s a member of the organization: %w", member.name, err)
		}
		if got := aws.ToString(made.CreateAccountStatus.AccountId); got != member.id {
			return fmt.Errorf("making %s a member of the organization: moto gave it the id %s instead of %s", member.name, got, member.id)
		}
	}
	// The account of the tables reads the organization as a delegated
	// administrator, of whatever service.
	_, err := client.RegisterDelegatedAdministrator(ctx, &organizations.RegisterDelegatedAdministratorInput{
		AccountId: aws.String(accountA), ServicePrincipal: aws.String("ssm.amazonaws.com"),
	})
	if err != nil {
		return fmt.Errorf("delegating the reading of the organization: %w", err)
	}
	return nil
}

// createRole makes a role with one inline policy, and returns its ARN.
func createRole(ctx context.Context, moto *cloud.Moto, account, name, trust, policy string) (string, error) {
	client := iam.NewFromConfig(moto.Config(account, region))
	made, err := client.CreateRole(ctx, &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: &trust})
	if err != nil {
		return "", fmt.Errorf("making role %s in account %s: %w", name, account, err)
	}
	if _, err := client.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &name, PolicyName: &name, PolicyDocument: &policy}); err != nil {
		return "", fmt.Errorf("giving role %s in account %s its policy: %w", name, account, err)
	}
	return aws.ToString(made.Role.Arn), nil
}
