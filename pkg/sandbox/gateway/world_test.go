package gateway_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/gateway-grants/gateway-grants/pkg/mcpclient"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/gateway"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/sigv4"
)

const (
	accountA = "111122223333" // has the gateways
	accountB = "444455556666" // calls them
	region   = "us-east-1"

	functionARN = "arn:aws:lambda:us-east-1:111122223333:function:echo"

	allowAll    = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	allowInvoke = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"bedrock-agentcore:InvokeGateway","Resource":"*"}]}`
	trustNobody = `{"Version":"2012-10-17","Statement":[]}`
)

// world is everything on AWS's side: two accounts, the control plane and the
// data plane, the latter over real HTTP.
type world struct {
	t         *testing.T
	url       string
	directory *iam.Directory
	model     *model.Service
	functions *lambda.Registry
	handler   *gateway.Handler
	clock     *clock

	mu        sync.Mutex
	decisions []policy.Decision
}

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

// newWorld has the roles GatewayRole and AdminRole in account A, and AdminRole,
// AgentRole and SilentRole in account B. SilentRole's own policies allow it
// nothing.
func newWorld(t *testing.T, change func(*gateway.Config, *model.Options)) *world {
	t.Helper()
	w := &world{
		t:         t,
		clock:     &clock{now: time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)},
		functions: &lambda.Registry{},
	}
	w.directory = iam.NewDirectory(w.clock.Now)
	for _, account := range []string{accountA, accountB} {
		w.must(w.directory.AddAccount(account))
	}
	w.role(accountA, "/service-role/", "GatewayRole", allowAll)
	w.role(accountA, "/", "AdminRole", allowAll)
	w.role(accountB, "/", "AdminRole", allowAll)
	w.role(accountB, "/agents/", "AgentRole", allowInvoke)
	w.role(accountB, "/", "SilentRole", trustNobody)
	w.functions.Register(functionARN, lambda.NewInProcess(lambda.Settings{ARN: functionARN}, awslambda.NewHandler(echo)))

	// The model gives out URLs of a server that serves the model.
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { handler.ServeHTTP(rw, r) }))
	t.Cleanup(server.Close)
	w.url = server.URL

	options := model.Options{
		Now: w.clock.Now, Region: region, Principals: w.directory,
		GatewayURL: func(id string) string { return server.URL + gateway.Path(id) },
	}
	config := gateway.Config{
		Verifier:   &sigv4.Verifier{Keys: w.directory, Now: w.clock.Now},
		Decider:    iam.Decider{Policies: w.directory, Record: w.record},
		Principals: w.directory,
		Functions:  w.functions,
		Region:     region,
	}
	if change != nil {
		change(&config, &options)
	}
	w.model = model.New(options)
	config.Gateways = w.model
	w.handler = gateway.New(config)
	handler = w.handler
	return w
}

// echo is a tool that says what it was called with.
func echo(ctx context.Context, arguments map[string]any) (map[string]any, error) {
	invoked, _ := lambdacontext.FromContext(ctx)
	return map[string]any{"arguments": arguments, "custom": invoked.ClientContext.Custom}, nil
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) record(_ policy.Call, decision policy.Decision) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.decisions = append(w.decisions, decision)
}

func (w *world) parse(text string) *policy.Document {
	w.t.Helper()
	document, err := policy.Parse([]byte(text))
	w.must(err)
	return document
}

func (w *world) role(account, path, name, identity string) iam.Principal {
	w.t.Helper()
	role, err := w.directory.CreateRole(account, path, name, w.parse(trustNobody))
	w.must(err)
	w.must(w.directory.PutPolicy(role.ARN, "identity", w.parse(identity)))
	return role
}

// settings are those of a gateway with IAM authentication.
func settings() model.GatewaySettings {
	return model.GatewaySettings{
		Name: "shared-tools", ProtocolType: "MCP", AuthorizerType: model.AWSIAM,
		RoleARN: "arn:aws:iam::111122223333:role/service-role/GatewayRole",
	}
}

var owner = model.Caller{Account: accountA}

// gateway makes a gateway with one target, echo-tools, of the given tools.
func (w *world) gateway(in model.GatewaySettings, tools ...string) model.Gateway {
	w.t.Helper()
	g, err := w.model.CreateGateway(owner, model.CreateGatewayInput{GatewaySettings: in})
	w.must(err)
	schema := []model.Tool{}
	for _, name := range tools {
		schema = append(schema, model.Tool{
			Name: name, Description: "Echo back a message for testing",
			InputSchema: &model.Schema{
				Type: "object", Required: []string{"message"},
				Properties: map[string]model.Schema{"message": {Type: "string", Description: "The message to echo"}},
			},
		})
	}
	w.target(g, "echo-tools", schema)
	return g
}

func (w *world) target(g model.Gateway, name string, tools []model.Tool) model.Target {
	w.t.Helper()
	target, err := w.model.CreateGatewayTarget(owner, g.ID, model.CreateTargetInput{TargetSettings: model.TargetSettings{
		Name:                name,
		CredentialProviders: []model.CredentialProvider{{Type: "GATEWAY_IAM_ROLE"}},
		TargetConfiguration: &model.TargetConfiguration{MCP: &model.MCPTarget{Lambda: &model.LambdaTarget{
			LambdaARN: functionARN, ToolSchema: model.ToolSchema{InlinePayload: tools},
		}}},
	}})
	w.must(err)
	return target
}

// allow puts a resource policy of statements that each name their effect,
// principal and, if need be, condition.
func (w *world) allow(g model.Gateway, statements ...string) {
	w.t.Helper()
	var list []map[string]any
	for _, text := range statements {
		statement := map[string]any{"Effect": "Allow", "Action": "bedrock-agentcore:InvokeGateway", "Resource": g.ARN}
		w.must(json.Unmarshal([]byte(text), &statement))
		list = append(list, statement)
	}
	document, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": list})
	w.must(err)
	_, err = w.model.PutResourcePolicy(owner, g.ARN, string(document))
	w.must(err)
}

// session signs as a session of a role.
func (w *world) session(roleARN string) aws.CredentialsProvider {
	w.t.Helper()
	key, err := w.directory.StartSession(roleARN, "session", time.Hour)
	w.must(err)
	return credentials.NewStaticCredentialsProvider(key.ID, key.Secret, key.SessionToken)
}

const (
	adminA = "arn:aws:iam::111122223333:role/AdminRole"
	adminB = "arn:aws:iam::444455556666:role/AdminRole"
	agentB = "arn:aws:iam::444455556666:role/agents/AgentRole"
	silent = "arn:aws:iam::444455556666:role/SilentRole"
	rootB  = "arn:aws:iam::444455556666:root"
)

// connect connects as a session of a role.
func (w *world) connect(g model.Gateway, roleARN string, change ...func(*mcpclient.Options)) (*mcpclient.Client, error) {
	w.t.Helper()
	options := mcpclient.Options{Credentials: w.session(roleARN), Region: region, Now: w.clock.Now}
	for _, c := range change {
		c(&options)
	}
	client, err := mcpclient.Connect(w.t.Context(), g.URL, options)
	if err == nil {
		w.t.Cleanup(func() { _ = client.Close() })
	}
	return client, err
}

// tools lists the tools' names as a session of a role.
func (w *world) tools(g model.Gateway, roleARN string, change ...func(*mcpclient.Options)) ([]string, error) {
	w.t.Helper()
	client, err := w.connect(g, roleARN, change...)
	if err != nil {
		return nil, err
	}
	tools, err := client.Tools(w.t.Context())
	var names []string
	for _, tool := range tools {
		names = append(names, tool.Name)
	}
	return names, err
}
