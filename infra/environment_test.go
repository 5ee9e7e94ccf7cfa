package infra

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/settings"
)

// variablesOf lists the environment variables that a method of the settings'
// reader reads; none where it has no method of that name.
func variablesOf(method string) []string {
	var read []string
	reader := settings.NewReader(settings.Variables(func(variable string) (string, bool) {
		read = append(read, variable)
		return "", false
	}))
	if found := reflect.ValueOf(reader).MethodByName(method); found.IsValid() {
		found.Call(nil)
	}
	return read
}

// callsOn names the methods that are called on what has the name.
func callsOn(body ast.Node, name string) []string {
	var called []string
	ast.Inspect(body, func(node ast.Node) bool {
		if call, is := node.(*ast.CallExpr); is {
			if selector, is := call.Fun.(*ast.SelectorExpr); is {
				if on, is := selector.X.(*ast.Ident); is && on.Name == name {
					called = append(called, selector.Sel.Name)
				}
			}
		}
		return true
	})
	return called
}

func TestFunctionsHaveTheVariablesTheyRead(t *testing.T) {
	for id, function := range read(t, "../template.yaml").of("AWS::Serverless::Function") {
		name := strings.TrimPrefix(function.Properties["FunctionName"].(string), "${Name}-")
		file, err := parser.ParseFile(token.NewFileSet(), "../functions/"+name+"/main.go", nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		var reads []string
		for _, method := range callsOn(file, "f") {
			reads = append(reads, variablesOf(method)...)
		}
		if slices.Contains(callsOn(file, "boot"), "Run") {
			reads = append(reads, variablesOf("LogLevel")...)
		}
		slices.Sort(reads)
		given, _ := at(function.Properties, "Environment", "Variables").(map[string]any)
		if diff := cmp.Diff(slices.Compact(reads), slices.Sorted(maps.Keys(given))); diff != "" {
			t.Errorf("%s: -read +given\n%s", id, diff)
		}
	}
	if got := variablesOf("Tables"); len(got) != 3 {
		t.Errorf("found %v as what names the tables: the test does not see what it should", got)
	}
}
