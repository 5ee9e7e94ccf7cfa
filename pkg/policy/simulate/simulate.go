// Package simulate has calls decided by @cloud-copilot/iam-simulate, an
// independent policy evaluator, in a process of its own. It is for tests.
package simulate

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// Outcome is a decision in the simulator's words.
type Outcome string

// The outcomes.
const (
	Allowed          Outcome = "Allowed"
	ExplicitlyDenied Outcome = "ExplicitlyDenied"
	ImplicitlyDenied Outcome = "ImplicitlyDenied"
)

// OutcomeOf puts a decision of ours in the simulator's words.
func OutcomeOf(d policy.Decision) Outcome {
	switch {
	case d.Allowed:
		return Allowed
	case d.Reason == policy.ExplicitDeny:
		return ExplicitlyDenied
	default:
		return ImplicitlyDenied
	}
}

// multivalued are the condition keys that hold several values.
var multivalued = []string{"aws:PrincipalOrgPaths", "aws:TagKeys"}

//go:embed simulate.mjs
var driver string

// Simulator decides calls.
type Simulator struct {
	t        testing.TB
	node     string
	manifest string
}

// New finds the simulator. Where it is not installed the test is skipped, but
// never in CI.
func New(t testing.TB) *Simulator {
	t.Helper()
	if testing.Short() {
		t.Skip("the simulator is a process: run by make test, not with -short")
	}
	missing := t.Skipf
	if os.Getenv("CI") != "" {
		missing = t.Fatalf
	}
	_, file, _, _ := runtime.Caller(0)
	root := filepath.Join(filepath.Dir(file), "..", "..", "..")
	manifest := filepath.Join(root, ".ci", "package.json")
	if _, err := os.Stat(filepath.Join(root, ".ci", "node_modules", "@cloud-copilot", "iam-simulate")); errors.Is(err, fs.ErrNotExist) {
		missing("@cloud-copilot/iam-simulate is not installed: run npm ci in .ci")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		missing("node is not installed: %v", err)
	}
	return &Simulator{t: t, node: node, manifest: manifest}
}

// Decide decides the calls, in their order. A call that the simulator cannot
// decide fails the test.
func (s *Simulator) Decide(calls []policy.Call) []Outcome {
	s.t.Helper()
	var input bytes.Buffer
	encoder := json.NewEncoder(&input)
	for _, call := range calls {
		if err := encoder.Encode(simulationOf(call)); err != nil {
			s.t.Fatal(err)
		}
	}
	script := filepath.Join(s.t.TempDir(), "simulate.mjs")
	if err := os.WriteFile(script, []byte(driver), 0o600); err != nil {
		s.t.Fatal(err)
	}
	command := exec.CommandContext(s.t.Context(), s.node, script, s.manifest)
	command.Stdin = &input
	command.Stderr = os.Stderr
	output, err := command.Output()
	if err != nil {
		s.t.Fatalf("running the simulator: %v", err)
	}
	return s.outcomes(calls, output)
}

// outcomes reads the simulator's answers, one for each call.
func (s *Simulator) outcomes(calls []policy.Call, output []byte) []Outcome {
	s.t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(output))
	results := make([]Outcome, len(calls))
	for i, call := range calls {
		var answer struct {
			Result  Outcome  `json:"result"`
			Ignored []string `json:"ignored"`
			Problem string   `json:"problem"`
		}
		if err := decoder.Decode(&answer); err != nil {
			s.t.Fatalf("the answer to case %d of %d: %v", i, len(calls), err)
		}
		if answer.Problem != "" || len(answer.Ignored) > 0 {
			s.t.Fatalf("case %d is no valid one: %s, ignored keys: %v\n%s", i, answer.Problem, answer.Ignored, Describe(call))
		}
		results[i] = answer.Result
	}
	return results
}

// Describe is the call as the simulator takes it.
func Describe(call policy.Call) string {
	text, err := json.MarshalIndent(simulationOf(call), "", " ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Context is the call's context with what AWS adds about the caller, worked out
// here once more so that the evaluator's own filling-in is tested too.
func Context(call policy.Call) map[string][]string {
	context := map[string][]string{"aws:ResourceAccount": {resourceAccount(call)}}
	add := func(key, value string) {
		if value != "" {
			context[key] = []string{value}
		}
	}
	caller := call.Caller
	add("aws:PrincipalArn", caller.PrincipalARN)
	add("aws:PrincipalAccount", caller.Account)
	switch caller.Kind {
	case policy.RootUser:
		add("aws:PrincipalType", "Account")
		add("aws:userid", caller.Account)
	case policy.IAMUser:
		add("aws:PrincipalType", "User")
		add("aws:username", last(caller.PrincipalARN))
		add("aws:userid", caller.UniqueID)
	case policy.RoleSession:
		add("aws:PrincipalType", "AssumedRole")
		if caller.UniqueID != "" {
			add("aws:userid", caller.UniqueID+":"+last(caller.SessionARN))
		}
	case policy.Anonymous:
		add("aws:PrincipalType", "Anonymous")
		add("aws:userid", "anonymous")
	case policy.ServiceCaller:
	}
	maps.Copy(context, call.Context)
	return context
}

// resourceAccount is the account that owns the resource: the one given, or that
// of its ARN.
func resourceAccount(call policy.Call) string {
	if part := strings.SplitN(call.Resource, ":", 6); call.ResourceAccount == "" && len(part) == 6 {
		return part[4]
	}
	return call.ResourceAccount
}

func last(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

// simulation is a case as the simulator takes it.
type simulation struct {
	Request struct {
		Principal any    `json:"principal"`
		Action    string `json:"action"`
		Resource  struct {
			Resource  string `json:"resource"`
			AccountID string `json:"accountId"`
		} `json:"resource"`
		Context map[string]any `json:"contextVariables"`
	} `json:"request"`
	Identity       []namedPolicy    `json:"identityPolicies"`
	SCPs           []levelPolicies  `json:"serviceControlPolicies"`
	RCPs           []levelPolicies  `json:"resourceControlPolicies"`
	ResourcePolicy *policy.Document `json:"resourcePolicy,omitempty"`
	Boundary       []namedPolicy    `json:"permissionBoundaryPolicies,omitempty"`
}

type namedPolicy struct {
	Name   string           `json:"name"`
	Policy *policy.Document `json:"policy"`
}

type levelPolicies struct {
	Level    string        `json:"orgIdentifier"`
	Policies []namedPolicy `json:"policies"`
}

func named(documents ...*policy.Document) []namedPolicy {
	list := []namedPolicy{}
	for i, d := range documents {
		list = append(list, namedPolicy{fmt.Sprintf("p%d", i), d})
	}
	return list
}

func simulationOf(call policy.Call) simulation {
	s := simulation{Identity: named(call.Identity...), SCPs: []levelPolicies{}, RCPs: []levelPolicies{}, ResourcePolicy: call.ResourcePolicy}
	s.Request.Action = call.Action
	s.Request.Resource.Resource, s.Request.Resource.AccountID = call.Resource, resourceAccount(call)
	s.Request.Principal = call.Caller.String()
	switch call.Caller.Kind {
	case policy.Anonymous:
		s.Request.Principal = map[string]string{"type": "Anonymous"}
	case policy.RootUser: // the simulator does not know that a root user has full access
		s.Identity = named(&policy.Document{Version: policy.Version2012, Statements: []policy.Statement{
			{Effect: policy.Allow, Action: []string{"*"}, Resource: []string{"*"}},
		}})
	case policy.IAMUser, policy.RoleSession, policy.ServiceCaller:
	}
	s.Request.Context = map[string]any{}
	for key, held := range Context(call) {
		s.Request.Context[key] = held[0]
		for _, name := range multivalued {
			if strings.EqualFold(name, key) {
				s.Request.Context[key] = held
			}
		}
	}
	for i, level := range call.SCPs {
		s.SCPs = append(s.SCPs, levelPolicies{fmt.Sprintf("ou-%d", i), named(level...)})
	}
	if call.Boundary != nil {
		s.Boundary = named(call.Boundary)
	}
	return s
}
