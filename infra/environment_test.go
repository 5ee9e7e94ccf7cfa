package infra

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// variables lists the environment variables that each method of boot's
// Environment reads, by itself or by another.
func variables(t *testing.T) map[string][]string {
	t.Helper()
	direct, calls := make(map[string][]string), make(map[string][]string)
	packages, err := parser.ParseDir(token.NewFileSet(), "../functions/internal/boot", nil, 0) //nolint:staticcheck // no build tags there
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range packages["boot"].Files {
		for _, declaration := range file.Decls {
			method, is := declaration.(*ast.FuncDecl)
			if !is || method.Recv == nil {
				continue
			}
			for _, call := range callsOn(method.Body, method.Recv.List[0].Names) {
				calls[method.Name.Name] = append(calls[method.Name.Name], call.name)
				if call.text != "" && call.name != "fail" {
					direct[method.Name.Name] = append(direct[method.Name.Name], call.text)
				}
			}
		}
	}
	var all func(method string) []string
	all = func(method string) []string {
		found := slices.Clone(direct[method])
		for _, other := range calls[method] {
			if other != method {
				found = append(found, all(other)...)
			}
		}
		return found
	}
	read := make(map[string][]string)
	for method := range calls {
		read[method] = all(method)
	}
	return read
}

type methodCall struct{ name, text string }

// callsOn finds calls of methods on what has one of the names, with their first
// argument if it is a text.
func callsOn(body ast.Node, receivers []*ast.Ident) []methodCall {
	var found []methodCall
	ast.Inspect(body, func(node ast.Node) bool {
		call, is := node.(*ast.CallExpr)
		if !is {
			return true
		}
		selector, is := call.Fun.(*ast.SelectorExpr)
		if !is {
			return true
		}
		on, is := selector.X.(*ast.Ident)
		if !is || !slices.ContainsFunc(receivers, func(receiver *ast.Ident) bool { return receiver.Name == on.Name }) {
			return true
		}
		m := methodCall{name: selector.Sel.Name}
		if len(call.Args) > 0 {
			if literal, is := call.Args[0].(*ast.BasicLit); is && literal.Kind == token.STRING {
				m.text, _ = strconv.Unquote(literal.Value)
			}
		}
		found = append(found, m)
		return true
	})
	return found
}

func TestAFunctionIsGivenTheVariablesThatItReadsAndNoOthers(t *testing.T) {
	methods := variables(t)
	for id, function := range read(t, "../template.yaml").of("AWS::Serverless::Function") {
		name := strings.TrimPrefix(function.Properties["FunctionName"].(string), "${Name}-")
		file, err := parser.ParseFile(token.NewFileSet(), "../functions/"+name+"/main.go", nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		var reads []string
		for _, call := range callsOn(file, []*ast.Ident{{Name: "f"}}) {
			reads = append(reads, methods[call.name]...)
		}
		for _, call := range callsOn(file, []*ast.Ident{{Name: "boot"}}) {
			if call.name == "Run" {
				reads = append(reads, methods["Log"]...)
			}
		}
		slices.Sort(reads)
		given, _ := at(function.Properties, "Environment", "Variables").(map[string]any)
		if diff := cmp.Diff(slices.Compact(reads), slices.Sorted(maps.Keys(given))); diff != "" {
			t.Errorf("%s: -read +given\n%s", id, diff)
		}
	}
	if got := methods["Tables"]; len(got) != 3 {
		t.Errorf("found %v as what names the tables: the test does not see what it should", got)
	}
}
