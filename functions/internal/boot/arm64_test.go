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
	cases := map[string]struct{ payload, context, want string }{
		"echo":          {string(payload(t, "echo-arguments")), string(payload(t, "echo-client-context")), `{"message":"Hello from account B"}`},
		"table-changes": {`{"Records":[]}`, "", `{"batchItemFailures":[]}`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var log logged
			process := start(t, name, emulated(t, deployable(t, "arm64", "../../"+name)), credentials, &log)
			var context []byte
			if c.context != "" {
				context = []byte(c.context)
			}
			result, err := process.Invoke(t.Context(), []byte(c.payload), context)
			if err != nil {
				t.Fatal(err)
			}
			process.Stop()
			if got := string(result.Payload); got != c.want {
				t.Errorf("got %s %s, want %s\n%s", result.FunctionError, got, c.want, log.String())
			}
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
