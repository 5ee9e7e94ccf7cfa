package demo_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/gateway-grants/gateway-grants/cmd/sandbox/demo"
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
	defer log.Close() //nolint:errcheck // read below
	if err := demo.Play(t.Context(), demo.Options{Functions: functions, Out: t.Output(), Log: log}); err != nil {
		text, _ := os.ReadFile(log.Name())
		t.Errorf("%v\nthe product's log:\n%s", err, text)
	}
}
