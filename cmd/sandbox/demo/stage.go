package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/gateway-grants/gateway-grants/pkg/agentcore"
	"github.com/gateway-grants/gateway-grants/pkg/dirsync"
	"github.com/gateway-grants/gateway-grants/pkg/handler"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/control"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/gateway"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/model"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/sigv4"
	"github.com/gateway-grants/gateway-grants/pkg/store/memory"
)

// Who plays: account A provides the tool and runs the product, account B uses
// the tool, account C is created while the story is played.
const (
	accountA     = "111122223333"
	accountB     = "444455556666"
	accountC     = "777788889999"
	management   = "999900001111"
	organization = "o-exampleorgid"
	region       = "us-east-1"

	grantsTable   = "gateway-grants"
	accountsTable = "gateway-grants-accounts"

	echoARN = "arn:aws:lambda:" + region + ":" + accountA + ":function:echo"
)

// stage is AWS and the product in this process: real HTTP and signatures, real
// handlers, tables in memory.
type stage struct {
	url          string
	server       *http.Server
	echo         *lambda.Process
	iam          *iam.Directory
	deliveries   *deliveries
	organization *memory.Organization
	grants       *memory.Grants
	accounts     *memory.Accounts
	states       *memory.States
}

// newStage builds everything. The caller must close it.
func newStage(ctx context.Context, functions string, log *slog.Logger, decided func(policy.Call, policy.Decision)) (*stage, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open a loopback port: %w", err)
	}
	s := &stage{
		url:          "http://" + listener.Addr().String(),
		iam:          iam.NewDirectory(time.Now),
		deliveries:   newDeliveries(log),
		organization: memory.NewOrganization(organization, management, time.Now),
		grants:       memory.NewGrants(memory.Config{}),
		accounts:     memory.NewAccounts(memory.Config{}),
		states:       memory.NewStates(memory.Config{}),
	}
	s.echo = lambda.NewProcess(lambda.Bootstrap{
		Settings: lambda.Settings{ARN: echoARN},
		Path:     filepath.Join(functions, "echo", "bootstrap"),
	})
	if err := s.cast(); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	s.server = &http.Server{Handler: s.standIn(decided), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.server.Serve(listener) }() // ends with close
	if err := s.product(log); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *stage) close() {
	s.deliveries.close()
	_ = s.server.Close()
	s.echo.Stop()
}

// standIn serves AgentCore, its gateways and STS as AWS would.
func (s *stage) standIn(decided func(policy.Call, policy.Decision)) http.Handler {
	verifier := &sigv4.Verifier{Keys: s.iam, Now: time.Now}
	decider := iam.Decider{Policies: s.iam, Record: decided}
	functions := &lambda.Registry{}
	functions.Register(echoARN, s.echo)
	agentCore := model.New(model.Options{
		Region: region, Principals: s.iam, SettleAfter: 100 * time.Millisecond, Changed: s.deliveries.touched,
		GatewayURL: func(id string) string { return s.url + gateway.Path(id) },
	})
	dataPlane := gateway.New(gateway.Config{
		Gateways: agentCore, Verifier: verifier, Decider: decider, Principals: s.iam, Functions: functions, Region: region,
	})
	routes := http.NewServeMux()
	routes.Handle("/", control.New(agentCore, verifier, decider, nil))
	routes.Handle("/gateway/", dataPlane)
	return &cloud.Front{
		Services: map[string]http.Handler{
			"bedrock-agentcore": routes,
			"sts":               control.Identity(verifier, http.NotFoundHandler()),
		},
		Rest: routes,
	}
}

// product wires the handlers to the tables' streams and to the bus, as
// template.yaml does in AWS.
func (s *stage) product(log *slog.Logger) error {
	config, err := s.config("arn:aws:iam::"+accountA+":role/GatewayGrantsRole", "gateway-grants")
	if err != nil {
		return err
	}
	config.AppID = handler.AppID
	gateways := agentcore.New(config, agentcore.Deployment{PolicyRate: 1000}) // nothing throttles here
	reconciler := reconcile.New(reconcile.Dependencies{
		Gateways: gateways, Grants: s.grants, Directory: s.accounts, States: s.states, Notices: s.deliveries, Now: time.Now, Log: log,
	}, plan.DefaultLimits())
	metrics := uncounted{}

	f := functions{
		gatewayEvents: function("gateway-events", (&handler.GatewayEvents{Reconciler: reconciler, Probes: s.states, Now: time.Now, Log: log, Metrics: metrics}).Handle),
		organization: function("organization", (&handler.Organization{
			Directory: dirsync.New(s.organization, s.accounts, s.grants, time.Now), Notices: s.deliveries, Probes: s.states,
			Now: time.Now, Log: log, Metrics: metrics,
		}).Handle),
		sweep: function("sweep", (&handler.Sweep{
			States: s.states, Gateways: gateways, Requests: s.deliveries, Now: time.Now, Log: log, Metrics: metrics,
		}).Handle),
		tableChanges: function("table-changes", (&handler.TableChanges{
			Reconciler: reconciler, Grants: s.grants, Requests: s.deliveries, History: s.states, Notices: s.deliveries,
			GrantsTable: grantsTable, AccountsTable: accountsTable, Now: time.Now, Log: log, Metrics: metrics,
		}).Handle),
	}
	if err := s.deliveries.connect(f); err != nil {
		return err
	}
	s.grants.Changes(s.deliveries.follow(grantsTable, f.tableChanges))
	s.accounts.Changes(s.deliveries.follow(accountsTable, f.tableChanges))
	s.organization.Listen(func(event json.RawMessage) { s.deliveries.bus.Put(context.Background(), event) })
	if err := errors.Join(s.grants.PutSentinel(context.Background()), s.accounts.PutListSentinels(context.Background())); err != nil {
		return fmt.Errorf("put the sentinels: %w", err)
	}
	return nil
}

// function runs a function's body as Lambda would: JSON in, JSON out.
func function(name string, body any) lambda.Function {
	return lambda.NewInProcess(lambda.Settings{ARN: functionARN(name), Timeout: 30 * time.Second}, awslambda.NewHandler(body))
}

func functionARN(name string) string {
	return "arn:aws:lambda:" + region + ":" + accountA + ":function:" + name
}

type uncounted struct{}

func (uncounted) Emit(context.Context, string, map[string]int) {}

// settle returns when everything that was set in motion has ended.
func (s *stage) settle() error { return s.deliveries.work.Wait() }

// cast makes the accounts and roles of the story, each role with what its own
// side allows.
func (s *stage) cast() error {
	everything := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	invokeGateways := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"bedrock-agentcore:InvokeGateway","Resource":"*"}]}`
	invokeEcho := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"lambda:InvokeFunction","Resource":"` + echoARN + `"}]}`
	keepPolicies := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[` +
		`"bedrock-agentcore:ListGateways","bedrock-agentcore:GetGateway","bedrock-agentcore:ListTagsForResource",` +
		`"bedrock-agentcore:GetResourcePolicy","bedrock-agentcore:PutResourcePolicy","bedrock-agentcore:DeleteResourcePolicy"],"Resource":"*"}]}`
	for _, role := range []struct{ account, name, trusted, allowed string }{
		{accountA, "AdminRole", "", everything},
		{accountA, "AgentCoreGatewayServiceRole", "bedrock-agentcore.amazonaws.com", invokeEcho},
		{accountA, "GatewayGrantsRole", "lambda.amazonaws.com", keepPolicies},
		{accountB, "AdminRole", "", everything},
		{accountB, "AgentRole", "", invokeGateways},
		{accountB, "ReportRole", "", invokeGateways},
	} {
		if err := s.role(role.account, role.name, role.trusted, role.allowed); err != nil {
			return err
		}
	}
	return nil
}

// role makes a role that the account, or a service, may assume.
func (s *stage) role(account, name, service, allowed string) error {
	trusted := &policy.Principals{AWS: []string{account}}
	if service != "" {
		trusted = &policy.Principals{Service: []string{service}}
	}
	trust := &policy.Document{Version: policy.Version2012, Statements: []policy.Statement{
		{Effect: policy.Allow, Principal: trusted, Action: []string{"sts:AssumeRole"}},
	}}
	document, err := policy.Parse([]byte(allowed))
	if err != nil {
		return fmt.Errorf("read the policy of role %s: %w", name, err)
	}
	if err := s.iam.AddAccount(account); err != nil {
		return fmt.Errorf("add account %s: %w", account, err)
	}
	made, err := s.iam.CreateRole(account, "/", name, trust)
	if err != nil {
		return fmt.Errorf("make role %s: %w", name, err)
	}
	if err := s.iam.PutPolicy(made.ARN, "inline", document); err != nil {
		return fmt.Errorf("allow role %s: %w", name, err)
	}
	return nil
}

// config makes AWS clients that act as a session of the role.
func (s *stage) config(roleARN, session string) (aws.Config, error) {
	key, err := s.iam.StartSession(roleARN, session, time.Hour)
	if err != nil {
		return aws.Config{}, fmt.Errorf("start a session of %s: %w", roleARN, err)
	}
	return aws.Config{
		Region:       region,
		BaseEndpoint: aws.String(s.url),
		Credentials:  credentials.NewStaticCredentialsProvider(key.ID, key.Secret, key.SessionToken),
	}, nil
}
