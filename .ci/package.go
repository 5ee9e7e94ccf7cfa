//go:build ignore

// Package makes a release: `go run .ci/package.go OUT VERSION` packs what `make build`
// built for each architecture, a template that takes the code of its functions from a
// bucket, the other stacks and what they need, and the sums of all. Same source, same
// bytes. Nothing of it needs Go to be deployed.
package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// architectures are the values of the template's parameter, and where Go's builds are.
var architectures = map[string]string{"arm64": "build/linux-arm64", "x86_64": "build/linux-amd64"}

// beside are the files that go along as they are.
var beside = []string{
	"infra/caller-role.yaml", "infra/gateway.yaml", "infra/organization-events.yaml", "infra/owner-account.yaml",
	"infra/sentinel.json", "infra/trusted-sentinel.json", "infra/owner-sentinel.json",
	"infra/permissions/admin.json", "infra/permissions/auditor.json", "infra/permissions/deploy.json", "docs/operations.md", "CHANGELOG.md", "LICENSE",
}

func main() {
	if len(os.Args) != 3 || !regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z.+-]*$`).MatchString(os.Args[2]) {
		fmt.Fprintln(os.Stderr, "usage: go run .ci/package.go OUT VERSION, where VERSION is letters, digits and .+-")
		os.Exit(2)
	}
	if err := release(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "package:", err)
		os.Exit(1)
	}
}

func release(out, version string) error {
	if err := os.RemoveAll(out); err != nil {
		return err
	}
	text, err := os.ReadFile("template.yaml")
	if err != nil {
		return err
	}
	template, functions, err := packaged(text, version)
	if err != nil {
		return err
	}
	files := map[string][]byte{"template.yaml": template}
	for architecture, directory := range architectures {
		for _, function := range functions {
			if files[architecture+"/"+function+".zip"], err = os.ReadFile(filepath.Join(directory, function+".zip")); err != nil {
				return fmt.Errorf("%w: make build ARCH=%s first", err, architecture)
			}
		}
	}
	for _, path := range beside {
		if files[path], err = os.ReadFile(path); err != nil {
			return err
		}
	}
	return write(out, files)
}

func write(out string, files map[string][]byte) error {
	var sums bytes.Buffer
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(files[name]), name)
	}
	files["SHA256SUMS"] = sums.Bytes()
	for name, content := range files {
		path := filepath.Join(out, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// more are the parameters of a packaged template. Where the code is belongs to who deploys.
const more = `
CodeBucket:
  Type: String
  Description: Bucket, in this Region, that the files of this release are in.
CodePrefix:
  Type: String
  Default: gateway-grants-VERSION/
  AllowedPattern: "([^/].*/)?"
  Description: What their keys begin with, ending in a slash; empty for nothing.
`

// packaged gives every function its code in the bucket, and lists the functions.
// https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-function-functioncode.html
func packaged(text []byte, version string) (template []byte, functions []string, err error) {
	var document, parameters yaml.Node
	if err := errors.Join(
		yaml.Unmarshal(text, &document), yaml.Unmarshal([]byte(strings.ReplaceAll(more, "VERSION", version)), &parameters),
	); err != nil {
		return nil, nil, err
	}
	root := document.Content[0]
	add(field(root, "Parameters"), parameters.Content[0])
	field(field(field(root, "Outputs"), "Version"), "Value").SetString(version)
	drop(field(field(root, "Globals"), "Function"), "CodeUri")
	resources := field(root, "Resources")
	for i := 0; i+1 < len(resources.Content); i += 2 {
		name, resource := resources.Content[i].Value, resources.Content[i+1]
		if kind := field(resource, "Type"); kind.Value != "AWS::Serverless::Function" {
			continue
		}
		drop(field(resource, "Metadata"), "BuildMethod")
		function := directoryOf(name)
		functions = append(functions, function)
		var code yaml.Node
		if err := yaml.Unmarshal([]byte("CodeUri:\n  Bucket: !Ref CodeBucket\n  Key: !Sub ${CodePrefix}${Architecture}/"+function+".zip"), &code); err != nil {
			return nil, nil, err
		}
		add(field(resource, "Properties"), code.Content[0])
	}
	var encoded bytes.Buffer
	encoder := yaml.NewEncoder(&encoded)
	encoder.SetIndent(2)
	if err := errors.Join(encoder.Encode(&document), encoder.Close()); err != nil {
		return nil, nil, err
	}
	return encoded.Bytes(), functions, nil
}

func add(to, fields *yaml.Node) { to.Content = append(to.Content, fields.Content...) }

func field(mapping *yaml.Node, name string) *yaml.Node {
	for i := 0; mapping != nil && i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return mapping.Content[i+1]
		}
	}
	return nil
}

func drop(mapping *yaml.Node, name string) {
	for i := 0; mapping != nil && i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			mapping.Content = slices.Delete(mapping.Content, i, i+2)
			return
		}
	}
}

// directoryOf is where the function of a logical id is: that of TableChangesFunction in
// table-changes, as the Makefile has it.
func directoryOf(function string) string {
	var name strings.Builder
	for i, letter := range strings.TrimSuffix(function, "Function") {
		if unicode.IsUpper(letter) && i > 0 {
			name.WriteByte('-')
		}
		name.WriteRune(unicode.ToLower(letter))
	}
	return name.String()
}
