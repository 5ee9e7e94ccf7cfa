package agentcore

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	control "github.com/aws/aws-sdk-go-v2/service/bedrockagentcorecontrol"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	sandbox "github.com/gateway-grants/gateway-grants/pkg/sandbox/control"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/sigv4"
)

// standIn is AgentCore as the sandbox has it, its clock moved by Setup's waiting.
type standIn struct {
	*model.Service
	gateways *Gateways
	setup    Setup
	clock    *frozen
	waited   []string
}

func newStandIn(t *testing.T, settle time.Duration, quirks ...model.Quirk) *standIn {
	t.Helper()
	clock := &frozen{now: time.Now()} // signatures are dated by the machine's clock
	directory := iam.NewDirectory(time.Now)
	if err := directory.AddAccount(account); err != nil {
		t.Fatal(err)
	}
	key, err := directory.CreateRootAccessKey(account)
	if err != nil {
		t.Fatal(err)
	}
	s := &standIn{clock: clock, Service: model.New(model.Options{
		Now: clock.clock().Now, Region: "us-east-1", Principals: directory, SettleAfter: settle, Quirks: quirks,
		GatewayURL: func(id string) string { return "https://example.com/" + id },
	})}
	server := httptest.NewServer(sandbox.New(s.Service, &sigv4.Verifier{Keys: directory, Now: time.Now}, iam.Decider{Policies: directory}, time.Now))
	t.Cleanup(server.Close)
	config := configFor(server.URL)
	config.Credentials = credentials.NewStaticCredentialsProvider(key.ID, key.Secret, "")
	s.gateways = New(config, Deployment{})
	s.setup = Setup{
		Control: control.NewFromConfig(config), Clock: clock.clock(),
		Waiting: func(what, status string) { s.waited = append(s.waited, what+" "+status) },
	}
	return s
}

// A policy's whole life, with each answer that AWS leaves open given both ways.
func TestPolicyUnderEachQuirk(t *testing.T) {
	for _, quirks := range [][]model.Quirk{
		nil, {model.GetWithoutPolicyNotFound}, {model.DeleteWithoutPolicySucceeds}, {model.ScalarsAsLists}, {model.AccountsAsIDs},
	} {
		t.Run(strings.Join(names(quirks), " "), func(t *testing.T) {
			s := newStandIn(t, 0, quirks...)
			made, _ := s.made(t)
			gateway, err := grant.ParseGateway(made.ARN)
			if err != nil {
				t.Fatal(err)
			}
			document, err := policy.Parse([]byte(aDocumentOn(t, gateway)))
			if err != nil {
				t.Fatal(err)
			}
			none, err := s.gateways.Policy(t.Context(), gateway)
			if err != nil || none != nil {
				t.Errorf("before: %v, %v", none, err)
			}
			if err := s.gateways.PutPolicy(t.Context(), gateway, document); err != nil {
				t.Fatal(err)
			}
			kept, err := s.gateways.Policy(t.Context(), gateway)
			if err != nil || !policy.Equal(kept, document) {
				t.Errorf("kept %v, %v, want %v", kept, err, document)
			}
			for range 2 {
				if err := s.gateways.DeletePolicy(t.Context(), gateway); err != nil {
					t.Error(err)
				}
			}
			if none, err := s.gateways.Policy(t.Context(), gateway); err != nil || none != nil {
				t.Errorf("after: %v, %v", none, err)
			}
			observed, err := s.gateways.Describe(t.Context(), gateway)
			if err != nil || !observed.Exists || !observed.Managed || observed.Authorizer != "AWS_IAM" || observed.Status != "READY" {
				t.Errorf("described as %+v, %v", observed, err)
			}
			managed, err := s.gateways.Managed(t.Context())
			if err != nil || len(managed) != 1 || managed[0] != gateway {
				t.Errorf("managed %v, %v", managed, err)
			}
		})
	}
}

func names(quirks []model.Quirk) []string {
	list := []string{"as documented"}
	for _, quirk := range quirks {
		list = append(list, string(quirk))
	}
	return list
}

func TestRejectedDocumentCodes(t *testing.T) {
	s := newStandIn(t, 0)
	made, _ := s.made(t)
	gateway, err := grant.ParseGateway(made.ARN)
	if err != nil {
		t.Fatal(err)
	}
	good := aDocumentOn(t, gateway)
	tests := []struct {
		reason string
		text   string
		want   grant.Code
	}{
		{"a role that does not exist", strings.Replace(good, account+":root", account+":role/NoSuch", 1), reconcile.CodePrincipalRejected},
		{"an account that does not exist", strings.Replace(good, account+":root", "999900001111:root", 1), reconcile.CodePrincipalRejected},
		{"another gateway's ARN", strings.Replace(good, gateway.ID(), "another-abcdefghij", 1), reconcile.CodeInvalidPolicy},
		{"an action of another service", strings.Replace(good, "bedrock-agentcore:InvokeGateway", "s3:GetObject", 1), reconcile.CodeInvalidPolicy},
		{"no statement", `{"Version":"2012-10-17","Statement":[]}`, reconcile.CodeInvalidPolicy},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			document, err := policy.Parse([]byte(test.text))
			if err != nil {
				t.Fatal(err)
			}
			err = s.gateways.PutPolicy(t.Context(), gateway, document)
			if failure, ok := errors.AsType[*grant.Error](err); !ok || failure.Code != test.want {
				t.Errorf("failed with %v, want %s", err, test.want)
			}
		})
	}
}
