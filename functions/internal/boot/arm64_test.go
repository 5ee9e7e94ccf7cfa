package boot_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
)

// What is deployed by default is for another processor than most of us have.
func TestAFunctionBuiltForArm64Answers(t *testing.T) {
	for _, name := range []string{"echo", "table-changes"} {
		t.Run(name, func(t *testing.T) {
			answers(t)[name].isGiven(t, name, emulated(t, deployable(t, "arm64", "../../"+name)))
		})
	}
}

// emulated is a program that runs the arm64 one, on whatever processor there is.
func emulated(t *testing.T, path string) string {
	t.Helper()
	if runtime.GOARCH == "arm64" {
		return path
	}
	emulator := filepath.Join(cloudtest.Repository(t), ".ci", "qemu", "qemu-aarch64-static")
	if _, err := os.Stat(emulator); err != nil {
		if emulator, err = exec.LookPath("qemu-aarch64-static"); err != nil {
			cloudtest.Missing(t, "no qemu-aarch64-static: run `make .ci/qemu/ready`, or install qemu-user-static")
		}
	}
	script := filepath.Join(t.TempDir(), "bootstrap")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nexec '"+emulator+"' '"+path+"'\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return script
}
