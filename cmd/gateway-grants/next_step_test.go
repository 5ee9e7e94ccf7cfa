package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// nextStep is what the last clause of an error says: what to do, or which command knows
// more. What usage refuses ends with the command's --help.
var nextStep = regexp.MustCompile(`(?i)(?:^| )(?:` +
	`write|name|choose|leave (?:it )?out|repeat|correct|give|add|run|answer|make|use|revoke|deploy|delete|see` +
	`|gateway-grants .*(?:shows|looks)|aws sts .* prints)\b`)

// stepless are texts whose end is not in the format, and where it comes from.
var stepless = map[string]string{
	"%d accounts are named %q: write the id of one: %s":  "the ids to choose from",
	"%d gateways are named %s: write the ARN of one: %s": "the ARNs to choose from",
	"%v":                                 "the hint of grant.ParsePrincipal",
	"--principal: %v":                    "the hint of grant.ParsePrincipal",
	"nothing was granted (%s): %s: %s":   "the hint of the row's fault",
	"nothing can be imported: %s (%s)":   "the hint of what blocks the plan",
	"not in force: %s":                   "the message of each grant's status",
	"%q is not a gateway's URL (%v): %s": "urlHint",
}

// Whatever the command line refuses says what to do next.
func TestEachRefusalEndsWithTheNextStep(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(node ast.Node) bool {
			text := refused(node)
			if text == "" {
				return true
			}
			seen[text] = true
			end := text[strings.LastIndex(strings.ReplaceAll(text, "; ", ": "), ": ")+1:]
			if !nextStep.MatchString(end) && stepless[text] == "" {
				t.Errorf("%s: %q does not end with what to do", file, text)
			}
			return true
		})
	}
	if len(seen) < 60 {
		t.Errorf("only %d texts were found", len(seen))
	}
	for text := range stepless {
		if !seen[text] {
			t.Errorf("nothing is refused with %q", text)
		}
	}
}

// refused is the format of a call of refuse; "" for any other node.
func refused(node ast.Node) string {
	call, is := node.(*ast.CallExpr)
	if !is || len(call.Args) == 0 {
		return ""
	}
	name, is := call.Fun.(*ast.Ident)
	literal, constant := call.Args[0].(*ast.BasicLit)
	if !is || !constant || name.Name != "refuse" {
		return ""
	}
	text, err := strconv.Unquote(literal.Value)
	if err != nil {
		panic(err) // the parser read it
	}
	return text
}
