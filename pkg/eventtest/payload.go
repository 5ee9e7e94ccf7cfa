// Package eventtest reads the payloads of events/ for tests.
package eventtest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Payload reads events/NAME.json.
func Payload(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(folder(t), name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Names lists the payloads, sorted. There is at least one.
func Names(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder(t), "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d payloads, %v", len(files), err)
	}
	names := make([]string, len(files))
	for i, file := range files {
		names[i] = strings.TrimSuffix(filepath.Base(file), ".json")
	}
	slices.Sort(names)
	return names
}

// folder is events/ beside the go.mod above the directory of the running test.
func folder(t testing.TB) string {
	t.Helper()
	for at := "."; len(at) < 100; at = filepath.Join("..", at) {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return filepath.Join(at, "events")
		}
	}
	t.Fatal("no go.mod above the directory of the test")
	return ""
}
