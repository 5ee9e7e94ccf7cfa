package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

// The program as it is, with its own adapters: the tables and the bus in moto,
// everything else in the stand-in.
func TestTheProgramKeepsItsGrantsInDynamoDB(t *testing.T) {
	moto := cloudtest.Moto(t)
	w := newWorld(t)
	t.Setenv("AWS_ENDPOINT_URL_DYNAMODB", moto.Endpoint())
	t.Setenv("AWS_ENDPOINT_URL_EVENTBRIDGE", moto.Endpoint())
	if got := shell(t, "list"); got.code != exitError || !strings.Contains(got.err, "there is no such table in region us-east-1") {
		t.Errorf("before there are tables: exit %d\n%s", got.code, got.err)
	}
	config := w.created()

	p := &program{}
	p.settings.profile = "account-a"
	s, err := p.session(t.Context())
	w.must(err)
	client, names := dynamodb.NewFromConfig(s.config), store.DefaultNames()
	w.must(store.Create(t.Context(), client, names))
	w.must(store.NewGrants(client, names.Grants).PutSentinel(t.Context()))
	_, err = eventbridge.NewFromConfig(s.config).CreateEventBus(t.Context(), &eventbridge.CreateEventBusInput{Name: aws.String("gateway-grants")})
	w.must(err)

	steps := []struct {
		reason string
		args   []string
		code   int
		says   string
	}{
		{"denied at first", []string{"invoke", "--profile", "account-b"}, exitError, "FAILED: 403 Forbidden"},
		{"granted", []string{"grant", accountB, "--reason", "pilot"}, exitDone, "Granted 444455556666"},
		{"granted again", []string{"grant", accountB}, exitDone, "Already granted"},
		{"granted otherwise", []string{"grant", accountB, "--expires", "2099-01-01"}, exitError, "--replace"},
		{"applied", []string{"reconcile"}, exitDone, "  + arn:aws:iam::444455556666:root (grant 444455556666)\n"},
		{"let in", []string{"invoke", "--profile", "account-b"}, exitDone, "SUCCESS! tools/list returned:"},
		{"listed", []string{"list", config.GatewayID}, exitDone, "444455556666  444455556666  Admitted  "},
		{"settled", []string{"reconcile"}, exitDone, "Settled: nothing had to be written.\n"},
		{"revoked", []string{"revoke", accountB}, exitDone, "Revoked 444455556666"},
		{"taken back", []string{"reconcile"}, exitDone, "  - arn:aws:iam::444455556666:root"},
		{"denied again", []string{"invoke", "--profile", "account-b"}, exitError, "FAILED: 403 Forbidden"},
		{"nothing left", []string{"list"}, exitDone, "No grants.\n"},
	}
	for _, step := range steps {
		got := shell(t, step.args...)
		if got.code != step.code || !strings.Contains(got.out+got.err, step.says) {
			t.Fatalf("%s: exit %d, want %d saying %q\n%s%s", step.reason, got.code, step.code, step.says, got.out, got.err)
		}
	}
	var rows []listedRow
	w.must(json.Unmarshal([]byte(shell(t, "list", grant.EveryGateway, "-o", "json").out), &rows))
	if len(rows) != 0 {
		t.Errorf("rows %v", rows)
	}
}
