package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/policy/simulate"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
)

// It stands in the last file of the package, so that it runs after all tests that
// real clients took part in.
func TestAnIndependentEvaluatorDecidesAlikeWhatRealClientsAsked(t *testing.T) {
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
