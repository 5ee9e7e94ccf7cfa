package pkg

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/gateway-grants/gateway-grants/"

// arrows says which of our packages each package may import. Imports point one
// way: towards the decisions, which depend on nothing.
var arrows = map[string][]string{
	"pkg/policy":    {},
	"pkg/policy/":   {"pkg/policy"}, // support for tests
	"pkg/version":   {},
	"pkg/grant":     {},
	"pkg/grantfile": {"pkg/grant"},
	"pkg/directory": {"pkg/grant"},
	"pkg/ledger":    {"pkg/grant", "pkg/policy"},
	"pkg/plan":      {"pkg/ledger", "pkg/directory", "pkg/grant", "pkg/policy"},
	"pkg/foreign":   {"pkg/plan", "pkg/grant", "pkg/policy"},
	"pkg/report":    {"pkg/access", "pkg/plan", "pkg/grant", "pkg/policy"},
	"pkg/doctor":    {"pkg/event", "pkg/version"},
	"pkg/access":    {"pkg/plan", "pkg/directory", "pkg/grant", "pkg/policy"},
	"pkg/reconcile": {"pkg/plan", "pkg/ledger", "pkg/directory", "pkg/grant", "pkg/policy"},
	"pkg/dirsync":   {"pkg/directory", "pkg/grant"},
	"pkg/event":     {"pkg/directory", "pkg/grant"},
	"pkg/handler":   {"pkg/event", "pkg/reconcile", "pkg/dirsync", "pkg/plan", "pkg/ledger", "pkg/directory", "pkg/grant"},

	"pkg/reconcile/simulation": {}, // all of it is in its tests

	// Adapters implement what their consumers declare.
	"pkg/store":           {"pkg/version", "pkg/reconcile", "pkg/plan", "pkg/ledger", "pkg/directory", "pkg/grant"},
	"pkg/store/memory":    {"pkg/store", "pkg/reconcile", "pkg/dirsync", "pkg/plan", "pkg/ledger", "pkg/directory", "pkg/grant"},
	"pkg/store/storetest": {"pkg/store", "pkg/reconcile", "pkg/plan", "pkg/ledger", "pkg/directory", "pkg/grant"},
	"pkg/noticetest":      {"pkg/plan"},
	"pkg/eventtest":       {},
	"pkg/agentcore":       {"pkg/reconcile", "pkg/plan", "pkg/grant", "pkg/policy"},
	"pkg/organizations":   {"pkg/dirsync", "pkg/directory", "pkg/grant"},
	"pkg/bus":             {"pkg/event", "pkg/reconcile", "pkg/handler", "pkg/plan", "pkg/grant"},
	"pkg/mcpclient":       {},
	"pkg/inspect":         {"pkg/doctor", "pkg/agentcore", "pkg/event", "pkg/directory", "pkg/grant"},
	"pkg/selftest":        {"pkg/agentcore", "pkg/grant"},
	"pkg/iam":             {"pkg/policy"},

	// The stand-in must not agree with the product by sharing its code.
	"pkg/sandbox/": {"pkg/policy", "pkg/sandbox/"},

	"pkg/settings": {"pkg/plan", "pkg/grant"}, // parses what mains are given

	"infra":             {"infra/permissions"}, // tests only
	"infra/permissions": {},                    // policy documents

	"functions/":          {"functions/internal/boot", "pkg/"},
	"cmd/gateway-grants":  {"cmd/gateway-grants/", "pkg/", "infra/permissions"},
	"cmd/gateway-grants/": {"cmd/gateway-grants/", "pkg/"},
	"cmd/sandbox":         {"cmd/sandbox/", "pkg/", "infra/permissions"},
	"cmd/sandbox/":        {"cmd/sandbox/", "pkg/"},
}

// pure packages decide: no AWS, no network, no context, no clock.
var pure = []string{"pkg/policy", "pkg/version", "pkg/grant", "pkg/grantfile", "pkg/directory", "pkg/event", "pkg/ledger", "pkg/plan", "pkg/foreign", "pkg/report", "pkg/doctor", "pkg/access"}

func goList(t *testing.T, arguments ...string) []string {
	t.Helper()
	command := exec.Command("go", append([]string{"list"}, arguments...)...)
	command.Dir = ".."
	output, err := command.Output()
	if err != nil {
		t.Fatalf("go list %v: %v", arguments, err)
	}
	return strings.Split(strings.TrimSpace(string(output)), "\n")
}

// within reports whether a package is the one named, or lies below a name that
// ends in a slash.
func within(name, path string) bool {
	return path == name || strings.HasSuffix(name, "/") && strings.HasPrefix(path, name)
}

func TestImportsPointOneWay(t *testing.T) {
	for _, line := range goList(t, "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...") {
		fields := strings.Fields(line)
		from := strings.TrimPrefix(fields[0], module)
		var allowed []string
		known := false
		for name, targets := range arrows {
			if within(name, from) {
				known, allowed = true, append(allowed, targets...)
			}
		}
		if !known && from != "pkg" {
			t.Errorf("%s stands nowhere in the layout", from)
		}
		for _, to := range fields[1:] {
			ours, isOurs := strings.CutPrefix(to, module)
			if isOurs && !slices.ContainsFunc(allowed, func(name string) bool { return within(name, ours) }) {
				t.Errorf("%s must not import %s", from, ours)
			}
			if slices.Contains(pure, from) && impure(to) {
				t.Errorf("%s is pure and must not import %s", from, to)
			}
		}
	}
}

// The table of docs/architecture.md lists every package, each below those that it
// imports.
func TestImportsAreInTheOrderOfTheArchitecture(t *testing.T) {
	page, err := os.ReadFile("../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	place := make(map[string]int)
	for i, line := range strings.Split(string(page), "\n") {
		cells := strings.Split(line, "|")
		for name := range strings.SplitSeq(cells[min(1, len(cells)-1)], ",") {
			if name = strings.Trim(name, " `"); strings.HasPrefix(name, "pkg/") && strings.HasPrefix(line, "|") {
				place[name] = i
			}
		}
	}
	listed := func(path string) string { // the stand-in is one row
		ours := strings.TrimPrefix(path, module)
		if within("pkg/sandbox/", ours) {
			return "pkg/sandbox"
		}
		return ours
	}
	found := make(map[string]bool)
	for _, line := range goList(t, "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./pkg/...") {
		fields := strings.Fields(line)
		from := listed(fields[0])
		found[from] = true
		for _, to := range fields[1:] {
			if to = listed(to); place[to] > 0 && to != from && place[to] >= place[from] {
				t.Errorf("docs/architecture.md lists %s before %s, which it imports", from, to)
			}
		}
	}
	for name := range found {
		if place[name] == 0 && name != "pkg" {
			t.Errorf("docs/architecture.md does not list %s", name)
		}
	}
	for name := range place {
		if !found[name] {
			t.Errorf("docs/architecture.md lists %s, which does not exist", name)
		}
	}
}

func impure(path string) bool {
	return path == "context" || path == "os" || path == "net" || strings.HasPrefix(path, "net/http") ||
		strings.HasPrefix(path, "github.com/aws/")
}

func TestTheProductLinksNothingOfTheStandIn(t *testing.T) {
	for _, path := range goList(t, "-deps", "./functions/...", "./cmd/gateway-grants") {
		ours := strings.TrimPrefix(path, module)
		if within("pkg/sandbox/", ours) || slices.Contains([]string{"pkg/store/memory", "pkg/store/storetest", "pkg/noticetest", "pkg/eventtest", "pkg/policy/simulate"}, ours) {
			t.Errorf("the product links %s", ours)
		}
	}
}

func TestTheEchoToolLinksNoAWSClient(t *testing.T) {
	for _, path := range goList(t, "-deps", "./functions/echo") {
		if strings.HasPrefix(path, "github.com/aws/aws-sdk-go-v2") {
			t.Errorf("echo links %s", path)
		}
	}
}

func TestPurePackagesReadNoClock(t *testing.T) {
	for _, dir := range pure {
		files, err := filepath.Glob(filepath.Join("..", dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", dir, len(files), err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(parsed, func(node ast.Node) bool {
				if call, ok := node.(*ast.SelectorExpr); ok {
					if of, ok := call.X.(*ast.Ident); ok && of.Name == "time" &&
						slices.Contains([]string{"Now", "Since", "Until", "After", "Sleep", "NewTimer"}, call.Sel.Name) {
						t.Errorf("%s calls time.%s", file, call.Sel.Name)
					}
				}
				return true
			})
		}
	}
}
