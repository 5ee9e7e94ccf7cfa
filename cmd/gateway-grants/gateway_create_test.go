package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

var inA = model.Caller{Account: accountA}

func create(more ...string) []string {
	return append([]string{"gateway", "create", "--name", "cross-account-test", "--role-arn", roleARN, "--lambda-arn", echoARN}, more...)
}

func TestGatewayCreate(t *testing.T) {
	w := newWorld(t)
	made := w.done(create()...)
	config := w.config()

	gateway, err := w.model.GetGateway(inA, config.GatewayID)
	w.must(err)
	if gateway.AuthorizerType != model.AWSIAM || gateway.ProtocolType != "MCP" || gateway.RoleARN != roleARN || gateway.Status != model.Ready {
		t.Errorf("gateway %+v", gateway)
	}
	tags, err := w.model.ListTagsForResource(inA, config.GatewayARN)
	w.must(err)
	if diff := cmp.Diff(map[string]string{plan.ManagedTag: plan.ManagedValue}, tags); diff != "" {
		t.Errorf("tags: -want +got\n%s", diff)
	}
	want := gatewayConfig{
		GatewayID: gateway.ID, GatewayURL: gateway.URL, GatewayARN: gateway.ARN,
		TargetID: w.model.ReadyTargets(gateway.ID)[0].ID, LambdaARN: echoARN, AccountID: accountA, Region: region,
	}
	if diff := cmp.Diff(want, config); diff != "" {
		t.Errorf("gateway_config.json: -want +got\n%s", diff)
	}
	said := "Gateway ID: " + want.GatewayID + "\nGateway URL: " + want.GatewayURL + "\nGateway ARN: " + want.GatewayARN +
		"\nTarget ID: " + want.TargetID + "\nConfiguration saved to: gateway_config.json\n"
	if diff := cmp.Diff(said, made.out); diff != "" {
		t.Errorf("said: -want +got\n%s", diff)
	}
	progress := "Waiting for gateway " + want.GatewayID + ": CREATING.. READY.\nCreated gateway " + want.GatewayID +
		"\nWaiting for target echo-tools: CREATING.. READY.\nCreated target echo-tools\n"
	if diff := cmp.Diff(progress, made.err); diff != "" {
		t.Errorf("showed meanwhile: -want +got\n%s", diff)
	}
}

func TestMakingAGatewayAgainChangesNothing(t *testing.T) {
	w := newWorld(t)
	first := w.created()
	w.changes()
	again := w.done(create()...)
	if changes := w.changes(); len(changes) > 0 {
		t.Errorf("asked for %v", changes)
	}
	if diff := cmp.Diff(first, w.config()); diff != "" {
		t.Errorf("gateway_config.json: -want +got\n%s", diff)
	}
	if want := "Found gateway " + first.GatewayID + "\nFound target echo-tools\n"; again.err != want {
		t.Errorf("said %q, want %q", again.err, want)
	}
}

func TestWhatIsThereAlreadyIsCompleted(t *testing.T) {
	w := newWorld(t)
	_, err := w.model.CreateGateway(inA, model.CreateGatewayInput{GatewaySettings: model.GatewaySettings{
		Name: "cross-account-test", AuthorizerType: model.AWSIAM, ProtocolType: "MCP", RoleARN: "arn:aws:iam::111122223333:role/Other",
	}})
	w.must(err)

	made := w.done(create()...)
	config := w.config()
	tags, err := w.model.ListTagsForResource(inA, config.GatewayARN)
	w.must(err)
	if tags[plan.ManagedTag] != plan.ManagedValue || len(w.model.ReadyTargets(config.GatewayID)) != 1 {
		t.Errorf("tags %v, targets %v", tags, w.model.ReadyTargets(config.GatewayID))
	}
	for _, want := range []string{"Tagged it as managed", "it keeps the role that it had, arn:aws:iam::111122223333:role/Other", "Created target echo-tools"} {
		if !strings.Contains(made.err, want) {
			t.Errorf("did not say %q:\n%s", want, made.err)
		}
	}
}

func TestGatewayCreateRefusesMismatch(t *testing.T) {
	jwt := model.GatewaySettings{
		Name: "cross-account-test", AuthorizerType: model.CustomJWT, ProtocolType: "MCP", RoleARN: roleARN,
		AuthorizerConfiguration: &model.AuthorizerSettings{CustomJWT: &model.JWTSettings{
			DiscoveryURL: "https://example.com/.well-known/openid-configuration", AllowedClients: []string{"one"},
		}},
	}
	tests := []struct {
		reason string
		before func(w *world)
		args   []string
		code   int
		says   string
		record bool // of something at gateway_config.json
	}{
		{
			reason: "another authorizer",
			before: func(w *world) {
				_, err := w.model.CreateGateway(inA, model.CreateGatewayInput{GatewaySettings: jwt})
				w.must(err)
			},
			args: create(), code: exitError, says: "authenticates callers with CUSTOM_JWT and cannot change that: choose another name, or delete it first",
		},
		{
			reason: "a target that calls another function",
			before: func(w *world) { w.created() },
			args:   []string{"gateway", "create", "--name", "cross-account-test", "--role-arn", roleARN, "--lambda-arn", echoARN + "2"},
			code:   exitError, says: "calls " + echoARN + " instead of " + echoARN + "2: choose another target name, or delete that target first", record: true,
		},
		{
			reason: "a file that describes another gateway",
			before: func(w *world) { w.created() },
			args:   []string{"gateway", "create", "--name", "other", "--role-arn", roleARN, "--lambda-arn", echoARN},
			code:   exitError, says: "gateway_config.json describes another gateway", record: true,
		},
		{
			reason: "a file that is something else",
			before: func(w *world) { w.must(os.WriteFile("gateway_config.json", []byte("{"), 0o600)) },
			args:   create(), code: exitError, says: "gateway_config.json is not what gateway create writes", record: true,
		},
		{
			reason: "no name",
			before: func(*world) {},
			args:   []string{"gateway", "create", "--role-arn", roleARN, "--lambda-arn", echoARN},
			code:   exitError, says: "--name \"\" is not a gateway's name: write 1 to 48 letters and digits, with single hyphens between them",
		},
		{
			reason: "a role that is none",
			before: func(*world) {},
			args:   []string{"gateway", "create", "--name", "x", "--role-arn", echoARN, "--lambda-arn", echoARN},
			code:   exitError, says: "is not a role: write arn:aws:iam::ACCOUNT:role/NAME",
		},
		{
			reason: "a function that is none",
			before: func(*world) {},
			args:   []string{"gateway", "create", "--name", "x", "--role-arn", roleARN, "--lambda-arn", roleARN},
			code:   exitError, says: "is not a function: write arn:aws:lambda:REGION:ACCOUNT:function:NAME",
		},
		{
			reason: "an argument",
			before: func(*world) {},
			args:   create("x"), code: exitError, says: "create takes flags only, and was given 1 argument: see gateway-grants gateway create --help",
		},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			w := newWorld(t)
			test.before(w)
			before, _ := os.ReadFile("gateway_config.json")
			w.changes()
			got := w.run(test.args...)
			if got.code != test.code || !strings.Contains(got.err, test.says) {
				t.Errorf("exit %d, want %d saying %q\n%s", got.code, test.code, test.says, got.err)
			}
			if changes := w.changes(); len(changes) > 0 {
				t.Errorf("asked for %v", changes)
			}
			after, _ := os.ReadFile("gateway_config.json")
			if !bytes.Equal(before, after) && test.record {
				t.Errorf("gateway_config.json became\n%s", after)
			}
			if !test.record && len(after) > 0 {
				t.Errorf("gateway_config.json was written\n%s", after)
			}
		})
	}
}
