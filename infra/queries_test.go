package infra

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// messageFilter finds the messages that a saved query of CloudWatch Logs Insights looks for.
var messageFilter = regexp.MustCompile(`filter msg (?:=|like) "([^"]+)"`)

// A saved query finds nothing once the message that it looks for was reworded.
func TestSavedQueriesMatchLogMessages(t *testing.T) {
	template, err := os.ReadFile("../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	sought := messageFilter.FindAllStringSubmatch(string(template), -1)
	if len(sought) < 2 {
		t.Fatalf("%d filters of messages: the test does not see what it should", len(sought))
	}
	var logged strings.Builder
	files, err := filepath.Glob("../pkg/handler/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(file, "_test.go") {
			logged.Write(text)
		}
	}
	for _, filter := range sought {
		message := regexp.MustCompile(`(?:Warn|Error|Info)Context\(ctx, "[^"]*` + regexp.QuoteMeta(filter[1]))
		if !message.MatchString(logged.String()) {
			t.Errorf("a saved query looks for %q, which no function logs", filter[1])
		}
	}
}
