package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/lambda"
)

// function is one of the product's functions, as a deployment would configure it.
type function struct {
	name    string
	timeout time.Duration
	policy  string // of its role
}

// basic is what each function's role needs before it does anything.
const basic = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"logs:*","Resource":"*"}]}`

// reconciling is what a function needs that reconciles gateways.
const reconciling = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["dynamodb:*","events:PutEvents",` +
	`"bedrock-agentcore:GetGateway","bedrock-agentcore:ListGateways","bedrock-agentcore:ListTagsForResource",` +
	`"bedrock-agentcore:GetResourcePolicy","bedrock-agentcore:PutResourcePolicy","bedrock-agentcore:DeleteResourcePolicy"],"Resource":"*"}]}`

const reading = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["dynamodb:*","events:PutEvents","organizations:*",` +
	`"bedrock-agentcore:GetGateway","bedrock-agentcore:ListGateways","bedrock-agentcore:ListTagsForResource"],"Resource":"*"}]}`

func productFunctions() []function {
	return []function{
		{"table-changes", time.Minute, reconciling},
		{"gateway-events", time.Minute, reconciling},
		{"organization", 5 * time.Minute, reading},
		{"sweep", 15 * time.Minute, reading},
		{"echo", 3 * time.Second, basic},
	}
}

// atOnce is how many calls of one function run at the same time.
const atOnce = 2

// running are the functions' processes.
type running struct {
	processes map[string]*lambda.Process
	logs      []*os.File
}

// startFunctions makes each function callable as a real process, under its name,
// in account A, with a role of its own. The executables are those of `make local`.
func startFunctions(ctx context.Context, s *standIn, h *home, executables, endpoint string) (*running, error) {
	r := &running{processes: map[string]*lambda.Process{}}
	for _, f := range productFunctions() {
		if err := r.start(ctx, f, s, h, executables, endpoint); err != nil {
			return nil, errors.Join(err, r.stop())
		}
	}
	return r, nil
}

func (r *running) start(ctx context.Context, f function, s *standIn, h *home, executables, endpoint string) error {
	path, err := filepath.Abs(filepath.Join(executables, f.name, "bootstrap"))
	if err != nil {
		return fmt.Errorf("finding function %s: %w", f.name, err)
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("function %s is not built: run `make local`, or name its directory with --functions: %w", f.name, err)
	}
	role, err := createRole(ctx, s.moto, accountA, "gateway-grants-"+f.name, trusting(`{"Service":"lambda.amazonaws.com"}`), f.policy)
	if err != nil {
		return err
	}
	key, err := s.identities.StartSession(ctx, role, f.name, session)
	if err != nil {
		return fmt.Errorf("starting the session of function %s: %w", f.name, err)
	}
	log, err := os.OpenFile(h.log(f.name), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening the log of function %s: %w", f.name, err)
	}
	r.logs = append(r.logs, log)
	arn := functionARN(f.name)
	process := lambda.NewProcess(lambda.Bootstrap{
		Settings: lambda.Settings{ARN: arn, Timeout: f.timeout, Concurrency: atOnce, Log: log},
		Path:     path,
		Env: map[string]string{
			"AWS_ACCESS_KEY_ID": key.ID, "AWS_SECRET_ACCESS_KEY": key.Secret, "AWS_SESSION_TOKEN": key.SessionToken,
			"AWS_ENDPOINT_URL": endpoint,
			"OWNER_ACCOUNTS":   accountA,
			"POLICY_CALL_RATE": "100", // nobody throttles here
			"SWEEP_MINUTES":    "5",
		},
	})
	r.processes[f.name] = process
	s.functions.Register(arn, process)
	return nil
}

func (r *running) stop() error {
	var err error
	for _, process := range r.processes {
		process.Stop()
	}
	for _, log := range r.logs {
		err = errors.Join(err, log.Close())
	}
	return err
}

func functionARN(name string) string {
	return "arn:aws:lambda:" + region + ":" + accountA + ":function:" + name
}
