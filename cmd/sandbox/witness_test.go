package main

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/policy/simulate"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
)

// It stands in the last file of the package, so that it runs after all tests that
// real clients took part in.
func TestIndependentEvaluatorAgrees(t *testing.T) {
	if shared.sandbox == nil {
		standInFor(t) // alone, it has only the functions' own calls to look at
	}
	file, err := os.Open(filepath.Join(shared.directory, "logs", "decisions.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	calls, ours, err := iam.ReadDecisions(file)
	if err != nil {
		t.Fatal(err)
	}
	calls, ours = worthAsking(calls, ours)
	denied := 0
	for i, theirs := range simulate.New(t).Decide(calls) {
		if simulate.OutcomeOf(ours[i]) != theirs {
			t.Errorf("they say %s, the stand-in %s:\n%s", theirs, ours[i].Reason, simulate.Describe(calls[i]))
		}
		if !ours[i].Allowed {
			denied++
		}
	}
	t.Logf("%d decisions, %d of them denials", len(calls), denied)
}

// worthAsking leaves out what differs from another call in nothing but the time, and
// what the simulator takes for something else: a REST operation that the stand-in has
// no name for, asked for by its method and path, and a stack by name, whose id is any.
func worthAsking(calls []policy.Call, decisions []policy.Decision) ([]policy.Call, []policy.Decision) {
	var asked []policy.Call
	var decided []policy.Decision
	seen := map[string]bool{}
	for i := range calls {
		alike := calls[i]
		alike.Context = maps.Clone(alike.Context)
		for _, key := range []string{"aws:CurrentTime", "aws:EpochTime", "aws:UserAgent"} {
			delete(alike.Context, key)
		}
		description := simulate.Describe(alike)
		if seen[description] || strings.Contains(alike.Action, "(") || alike.Resource != "*" && strings.Contains(alike.Resource, "*") {
			continue
		}
		seen[description] = true
		asked, decided = append(asked, calls[i]), append(decided, decisions[i])
	}
	return asked, decided
}
