// Package infra holds the stacks to the code that they deploy. There is nothing
// else in it.
package infra

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// python runs a program of this directory, which needs the virtual environment of the tests.
func python(t *testing.T, input, into any, args ...string) {
	t.Helper()
	if testing.Short() {
		t.Skip("reads stacks in Python: run by make test, not with -short")
	}
	const interpreter = "../.venv/bin/python"
	if _, err := os.Stat(interpreter); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%v: run `make .venv/ready`", err)
		}
		t.Skipf("%v: run `make .venv/ready`", err)
	}
	raw, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(interpreter, args...)
	command.Stdin = bytes.NewReader(raw)
	var said bytes.Buffer
	command.Stderr = &said
	output, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, said.String())
	}
	if err := json.Unmarshal(output, into); err != nil {
		t.Fatal(err)
	}
}

// stack is a CloudFormation stack, as far as the tests look at it.
type stack struct {
	Parameters map[string]any
	Conditions map[string]any
	Resources  map[string]resource
	Outputs    map[string]any
}

type resource struct {
	Type, Condition, DeletionPolicy, UpdateReplacePolicy string

	Metadata, Properties map[string]any
}

// read reads a stack, with every intrinsic function as text: ${Logical} and
// ${Logical.Attribute} for what refers to a resource or parameter, and the first
// choice of an If.
func read(t *testing.T, path string) stack {
	t.Helper()
	if s, known := stacksRead[path]; known {
		return s
	}
	var raw any
	python(t, nil, &raw, "read.py", "stack", path)
	plain, err := json.Marshal(plainly(raw))
	if err != nil {
		t.Fatal(err)
	}
	var s stack
	if err := json.Unmarshal(plain, &s); err != nil {
		t.Fatal(err)
	}
	stacksRead[path] = s
	return s
}

// stacksRead are the stacks by path: reading one takes a second. No test runs in
// parallel, or changes one.
var stacksRead = make(map[string]stack)

func plainly(value any) any {
	switch value := value.(type) {
	case []any:
		plain := make([]any, len(value))
		for i, element := range value {
			plain[i] = plainly(element)
		}
		return plain
	case map[string]any:
		if len(value) == 1 {
			for name, argument := range value {
				if text, is := intrinsic(name, argument); is {
					return text
				}
			}
		}
		plain := make(map[string]any, len(value))
		for name, element := range value {
			plain[name] = plainly(element)
		}
		return plain
	default:
		return value
	}
}

func intrinsic(name string, argument any) (plain any, is bool) {
	switch list, _ := argument.([]any); name {
	case "Ref":
		return "${" + argument.(string) + "}", true
	case "Fn::GetAtt":
		return "${" + list[0].(string) + "." + list[1].(string) + "}", true
	case "Fn::Sub":
		return argument, true
	case "Fn::If":
		return plainly(list[1]), true
	case "Fn::Join":
		return plainly(list[1]), true
	default:
		return nil, false
	}
}

// of lists the resources of a type, by logical id.
func (s stack) of(kind string) map[string]resource {
	all := maps.Clone(s.Resources)
	maps.DeleteFunc(all, func(_ string, r resource) bool { return r.Type != kind })
	return all
}

// at walks down maps.
func at(value any, path ...string) any {
	for _, name := range path {
		members, _ := value.(map[string]any)
		value = members[name]
	}
	return value
}

// texts is a string or a list of them.
func texts(value any) []string {
	if text, is := value.(string); is {
		return []string{text}
	}
	list, _ := value.([]any)
	all := make([]string, 0, len(list))
	for _, element := range list {
		text, _ := element.(string)
		all = append(all, text)
	}
	return all
}

func stacks(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("stacks %v: %v", paths, err)
	}
	return append(paths, "../template.yaml")
}

// A resource policy that a stack owns replaces the whole document whenever the
// stack is deployed, and ends with it.
func TestNoStackOwnsAResourcePolicy(t *testing.T) {
	for _, path := range stacks(t) {
		if s := read(t, path); len(s.of("AWS::BedrockAgentCore::ResourcePolicy")) > 0 || len(s.Resources) == 0 {
			t.Errorf("%s owns the policy of a gateway, or nothing at all", path)
		}
	}
}

func TestEveryStackWorksInEveryPartition(t *testing.T) {
	fixed := regexp.MustCompile(`arn:aws[a-z-]*:`)
	for _, path := range stacks(t) {
		resources, err := json.Marshal(read(t, path).Resources)
		if err != nil {
			t.Fatal(err)
		}
		if found := fixed.FindString(string(resources)); found != "" {
			t.Errorf("%s names %s, which is one partition only", path, found)
		}
	}
}

func TestFunctionsAreDeployedFromTheirDirectories(t *testing.T) {
	functions := read(t, "../template.yaml").of("AWS::Serverless::Function")
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	var deployed []string
	for id, function := range functions {
		name := strings.TrimPrefix(function.Properties["FunctionName"].(string), "${Name}-")
		base := strings.TrimSuffix(id, "Function")
		deployed = append(deployed, name)
		if want := "build-" + id + ": build/linux-$(GOARCH_IS)/" + name + "/bootstrap\n"; !strings.Contains(string(makefile), want) {
			t.Errorf("the Makefile does not build %s: want %s", id, want)
		}
		if at(function.Metadata, "BuildMethod") != "makefile" ||
			function.Properties["Role"] != "${"+base+"Role.Arn}" || at(function.Properties, "LoggingConfig", "LogGroup") != "${"+base+"Log}" {
			t.Errorf("%s is not built by make, or has not its own role and log", id)
		}
	}
	slices.Sort(deployed)
	entries, err := os.ReadDir("../functions")
	if err != nil {
		t.Fatal(err)
	}
	var written []string
	for _, entry := range entries {
		if entry.IsDir() && entry.Name() != "internal" {
			written = append(written, entry.Name())
		}
	}
	if !slices.Equal(deployed, written) {
		t.Errorf("deployed %v, written %v", deployed, written)
	}
}

func TestCostsOfReadmeMatchScript(t *testing.T) {
	const interpreter = "../.venv/bin/python"
	if _, err := os.Stat(interpreter); err != nil {
		t.Skipf("%v: run `make .venv/ready`", err)
	}
	table, err := exec.Command(interpreter, "costs.py").Output()
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(readme, table) {
		t.Errorf("the README's table is another than infra/costs.py computes:\n%s", table)
	}
}
