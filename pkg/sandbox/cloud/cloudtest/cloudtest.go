// Package cloudtest gives tests the servers of package cloud. What is missing on
// the machine skips the test with one line, and fails it when CI is set.
package cloudtest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud"
)

// Python returns an interpreter that has what .ci/requirements.txt lists:
// $GATEWAY_GRANTS_PYTHON, else the repository's .venv that `make test` sets up.
func Python(t testing.TB) string {
	t.Helper()
	NeedsProcesses(t)
	if python := os.Getenv("GATEWAY_GRANTS_PYTHON"); python != "" {
		return python
	}
	venv := filepath.Join(Repository(t), ".venv")
	if _, err := os.Stat(filepath.Join(venv, "ready")); err != nil {
		Missing(t, "no virtual environment: run `make .venv/ready`, or set GATEWAY_GRANTS_PYTHON")
	}
	return filepath.Join(venv, "bin", "python")
}

// Moto starts a moto server that is stopped when the test ends.
func Moto(t testing.TB) *cloud.Moto {
	t.Helper()
	return MotoWith(t, cloud.Options{})
}

// MotoWith starts a moto server with options, of which it sets Python and Log.
func MotoWith(t testing.TB, options cloud.Options) *cloud.Moto {
	t.Helper()
	options.Python, options.Log = Python(t), filepath.Join(t.TempDir(), "moto.log")
	moto, err := cloud.StartMoto(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	stopAfter(t, moto.Stop)
	return moto
}

// Repository returns the directory of the module's go.mod.
func Repository(t testing.TB) string {
	t.Helper()
	directory, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(directory, "go.mod")); err == nil {
			return directory
		}
		if parent := filepath.Dir(directory); parent != directory {
			directory = parent
			continue
		}
		t.Fatal("no go.mod in any parent directory: run the tests inside the repository")
	}
}

// NeedsProcesses leaves a test that starts programs outside Go, or builds functions,
// out of `go test -short`, which `make check` runs. `make test` runs it.
func NeedsProcesses(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts processes: run by make test, not with -short")
	}
}

// Missing skips the test for want of something on the machine, or fails it when
// CI is set.
func Missing(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

func stopAfter(t testing.TB, stop func() error) {
	t.Helper()
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}
