//go:build e2e

package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"
)

var rootARN = regexp.MustCompile(`arn:aws:iam::(\d{12}):root`)

// departing is more accounts than may leave at once: more than ten, and more than a
// tenth of all.
const departing = 13

// followsTheOrganization does one after the other: when many depart, each account that departs is
// held with them.
func followsTheOrganization(t *testing.T, s *sandbox) {
	followsTags(t, s)
	holdsMassDepartures(t, s)
}

// followsTags has a grant for a tag let an account in, and out again.
func followsTags(t *testing.T, s *sandbox) {
	members := organizations.NewFromConfig(sdkConfig(t, s, "management"))
	arn := managedGateway(t, s, "by-tag")
	grantTo(t, s, arn, "tag:team=agents")
	account := newAccounts(t, members, "tagged", 1)[0]
	_, err := members.TagResource(t.Context(), &organizations.TagResourceInput{ResourceId: &account, Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("agents")}}})
	if err != nil {
		t.Fatal(err)
	}
	within(t, 3*time.Minute, "the tag lets the account in", func() bool { return slices.Equal(accountsIn(t, s, arn), []string{account}) })
	if _, err := members.UntagResource(t.Context(), &organizations.UntagResourceInput{ResourceId: &account, TagKeys: []string{"team"}}); err != nil {
		t.Fatal(err)
	}
	within(t, 4*time.Minute, "without it the account is out, once two readings agree", func() bool { return len(accountsIn(t, s, arn)) == 0 })
}

// holdsMassDepartures has all accounts of a unit leave it at once: those beyond what
// is usual keep their access until an admin approves.
func holdsMassDepartures(t *testing.T, s *sandbox) {
	members := organizations.NewFromConfig(sdkConfig(t, s, "management"))
	roots, err := members.ListRoots(t.Context(), &organizations.ListRootsInput{})
	if err != nil {
		t.Fatal(err)
	}
	root := roots.Roots[0].Id
	made, err := members.CreateOrganizationalUnit(t.Context(), &organizations.CreateOrganizationalUnitInput{ParentId: root, Name: aws.String("departing")})
	if err != nil {
		t.Fatal(err)
	}
	unit := made.OrganizationalUnit.Id
	arn := managedGateway(t, s, "by-unit")
	grantTo(t, s, arn, *unit)
	accounts := newAccounts(t, members, "departing", departing)
	move := func(from, to *string) {
		for _, account := range accounts {
			if _, err := members.MoveAccount(t.Context(), &organizations.MoveAccountInput{AccountId: &account, SourceParentId: from, DestinationParentId: to}); err != nil {
				t.Fatal(err)
			}
		}
	}
	move(root, unit)
	within(t, 2*time.Minute, "the unit lets its accounts in", func() bool { return slices.Equal(accountsIn(t, s, arn), accounts) })

	move(unit, root)
	cli := commandLine(t, s)
	within(t, 5*time.Minute, "departures are held", func() bool {
		output, _ := cli("approve")
		return strings.Contains(output, accounts[len(accounts)-1]) || strings.Contains(output, accounts[0])
	})
	if len(accountsIn(t, s, arn)) == 0 {
		t.Error("all of them lost their access at once")
	}
	within(t, 5*time.Minute, "with an admin's approval all are out", func() bool {
		if output, err := cli("approve", "--all", "--yes"); err != nil {
			t.Fatalf("approve: %v\n%s", err, output)
		}
		return len(accountsIn(t, s, arn)) == 0
	})
}

func grantTo(t *testing.T, s *sandbox, arn, principal string) {
	t.Helper()
	must(t, newAWSCLI(t, s, "admin"), "dynamodb", "PutItem", map[string]any{"TableName": "gateway-grants", "Item": row(arn, "only", principal)})
}

// newAccounts makes members of the organization, and gives their ids, sorted.
func newAccounts(t *testing.T, members *organizations.Client, name string, count int) []string {
	t.Helper()
	var accounts []string
	for n := range count {
		made, err := members.CreateAccount(t.Context(), &organizations.CreateAccountInput{
			AccountName: aws.String(fmt.Sprintf("%s-%d", name, n)), Email: aws.String(fmt.Sprintf("%s-%d@example.com", name, n)),
		})
		if err != nil {
			t.Fatal(err)
		}
		accounts = append(accounts, aws.ToString(made.CreateAccountStatus.AccountId))
	}
	slices.Sort(accounts)
	return accounts
}

// managedGateway makes a gateway of account A that grants are kept for.
func managedGateway(t *testing.T, s *sandbox, name string) (arn string) {
	t.Helper()
	made := must(t, newGoSDK(t, s, "account-a"), agentcore, "CreateGateway", map[string]any{
		"name": name, "roleArn": s.output(t, "GatewayServiceRoleArn"), "protocolType": "MCP", "authorizerType": "AWS_IAM",
	})
	arn, _ = made["gatewayArn"].(string)
	return arn
}

// accountsIn are the accounts whose roots the gateway's policy names, sorted.
func accountsIn(t *testing.T, s *sandbox, arn string) []string {
	t.Helper()
	answer := must(t, newGoSDK(t, s, "account-a"), agentcore, "GetResourcePolicy", map[string]any{"resourceArn": arn})
	text, _ := answer["policy"].(string)
	var found []string
	for _, principal := range rootARN.FindAllStringSubmatch(text, -1) {
		found = append(found, principal[1])
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// takesThePolicyAwayWithTheLastGrant does so on both paths: of one gateway where the
// row's change arrives, of every gateway by requests.
func takesThePolicyAwayWithTheLastGrant(t *testing.T, s *sandbox) {
	admin := newAWSCLI(t, s, "admin")
	arn := managedGateway(t, s, "left-by-all")
	// An account that no other test here waits for: every gateway is to let it in for a moment.
	account := newAccounts(t, organizations.NewFromConfig(sdkConfig(t, s, "management")), "last", 1)[0]
	for _, scope := range []string{arn, "*"} {
		must(t, admin, "dynamodb", "PutItem", map[string]any{"TableName": "gateway-grants", "Item": row(scope, "last", account)})
		within(t, 2*time.Minute, "the row lets the account in", func() bool { return len(accountsIn(t, s, arn)) == 1 })
		must(t, admin, "dynamodb", "DeleteItem", map[string]any{"TableName": "gateway-grants", "Key": row(scope, "last", "")})
		within(t, 2*time.Minute, "without it there is no policy", func() bool { return len(accountsIn(t, s, arn)) == 0 })
	}
}

// lets waits until the gateway's policy names these accounts, and no other.
func lets(t *testing.T, s *sandbox, gateway string, accounts ...string) {
	t.Helper()
	slices.Sort(accounts)
	within(t, 2*time.Minute, "let in are "+strings.Join(accounts, " "), func() bool { return slices.Equal(accountsIn(t, s, gateway), accounts) })
}

// recorded is an attribute of the gateway's own item of a state table; "" for none.
func recorded(t *testing.T, c awsCLI, table, gateway, attribute string) string {
	t.Helper()
	answer := must(t, c, "dynamodb", "GetItem", map[string]any{"TableName": table, "ConsistentRead": true, "Key": map[string]any{
		"gateway": map[string]string{"S": gateway}, "item": map[string]string{"S": "gateway"},
	}})
	item, _ := answer["Item"].(map[string]any)
	value, _ := item[attribute].(map[string]any)
	for _, text := range value {
		return text.(string)
	}
	return ""
}
