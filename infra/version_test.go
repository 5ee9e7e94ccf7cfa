package infra

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What is deployed says its version, and nothing else of the template changes.
func TestTheStackSaysTheVersionThatMakeDeploys(t *testing.T) {
	template, err := os.ReadFile("../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if read(t, "../template.yaml").Outputs["Version"] == nil {
		t.Fatal("the template has no output Version")
	}
	script, err := os.ReadFile("stack")
	if err != nil {
		t.Fatal(err)
	}
	_, function, _ := strings.Cut(string(script), "\nnames_version() {")
	function, _, _ = strings.Cut(function, "\n}\n")
	for version, want := range map[string]string{
		"1.2.3":             strings.Replace(string(template), "Value: (devel)", "Value: '1.2.3'", 1),
		"v1.2-4-gabc-dirty": strings.Replace(string(template), "Value: (devel)", "Value: 'v1.2-4-gabc-dirty'", 1),
		"":                  string(template),
	} {
		path := filepath.Join(t.TempDir(), "template.yaml")
		if err := os.WriteFile(path, template, 0o600); err != nil {
			t.Fatal(err)
		}
		command := exec.Command("sh", "-eu", "-c", "names_version() {"+function+"\n}\nnames_version \"$1\"", "sh", path)
		command.Env = append(os.Environ(), "VERSION="+version)
		if output, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, output)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("version %q: %v, and the template is not as it should be", version, err)
		}
	}
}
