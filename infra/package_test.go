package infra

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// release packs a version of what this test says was built, in a copy of what it needs.
func release(t *testing.T, out string) map[string][]byte {
	t.Helper()
	copied := t.TempDir()
	for _, name := range []string{".ci", "CHANGELOG.md", "LICENSE", "docs", "go.mod", "go.sum", "infra", "template.yaml"} {
		path, err := filepath.Abs(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(copied, name)); err != nil {
			t.Fatal(err)
		}
	}
	for id := range read(t, "../template.yaml").of("AWS::Serverless::Function") {
		for _, architecture := range []string{"arm64", "amd64"} {
			zip := filepath.Join(copied, "build", "linux-"+architecture, functionDirectory(id)+".zip")
			if err := os.MkdirAll(filepath.Dir(zip), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(zip, []byte(architecture+id), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	command := exec.Command("go", "run", ".ci/package.go", out, "1.2.3")
	command.Dir = copied
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	files := map[string][]byte{}
	err := filepath.WalkDir(out, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(out, path)
		if err == nil {
			files[name], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// functionDirectory is that of a logical id, as the Makefile names it.
func functionDirectory(id string) string {
	return map[string]string{
		"TableChangesFunction": "table-changes", "GatewayEventsFunction": "gateway-events", "OrganizationFunction": "organization",
		"SweepFunction": "sweep", "EchoFunction": "echo",
	}[id]
}

func TestAReleaseIsWholeSummedAndTheSameTwice(t *testing.T) {
	out := filepath.Join(t.TempDir(), "release")
	files := release(t, out)
	template := read(t, filepath.Join(out, "template.yaml"))
	functions := template.of("AWS::Serverless::Function")
	if len(functions) != 5 {
		t.Fatalf("the template has the functions %v", functions)
	}
	for id, function := range functions {
		if got := at(function.Properties, "CodeUri", "Bucket"); got != "${CodeBucket}" {
			t.Errorf("the code of %s is in the bucket %v", id, got)
		}
		key, _ := at(function.Properties, "CodeUri", "Key").(string)
		for _, architecture := range []string{"arm64", "x86_64"} {
			name := strings.NewReplacer("${CodePrefix}", "", "${Architecture}", architecture).Replace(key)
			if want := map[string]string{"arm64": "arm64", "x86_64": "amd64"}[architecture] + id; string(files[name]) != want {
				t.Errorf("%s is deployed from %s, which holds %q", id, name, files[name])
			}
		}
	}
	if at(template.Parameters["CodePrefix"], "Default") != "gateway-grants-1.2.3/" || at(template.Outputs["Version"], "Value") != "1.2.3" {
		t.Errorf("the version is in neither the keys nor the outputs: %v", template.Outputs["Version"])
	}
	source := read(t, "../template.yaml")
	for id := range source.Resources {
		if _, kept := template.Resources[id]; !kept {
			t.Errorf("the packaged template lacks %s", id)
		}
	}

	summed := map[string]bool{"SHA256SUMS": true}
	for line := range strings.Lines(string(files["SHA256SUMS"])) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		summed[name] = true
		if want := fmt.Sprintf("%x", sha256.Sum256(files[name])); sum != want {
			t.Errorf("the sum of %s is %s, want %s", name, sum, want)
		}
	}
	for name := range files {
		if !summed[name] {
			t.Errorf("%s has no sum", name)
		}
	}

	again := release(t, filepath.Join(t.TempDir(), "again"))
	for name, content := range files {
		if !bytes.Equal(again[name], content) {
			t.Errorf("%s is another one the second time", name)
		}
	}
}
