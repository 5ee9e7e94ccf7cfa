package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/grantfile"
)

func example(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheExamplesOfFilesAreValid(t *testing.T) {
	page := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindStringSubmatch(example(t, "grants-file.md"))
	if page == nil {
		t.Fatal("docs/grants-file.md has no file of grants")
	}
	for name, text := range map[string]string{"grants-file.md": page[1], "grants.yaml": example(t, "examples/grants.yaml")} {
		file, err := grantfile.Parse(name, []byte(text))
		if err != nil {
			t.Error(err)
			continue
		}
		if steps, err := file.Changes(nil, true, ""); err != nil || len(steps) != 2 {
			t.Errorf("%s: %v, %v", name, steps, err)
		}
	}
}

var itemOfExample = regexp.MustCompile(`(?s)(?:item = <<ITEM|const item = )\s*(\{.*?\n\})`)

func TestTheExamplesOfItemsAreGrants(t *testing.T) {
	for _, name := range []string{"examples/grants.tf", "examples/grants-stack.ts"} {
		found := itemOfExample.FindStringSubmatch(example(t, name))
		if found == nil {
			t.Errorf("%s has no item", name)
			continue
		}
		var item map[string]any
		if err := json.Unmarshal([]byte(found[1]), &item); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		attributes := grant.Attributes{}
		for attribute, value := range item {
			attributes[attribute] = plainItem(t, value)
		}
		if row := grant.Parse(attributes); row.Fault != nil || row.Grant.Source == "" {
			t.Errorf("%s: %+v", name, row)
		}
	}
}

// plainItem is a value of an item, which names its type.
func plainItem(t *testing.T, value any) any {
	t.Helper()
	for kind, content := range value.(map[string]any) {
		switch kind {
		case "S":
			return content
		case "L":
			list := []any{}
			for _, element := range content.([]any) {
				list = append(list, plainItem(t, element))
			}
			return list
		case "M":
			values := map[string]any{}
			for name, element := range content.(map[string]any) {
				values[name] = plainItem(t, element)
			}
			return values
		}
	}
	t.Fatalf("%v has no type that a grant has", value)
	return nil
}

func TestPipelineExamplesUseValidCommands(t *testing.T) {
	for _, name := range []string{"examples/github-actions.yaml", "examples/github-roles.yaml"} {
		var document map[string]any
		if err := yaml.Unmarshal([]byte(example(t, name)), &document); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	texts := example(t, "examples/github-actions.yaml") + example(t, "grants-file.md")
	lines := regexp.MustCompile(`(?m)^ *gateway-grants ([^#|>\n]*)`).FindAllStringSubmatch(texts, -1)
	if len(lines) < 7 {
		t.Fatalf("%d commands in the examples", len(lines))
	}
	for _, line := range lines {
		args := strings.Fields(strings.ReplaceAll(line[1], "2", "")) // without 2 of 2>&1
		cmd, rest, err := (&program{}).rootCommand().Find(args)
		if err == nil {
			err = cmd.ParseFlags(rest)
		}
		if err != nil || cmd.Name() != args[0] {
			t.Errorf("%q: %v", line[0], err)
		}
	}
}
