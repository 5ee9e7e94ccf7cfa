package demo_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/gateway-grants/gateway-grants/cmd/sandbox/demo"
	"github.com/gateway-grants/gateway-grants/pkg/policy/simulate"
	"github.com/gateway-grants/gateway-grants/pkg/sandbox/iam"
)

func TestTheWholeStoryEndsAsItShould(t *testing.T) {
	functions := t.TempDir()
	build := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", filepath.Join(functions, "echo", "bootstrap"), "../../../functions/echo")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	var decisions bytes.Buffer
	if err := demo.Play(t.Context(), demo.Options{Functions: functions, Out: t.Output(), Log: log, Decisions: &decisions}); err != nil {
		text, _ := os.ReadFile(log.Name())
		t.Errorf("%v\nthe product's log:\n%s", err, text)
	}

	t.Run("and an independent evaluator decides every call alike", func(t *testing.T) {
		calls, ours, err := iam.ReadDecisions(&decisions)
		if err != nil || len(calls) < 50 {
			t.Fatalf("%d decisions, %v", len(calls), err)
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
		if denied < 4 {
			t.Errorf("only %d denials", denied)
		}
	})
}
