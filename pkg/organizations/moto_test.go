package organizations_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"
	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/dirsync"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/organizations"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
	"github.com/gateway-grants/gateway-grants/pkg/store/memory"
)

// moto says no paths, so this also shows that parents lead to the same place.
func TestOrganizationOnMotoBecomesDirectory(t *testing.T) {
	client := sdk.New(sdk.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(cloudtest.Moto(t).Endpoint()),
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
	})
	ctx := t.Context()
	created, err := client.CreateOrganization(ctx, &sdk.CreateOrganizationInput{FeatureSet: types.OrganizationFeatureSetAll})
	check(t, err)
	roots, err := client.ListRoots(ctx, &sdk.ListRootsInput{})
	check(t, err)
	root := roots.Roots[0].Id
	outer := createUnit(t, client, root)
	inner := createUnit(t, client, outer)
	account, err := client.CreateAccount(ctx, &sdk.CreateAccountInput{AccountName: aws.String("B"), Email: aws.String("b@example.com")})
	check(t, err)
	id := account.CreateAccountStatus.AccountId
	_, err = client.MoveAccount(ctx, &sdk.MoveAccountInput{AccountId: id, SourceParentId: root, DestinationParentId: inner})
	check(t, err)
	_, err = client.TagResource(ctx, &sdk.TagResourceInput{ResourceId: id, Tags: []types.Tag{{Key: aws.String("env"), Value: aws.String("prod")}}})
	check(t, err)

	at := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	accounts, grants := memory.NewAccounts(memory.Config{}), memory.NewGrants(memory.Config{})
	check(t, grants.PutSentinel(ctx))
	check(t, grants.Put(ctx, grant.Attributes{"gateway": "*", "grant": "by-tag", "principal": "tag:env=prod"}, true))
	syncer := dirsync.New(organizations.New(client, organizations.SystemClock()), accounts, grants, func() time.Time { return at })
	summary, err := syncer.All(ctx)
	check(t, err)
	// Two are listed, and the tagged one is recorded once more with its tags.
	if diff := cmp.Diff(dirsync.Summary{Accounts: 3, Changed: 3}, summary); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	got, _, err := accounts.Account(ctx, *id)
	check(t, err)
	want := directory.Account{
		ID: *id, Name: "B", State: directory.StateActive, Organization: *created.Organization.Id,
		Path: []string{*outer, *inner}, Tags: map[string]string{"env": "prod"}, ReadAt: at,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}

	_, err = client.RemoveAccountFromOrganization(ctx, &sdk.RemoveAccountFromOrganizationInput{AccountId: id})
	check(t, err)
	_, err = syncer.Account(ctx, *id)
	check(t, err)
	if got, _, err = accounts.Account(ctx, *id); err != nil || !got.MissingSince.Equal(at) {
		t.Errorf("after removal: %+v, %v, want it missing", got, err)
	}
}

func createUnit(t *testing.T, client *sdk.Client, parent *string) *string {
	t.Helper()
	unit, err := client.CreateOrganizationalUnit(t.Context(), &sdk.CreateOrganizationalUnitInput{ParentId: parent, Name: aws.String("unit")})
	check(t, err)
	return unit.OrganizationalUnit.Id
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
