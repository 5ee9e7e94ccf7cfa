package model_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
)

const (
	accountA = "111122223333"
	accountB = "444455556666"
	agent    = "arn:aws:iam::444455556666:role/service/Agent"
	user     = "arn:aws:iam::444455556666:user/alice"
)

var (
	ownerA = model.Caller{Account: accountA, ARN: "arn:aws:iam::111122223333:user/admin", UserID: "AIDAADMIN"}
	ownerB = model.Caller{Account: accountB}
)

// clock is a time that only a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// people are the principals that exist, by ARN. A nil map fails every question.
type people map[string]string

func (p people) UniqueID(arn string) (string, error) {
	if p == nil {
		return "", errors.New("the directory is down")
	}
	return p[arn], nil
}

func everybody() people {
	return people{
		"arn:aws:iam::111122223333:root": accountA,
		"arn:aws:iam::444455556666:root": accountB,
		agent:                            "AROAAGENT1",
		user:                             "AIDAALICE1",
	}
}

type world struct {
	*model.Service

	t      *testing.T
	clock  *clock
	people people
	seen   []model.Change
}

func newWorld(t *testing.T, set ...func(*model.Options)) *world {
	t.Helper()
	w := &world{t: t, clock: &clock{now: time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)}, people: everybody()}
	opts := model.Options{
		Now:        w.clock.Now,
		Principals: w.people,
		Rand:       rand.New(rand.NewPCG(1, 2)),
		Changed:    func(c model.Change) { w.seen = append(w.seen, c) },
	}
	for _, s := range set {
		s(&opts)
	}
	w.Service = model.New(opts)
	return w
}

func withQuirks(quirks ...model.Quirk) func(*model.Options) {
	return func(o *model.Options) { o.Quirks = quirks }
}

func settling(after time.Duration) func(*model.Options) {
	return func(o *model.Options) { o.SettleAfter = after }
}

func iamGateway(name string) model.CreateGatewayInput {
	return model.CreateGatewayInput{GatewaySettings: model.GatewaySettings{
		Name: name, RoleARN: "arn:aws:iam::111122223333:role/Gateway", AuthorizerType: model.AWSIAM, ProtocolType: "MCP",
	}}
}

func jwtGateway(name string) model.CreateGatewayInput {
	in := iamGateway(name)
	in.AuthorizerType = model.CustomJWT
	in.AuthorizerConfiguration = &model.AuthorizerSettings{CustomJWT: &model.JWTSettings{
		DiscoveryURL: "https://idp.example.com/.well-known/openid-configuration",
	}}
	return in
}

func echoTarget(name string) model.CreateTargetInput {
	return model.CreateTargetInput{TargetSettings: model.TargetSettings{
		Name: name,
		TargetConfiguration: &model.TargetConfiguration{MCP: &model.MCPTarget{Lambda: &model.LambdaTarget{
			LambdaARN: "arn:aws:lambda:us-east-1:111122223333:function:echo",
			ToolSchema: model.ToolSchema{InlinePayload: []model.Tool{{
				Name: "echo", Description: "Says it again", InputSchema: &model.Schema{
					Type: "object", Required: []string{"message"},
					Properties: map[string]model.Schema{"message": {Type: "string"}},
				},
			}}},
		}}},
		CredentialProviders: []model.CredentialProvider{{Type: "GATEWAY_IAM_ROLE"}},
	}}
}

func (w *world) gateway(in model.CreateGatewayInput) model.Gateway {
	w.t.Helper()
	g, err := w.CreateGateway(ownerA, in)
	if err != nil {
		w.t.Fatalf("CreateGateway(%s): %v", in.Name, err)
	}
	return g
}

func (w *world) put(arn, text string) string {
	w.t.Helper()
	stored, err := w.PutResourcePolicy(ownerA, arn, text)
	if err != nil {
		w.t.Fatalf("PutResourcePolicy: %v", err)
	}
	return stored
}

func (w *world) get(arn string) string {
	w.t.Helper()
	text, err := w.GetResourcePolicy(ownerA, arn)
	if err != nil {
		w.t.Fatalf("GetResourcePolicy: %v", err)
	}
	return text
}

// allow is a policy with one statement for a principal, given as JSON.
func allow(arn, principal string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Sid":"One","Effect":"Allow","Principal":%s,`+
		`"Action":"bedrock-agentcore:InvokeGateway","Resource":%q}]}`, principal, arn)
}

// said is the error as AWS words it, "" for none.
func said(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func code(err error) model.Code {
	if refused, ok := errors.AsType[*model.Error](err); ok {
		return refused.Code
	}
	return ""
}

func reason(err error) model.Reason {
	if refused, ok := errors.AsType[*model.Error](err); ok {
		return refused.Reason
	}
	return ""
}
