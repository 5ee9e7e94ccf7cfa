package iam_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/iam"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
)

const (
	account  = "444455556666"
	trust    = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	document = `{"Version":"2012-10-17","Statement":[{"Sid":"%","Effect":"Allow","Action":"bedrock-agentcore:InvokeGateway","Resource":"*"}]}`
)

// sids are the Sids of the policies, by the policies' names.
func sids(policies []iam.Policy) map[string]string {
	all := map[string]string{}
	for _, p := range policies {
		all[p.Name] = p.Document.Statements[0].Sid
	}
	return all
}

func must[T any](t *testing.T, value T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestRoleIsReadWithAllItsPolicies(t *testing.T) {
	client := sdk.NewFromConfig(cloudtest.Moto(t).Config(account, "us-east-1"))
	ctx := t.Context()
	text := func(sid string) *string { return aws.String(strings.ReplaceAll(document, "%", sid)) }
	managed := func(name string) *string {
		made, err := client.CreatePolicy(ctx, &sdk.CreatePolicyInput{PolicyName: &name, PolicyDocument: text("Old" + name)})
		arn := must(t, made, err).Policy.Arn
		_, err = client.CreatePolicyVersion(ctx, &sdk.CreatePolicyVersionInput{PolicyArn: arn, PolicyDocument: text(name), SetAsDefault: true})
		must(t, 0, err)
		return arn
	}
	boundary, attached := managed("Boundary"), managed("Attached")
	made, err := client.CreateRole(ctx, &sdk.CreateRoleInput{RoleName: aws.String("AgentRole"), Path: aws.String("/team/"), AssumeRolePolicyDocument: aws.String(trust), PermissionsBoundary: boundary})
	role := must(t, made, err).Role
	_, err = client.PutRolePolicy(ctx, &sdk.PutRolePolicyInput{RoleName: role.RoleName, PolicyName: aws.String("inline"), PolicyDocument: text("Inline")})
	must(t, 0, err)
	_, err = client.AttachRolePolicy(ctx, &sdk.AttachRolePolicyInput{RoleName: role.RoleName, PolicyArn: attached})
	must(t, 0, err)

	found, err := iam.Of(client).Role(ctx, "AgentRole")
	got := must(t, found, err)
	if got.ARN != *role.Arn || got.UniqueID != *role.RoleId || got.Boundary == nil || got.Boundary.Document.Statements[0].Sid != "Boundary" {
		t.Errorf("read %+v", got)
	}
	if diff := cmp.Diff(map[string]string{"inline": "Inline", *attached: "Attached"}, sids(got.Policies)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	_, err = iam.Of(client).Role(ctx, "Gone")
	if _, missing := errors.AsType[*types.NoSuchEntityException](err); !missing {
		t.Errorf("of a role that there is not: %v", err)
	}

	user, group := aws.String("alice"), aws.String("callers")
	_, err = client.CreateUser(ctx, &sdk.CreateUserInput{UserName: user})
	must(t, 0, err)
	_, err = client.CreateGroup(ctx, &sdk.CreateGroupInput{GroupName: group})
	must(t, 0, err)
	_, err = client.AddUserToGroup(ctx, &sdk.AddUserToGroupInput{UserName: user, GroupName: group})
	must(t, 0, err)
	_, err = client.PutGroupPolicy(ctx, &sdk.PutGroupPolicyInput{GroupName: group, PolicyName: aws.String("inline"), PolicyDocument: text("Group")})
	must(t, 0, err)
	_, err = client.AttachGroupPolicy(ctx, &sdk.AttachGroupPolicyInput{GroupName: group, PolicyArn: attached})
	must(t, 0, err)
	_, err = client.PutUserPolicy(ctx, &sdk.PutUserPolicyInput{UserName: user, PolicyName: aws.String("own"), PolicyDocument: text("User")})
	must(t, 0, err)
	read, err := iam.Of(client).User(ctx, "alice")
	if diff := cmp.Diff(map[string]string{"own": "User", "callers/inline": "Group", *attached: "Attached"}, sids(must(t, read, err).Policies)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if slices.ContainsFunc(read.Policies, func(p iam.Policy) bool { return p.Document == nil }) {
		t.Error("a policy without a document")
	}
}
