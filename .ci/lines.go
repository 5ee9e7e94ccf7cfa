//go:build ignore

// Counts lines of Go code, without comments and blank lines: go run .ci/lines.go
package main

import (
	"fmt"
	"go/scanner"
	"go/token"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"strings"
)

// parts are what is counted apart, by the directories that they are in: the first that
// matches counts.
var parts = []struct {
	name        string
	directories []string
}{
	{"stand-in", []string{"pkg/sandbox/", "cmd/sandbox/"}},
	{"support for tests", []string{"pkg/store/memory/", "pkg/store/storetest/", "pkg/noticetest/", "pkg/eventtest/", "pkg/policy/simulate/"}},
	{"product", []string{"pkg/", "functions/", "cmd/gateway-grants/"}},
}

func main() {
	log.SetFlags(0)
	code, tests := map[string]int{}, map[string]int{}
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		counted := code
		if strings.HasSuffix(path, "_test.go") || strings.Contains(path, "/testdata/") {
			counted = tests
		}
		counted[partOf(path)] += lines(source)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%-18s %7s %7s\n", "", "code", "tests")
	for _, part := range parts {
		fmt.Printf("%-18s %7d %7d\n", part.name, code[part.name], tests[part.name])
	}
}

func partOf(path string) string {
	for _, part := range parts {
		for _, directory := range part.directories {
			if strings.HasPrefix(filepath.ToSlash(path), directory) {
				return part.name
			}
		}
	}
	return ""
}

// lines are those on which a token begins or goes on. The scanner leaves comments out.
func lines(source []byte) int {
	var s scanner.Scanner
	file := token.NewFileSet().AddFile("", -1, len(source))
	s.Init(file, source, nil, 0)
	count, last := 0, 0
	for {
		at, kind, text := s.Scan()
		if kind == token.EOF {
			return count
		}
		if kind == token.SEMICOLON && text == "\n" { // which Go puts in by itself
			continue
		}
		first := file.Line(at)
		end := first + strings.Count(text, "\n")
		count += max(end-max(first-1, last), 0)
		last = max(last, end)
	}
}
