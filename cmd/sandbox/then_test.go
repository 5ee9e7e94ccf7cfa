package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
)

func TestASandboxIsReadyWhenWhatIsToRunThenHasRun(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "OFTHEUSER") // keys come before profiles
	said := filepath.Join(t.TempDir(), "said")
	python := cloudtest.Python(t)
	s, err := launch(python, t.TempDir(), "--then", filepath.Join(filepath.Dir(python), "aws")+" sts get-caller-identity --query Arn >"+said)
	if err != nil {
		t.Fatalf("%v\n%s", err, s.stderr)
	}
	defer func() {
		if err := s.end(os.Interrupt); err != nil {
			t.Error(err)
		}
	}()
	if who, err := os.ReadFile(said); err != nil || !strings.Contains(string(who), accountA+":assumed-role/AdminRole/") {
		t.Errorf("it ran as %s (%v)", who, err)
	}
}

func TestASandboxFailsWithWhatIsToRunThen(t *testing.T) {
	s, err := launch(cloudtest.Python(t), t.TempDir(), "--then", "echo because >&2; exit 3")
	if err == nil {
		t.Fatal("it is ready")
	}
	if said := s.stderr.String(); !strings.Contains(said, "because\n") || !strings.Contains(said, `sandbox: running "echo because >&2; exit 3": exit status 3`) {
		t.Errorf("it says %q", said)
	}
}

func TestInterruptedSandboxEndsItsProcesses(t *testing.T) {
	python := cloudtest.Python(t)
	file := filepath.Join(t.TempDir(), "pid")
	functions, err := builtFunctions()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(os.Args[0], "up", "--port", "0", "--dir", t.TempDir(), "--functions", functions, "--template", "../../template.yaml", "--python", python,
		"--then", "sleep 600 & echo $! >"+file+".new; mv "+file+".new "+file+"; wait")
	command.Env = append(os.Environ(), asSandbox+"=1")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	var pid string
	eventually(t, "it runs", func() bool {
		text, err := os.ReadFile(file)
		pid = strings.TrimSpace(string(text))
		return err == nil
	})
	if err := command.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); err != nil {
		t.Errorf("it was asked to stop, and says %v", err)
	}
	eventually(t, "what was started has ended", func() bool { return exec.Command("kill", "-0", pid).Run() != nil })
}
