package pkg

import (
	"bufio"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The packages that one change of a row runs through, from its stream record to the put
// that is verified. docs/architecture.md follows it.
var (
	// steps act on the change, or decide what becomes of it.
	steps = []string{"pkg/handler", "pkg/reconcile", "pkg/store", "pkg/ledger", "pkg/plan", "pkg/agentcore"}
	// vocabulary is the terms of the steps: types, their parsing and what they mean.
	vocabulary = []string{"pkg/event", "pkg/grant", "pkg/directory", "pkg/policy", "pkg/version"}
)

func TestPathOfOneChange(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the product with coverage: run by make test, not with -short")
	}
	binary := filepath.Join(t.TempDir(), "handler.test")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-covermode=atomic", "-coverpkg="+module+"pkg/...", "-o", binary, "./handler")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	without, with := runsOf(t, binary, "no"), runsOf(t, binary, "yes")
	var crossed []string
	for block, runs := range with {
		file, _, _ := strings.Cut(strings.TrimPrefix(block, module), ":")
		name := path.Dir(file)
		support := within("pkg/sandbox/", name) || within("pkg/store/", name) || name == "pkg/noticetest" || name == "pkg/eventtest"
		if runs > without[block] && !support && !slices.Contains(crossed, name) {
			crossed = append(crossed, name)
		}
	}
	slices.Sort(crossed)
	if want := slices.Sorted(slices.Values(slices.Concat(steps, vocabulary))); !slices.Equal(crossed, want) {
		t.Errorf("one change runs through %v, want %v", crossed, want)
	}
}

// The page names in bold the packages that act on the change.
func TestArchitectureNamesStepsOfOneChange(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## One change")
	section, _, _ = strings.Cut(section, "\n## ")
	var named []string
	for _, match := range regexp.MustCompile("\\*\\*`([a-z]+)`\\*\\*").FindAllStringSubmatch(section, -1) {
		named = append(named, "pkg/"+match[1])
	}
	if want := slices.Sorted(slices.Values(steps)); !slices.Equal(slices.Sorted(slices.Values(named)), want) {
		t.Errorf("docs/architecture.md names %v, want %v", named, want)
	}
}

// runsOf is how often each block of code runs in TestOneChange.
func runsOf(t *testing.T, binary, change string) map[string]int {
	t.Helper()
	profile := filepath.Join(t.TempDir(), "profile")
	command := exec.CommandContext(t.Context(), binary, "-test.run=^TestOneChange$", "-test.coverprofile="+profile)
	command.Dir, command.Env = "handler", append(os.Environ(), "ONE_CHANGE="+change)
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	file, err := os.Open(profile)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	runs := make(map[string]int)
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) == 3 { // file.go:from,to statements runs
			if runs[fields[0]], err = strconv.Atoi(fields[2]); err != nil {
				t.Fatal(err)
			}
		}
	}
	return runs
}

// The terms stand below the steps, so that a reader can take them as given.
func TestVocabularyDependsOnNoStep(t *testing.T) {
	for _, name := range vocabulary {
		if !slices.Contains(pure, name) {
			t.Errorf("%s is not pure", name)
		}
		for _, imported := range arrows[name] {
			if !slices.Contains(vocabulary, imported) {
				t.Errorf("%s may import %s, which is no part of the vocabulary", name, imported)
			}
		}
	}
}
