package policy_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// seedVariable is the environment variable that replays a run.
const seedVariable = "GATEWAY_GRANTS_POLICY_SEED"

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
	s.Request.Resource.Resource, s.Request.Resource.AccountID = call.Resource, call.ResourceAccount
	s.Request.Principal = call.Caller.String()
	switch call.Caller.Kind {
	case policy.Anonymous:
		s.Request.Principal = map[string]string{"type": "Anonymous"}
	case policy.RootUser: // the simulator does not know that a root user has full access
		s.Identity = named(allowAll())
	}
	s.Request.Context = map[string]any{}
	for key, held := range fullContext(call) {
		if kind := kindOf(key); kind == "strings" {
			s.Request.Context[key] = held
		} else {
			s.Request.Context[key] = held[0]
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

func kindOf(name string) string {
	for _, key := range contextKeys {
		if strings.EqualFold(key.name, name) {
			return key.kind
		}
	}
	return ""
}

// TestEvaluateAgreesWithIAMSimulate compares with @cloud-copilot/iam-simulate,
// which runs in a process of its own.
func TestEvaluateAgreesWithIAMSimulate(t *testing.T) {
	simulate := simulator(t)
	cases, seed := 20_000, rand.Uint64()
	if testing.Short() {
		cases = 2_000
	}
	if text := os.Getenv(seedVariable); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s: %v", seedVariable, err)
		}
	}
	t.Logf("replay with %s=%d", seedVariable, seed)

	calls := make([]policy.Call, cases)
	odd := make([][]string, cases)
	for i := range calls {
		g := newGenerator(seed + uint64(i))
		calls[i] = g.makeCall()
		odd[i] = slices.Sorted(maps.Keys(g.oddities))
	}
	verdicts := simulate(calls)

	mix, excused, disagreements := map[string]int{}, map[string]int{}, 0
	for i, call := range calls {
		ours, theirs := policy.Evaluate(call), verdicts[i]
		mix[string(ours.Reason)]++
		if outcome(ours) == theirs {
			continue
		}
		if len(odd[i]) > 0 {
			excused[strings.Join(odd[i], " + ")]++
			continue
		}
		disagreements++
		if disagreements <= 5 {
			t.Errorf("case %d: they say %s; %s\n%s", i, theirs, ours, describe(call))
		}
	}
	t.Logf("%d cases, %d disagreements; decisions: %v; excused: %v", cases, disagreements, mix, excused)
	checkMix(t, cases, mix, excused)
}

// checkMix sees to it that the cases are worth deciding.
func checkMix(t *testing.T, cases int, mix, excused map[string]int) {
	t.Helper()
	for _, reason := range []policy.Reason{
		policy.AllowedByIdentity, policy.AllowedByResource, policy.AllowedByBoth, policy.ExplicitDeny,
		policy.NoIdentityAllow, policy.NoResourceAllow, policy.NoBoundaryAllow, policy.NoSCPAllow,
	} {
		if mix[string(reason)] < cases/100 {
			t.Errorf("only %d of %d cases end in %s", mix[string(reason)], cases, reason)
		}
	}
	sum := 0
	for names, n := range excused {
		sum += n
		for name := range strings.SplitSeq(names, " + ") {
			if _, explained := oddities[name]; !explained {
				t.Errorf("nothing explains %q", name)
			}
		}
	}
	if sum > cases/50 {
		t.Errorf("%d of %d cases are excused", sum, cases)
	}
}

// outcome puts a decision in the simulator's words.
func outcome(d policy.Decision) string {
	switch {
	case d.Allowed:
		return "Allowed"
	case d.Reason == policy.ExplicitDeny:
		return "ExplicitlyDenied"
	}
	return "ImplicitlyDenied"
}

func describe(call policy.Call) string {
	text, err := json.MarshalIndent(simulationOf(call), "", " ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// simulator returns what puts calls to the simulator. Where that is not
// installed the test is skipped, but never in CI.
func simulator(t *testing.T) func(calls []policy.Call) []string {
	t.Helper()
	missing := t.Skipf
	if os.Getenv("CI") != "" {
		missing = t.Fatalf
	}
	manifest, err := filepath.Abs("../../.ci/package.json")
	if err != nil {
		t.Fatal(err)
	}
	module := filepath.Join(filepath.Dir(manifest), "node_modules", "@cloud-copilot", "iam-simulate")
	if _, err := os.Stat(module); errors.Is(err, fs.ErrNotExist) {
		missing("@cloud-copilot/iam-simulate is not installed: run npm ci in .ci")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		missing("node is not installed: %v", err)
	}
	return func(calls []policy.Call) []string {
		t.Helper()
		var input bytes.Buffer
		encoder := json.NewEncoder(&input)
		for _, call := range calls {
			if err := encoder.Encode(simulationOf(call)); err != nil {
				t.Fatal(err)
			}
		}
		command := exec.CommandContext(t.Context(), node, filepath.Join("testdata", "simulate.mjs"), manifest)
		command.Stdin = &input
		command.Stderr = os.Stderr
		output, err := command.Output()
		if err != nil {
			t.Fatalf("running the simulator: %v", err)
		}
		return verdicts(t, calls, output)
	}
}

// verdicts reads the simulator's answers, one for each call.
func verdicts(t *testing.T, calls []policy.Call, output []byte) []string {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(output))
	results := make([]string, len(calls))
	for i, call := range calls {
		var answer struct {
			Result  string   `json:"result"`
			Ignored []string `json:"ignored"`
			Problem string   `json:"problem"`
		}
		if err := decoder.Decode(&answer); err != nil {
			t.Fatalf("the answer to case %d of %d: %v", i, len(calls), err)
		}
		if answer.Problem != "" || len(answer.Ignored) > 0 {
			t.Fatalf("case %d is no valid one: %s, ignored keys: %v\n%s", i, answer.Problem, answer.Ignored, describe(call))
		}
		results[i] = answer.Result
	}
	return results
}
