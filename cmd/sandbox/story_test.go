package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	control "github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol"

	"github.com/gateway-grants/gateway-grants/pkg/mcpclient"
)

// calls says whether the profile is let in to list the gateway's tools.
func calls(t *testing.T, s *sandbox, profile string, g served) bool {
	t.Helper()
	client, err := mcpclient.Connect(t.Context(), g.url, mcpclient.Options{Credentials: sdkConfig(t, s, profile).Credentials, Region: region})
	if err == nil {
		defer client.Close()
		_, err = client.Tools(t.Context()) // access may end between the two
	}
	if refusal, ok := errors.AsType[*mcpclient.RefusedError](err); ok && refusal.Denied() {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	return true
}

func row(gateway, grant, principal string) map[string]any {
	item := map[string]any{"gateway": map[string]string{"S": gateway}, "grant": map[string]string{"S": grant}}
	if principal != "" {
		item["principal"] = map[string]string{"S": principal}
	}
	return item
}

func TestRowOpensGatewayToAnotherAccount(t *testing.T) {
	s := standInFor(t)
	admin := newAWSCLI(t, s, "admin")
	g := serveGateway(t, s, newGoSDK(t, s, "account-a"), "story")
	if calls(t, s, "account-b", g) {
		t.Fatal("account B is let in before there is a grant")
	}

	must(t, admin, "dynamodb", "PutItem", map[string]any{"TableName": "gateway-grants", "Item": row(g.arn, "team-b", accountB)})
	eventually(t, "account B is let in", func() bool { return calls(t, s, "account-b", g) })

	must(t, admin, "dynamodb", "DeleteItem", map[string]any{"TableName": "gateway-grants", "Key": row(g.arn, "team-b", "")})
	eventually(t, "account B is kept out again", func() bool { return !calls(t, s, "account-b", g) })
}

func TestDeletedPolicyIsRepaired(t *testing.T) {
	s := standInFor(t)
	admin, owner := newAWSCLI(t, s, "admin"), newAWSCLI(t, s, "account-a")
	g := serveGateway(t, s, newGoSDK(t, s, "account-a"), "repaired")
	must(t, admin, "dynamodb", "PutItem", map[string]any{"TableName": "gateway-grants", "Item": row(g.arn, "team-b", accountB)})
	eventually(t, "account B is let in", func() bool { return calls(t, s, "account-b", g) })

	must(t, owner, agentcore, "DeleteResourcePolicy", map[string]any{"resourceArn": g.arn})
	eventually(t, "account B is let in again", func() bool { return calls(t, s, "account-b", g) })
}

func TestForeignStatementSurvives(t *testing.T) {
	s := standInFor(t)
	admin, owner := newAWSCLI(t, s, "admin"), newAWSCLI(t, s, "account-a")
	g := serveGateway(t, s, newGoSDK(t, s, "account-a"), "foreign")
	foreign := with(statement(g.arn), "Principal", map[string]any{"AWS": "arn:aws:iam::" + management + ":root"})
	must(t, owner, agentcore, "PutResourcePolicy", map[string]any{"resourceArn": g.arn, "policy": document(t, with(foreign, "Sid", "Somebody"))})
	if !calls(t, s, "management", g) {
		t.Fatal("the management account is not let in by its statement")
	}

	must(t, admin, "dynamodb", "PutItem", map[string]any{"TableName": "gateway-grants", "Item": row(g.arn, "team-b", accountB)})
	eventually(t, "account B is let in", func() bool { return calls(t, s, "account-b", g) })
	must(t, admin, "dynamodb", "DeleteItem", map[string]any{"TableName": "gateway-grants", "Key": row(g.arn, "team-b", "")})
	eventually(t, "account B is kept out again", func() bool { return !calls(t, s, "account-b", g) })
	if !calls(t, s, "management", g) {
		t.Error("the management account lost its access with account B")
	}
}

func TestAGrantForEveryGatewayReachesEachOfThem(t *testing.T) {
	s := standInFor(t)
	admin, client := newAWSCLI(t, s, "admin"), newGoSDK(t, s, "account-a")
	gateways := []served{serveGateway(t, s, client, "everywhere-one"), serveGateway(t, s, client, "everywhere-two")}
	named := func(g served) bool {
		answer, err := client.control.GetResourcePolicy(t.Context(), &control.GetResourcePolicyInput{ResourceArn: &g.arn})
		return err == nil && strings.Contains(aws.ToString(answer.Policy), management)
	}
	must(t, admin, "dynamodb", "PutItem", map[string]any{"TableName": "gateway-grants", "Item": row("*", "everywhere", management)})
	for _, g := range gateways {
		eventually(t, g.arn+" lets the account in", func() bool { return named(g) })
	}
	must(t, admin, "dynamodb", "DeleteItem", map[string]any{"TableName": "gateway-grants", "Key": row("*", "everywhere", "")})
	for _, g := range gateways {
		eventually(t, g.arn+" keeps it out again", func() bool { return !named(g) })
	}
}
