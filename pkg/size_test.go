package pkg

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	maxFileLines     = 400
	maxFunctionLines = 60 // without its tables, which are data
)

// linesOf counts the lines of a function's declaration. The elements of a composite
// literal are data, and are not counted.
func linesOf(files *token.FileSet, function *ast.FuncDecl) int {
	line := func(at token.Pos) int { return files.Position(at).Line }
	lines := line(function.End()) - line(function.Pos()) + 1
	ast.Inspect(function, func(node ast.Node) bool {
		table, ok := node.(*ast.CompositeLit)
		if ok {
			lines -= line(table.Rbrace) - line(table.Lbrace)
		}
		return !ok
	})
	return lines
}

func TestNoFileAndNoFunctionIsTooLong(t *testing.T) {
	found, files := 0, token.NewFileSet()
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() && (strings.HasPrefix(name, ".") && name != ".." || name == "build" || name == "node_modules") {
			return fs.SkipDir
		}
		if entry.IsDir() {
			return nil
		}
		if slices.Contains([]string{".py", ".js", ".sh"}, filepath.Ext(path)) {
			text, err := os.ReadFile(path)
			if lines := bytes.Count(text, []byte("\n")); lines > maxFileLines {
				t.Errorf("%s has %d lines, of at most %d: split it", path, lines, maxFileLines)
			}
			return err
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		found++
		parsed, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		if lines := files.File(parsed.FileStart).LineCount() - 1; lines > maxFileLines {
			t.Errorf("%s has %d lines, of at most %d: split it", path, lines, maxFileLines)
		}
		for _, declared := range parsed.Decls {
			if function, ok := declared.(*ast.FuncDecl); ok && linesOf(files, function) > maxFunctionLines {
				t.Errorf("%s: %s has %d lines, of at most %d: split it", path, function.Name, linesOf(files, function), maxFunctionLines)
			}
		}
		return nil
	})
	if err != nil || found < 500 {
		t.Fatalf("%d files of Go, %v", found, err)
	}
}

func TestLinesOfAFunction(t *testing.T) {
	for name, test := range map[string]struct {
		source string
		want   int
	}{
		"no body":        {"func f()", 1},
		"statements":     {"func f() {\n\tg()\n\n\th()\n}", 5},
		"a table":        {"func f() {\n\tg(map[string]int{\n\t\t\"a\": 1,\n\t\t\"b\": 2,\n\t})\n}", 3},
		"a nested table": {"func f() {\n\t_ = [][]int{\n\t\t{\n\t\t\t1,\n\t\t},\n\t}\n}", 3},
		"a closure":      {"func f() {\n\tg(func() {\n\t\tg()\n\t})\n}", 5},
	} {
		t.Run(name, func(t *testing.T) {
			files := token.NewFileSet()
			parsed, err := parser.ParseFile(files, "f.go", "package p\n"+test.source, 0)
			if err != nil {
				t.Fatal(err)
			}
			if got := linesOf(files, parsed.Decls[0].(*ast.FuncDecl)); got != test.want {
				t.Errorf("got %d lines, want %d", got, test.want)
			}
		})
	}
}
