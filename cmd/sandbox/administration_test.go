//go:build e2e

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// administrator is one who deploys and edits grants, and a gateway that the grants are for.
type administrator struct {
	t        *testing.T
	s        *sandbox
	deployer awsCLI
	tables   *dynamodb.Client // as the deployer
	cli      func(arguments ...string) (string, error)
	gateway  string
}

// administering makes a gateway of that name. Commands run with the rights that are
// documented for admins of grants.
func administering(t *testing.T, s *sandbox, gateway string) administrator {
	t.Helper()
	return administrator{
		t: t, s: s, deployer: newAWSCLI(t, s, "account-a"), tables: dynamodb.NewFromConfig(sdkConfig(t, s, "account-a")),
		cli: commandLine(t, s), gateway: managedGateway(t, s, gateway),
	}
}

func (p administrator) on(t *testing.T) administrator {
	t.Helper()
	p.t = t
	return p
}

func (p administrator) recorded(stack, attribute string) string {
	p.t.Helper()
	return recorded(p.t, p.deployer, stack+"-state", p.gateway, attribute)
}

func (p administrator) put(table, id, principal string) {
	p.t.Helper()
	if _, err := p.tables.PutItem(p.t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item(p.gateway, id, principal)}); err != nil {
		p.t.Fatal(err)
	}
}

func (p administrator) remove(table, id string) {
	p.t.Helper()
	if _, err := p.tables.DeleteItem(p.t.Context(), &dynamodb.DeleteItemInput{TableName: &table, Key: key(p.gateway, id)}); err != nil {
		p.t.Fatal(err)
	}
}

func (p administrator) lets(accounts ...string) {
	p.t.Helper()
	lets(p.t, p.s, p.gateway, accounts...)
}

func (p administrator) policy() string {
	p.t.Helper()
	text, _ := must(p.t, newGoSDK(p.t, p.s, "account-a"), agentcore, "GetResourcePolicy", map[string]any{"resourceArn": p.gateway})["policy"].(string)
	return text
}

// done runs a command that ends well, doctor aside, which ends with 1 for what it finds.
func (p administrator) done(arguments ...string) string {
	p.t.Helper()
	output, err := p.cli(arguments...)
	if err != nil && arguments[0] != "doctor" {
		p.t.Fatalf("%v: %v\n%s", arguments, err, output)
	}
	return output
}

// says waits until a command says something.
func (p administrator) says(text string, arguments ...string) {
	p.t.Helper()
	var said string
	defer func() {
		if p.t.Failed() {
			p.t.Logf("%v said\n%s", arguments, said)
		}
	}()
	within(p.t, 3*time.Minute, strings.Join(arguments, " ")+" says "+text, func() bool {
		said, _ = p.cli(arguments...)
		return strings.Contains(said, text)
	})
}
