package main

import (
	"bytes"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/cloud/cloudtest"
)

// A part that means no play would take a renamed one out of CI.
func TestCINamesPlaysThatThereAre(t *testing.T) {
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var plays []string
	for _, file := range files {
		if source := read(t, file); bytes.HasPrefix(source, []byte("//go:build e2e\n")) {
			for _, match := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(source, -1) {
				plays = append(plays, string(match[1]))
			}
		}
	}
	_, arguments, found := strings.Cut(string(read(t, filepath.Join(cloudtest.Repository(t), ".ci", "run"))), "make e2e ARGS='")
	arguments, _, _ = strings.Cut(arguments, "'")
	if !found || len(plays) == 0 {
		t.Fatalf("CI plays %q of %v", arguments, plays)
	}
	for part := range strings.SplitSeq(arguments, "|") {
		if !slices.ContainsFunc(plays, func(play string) bool { return strings.Contains(play, part) }) {
			t.Errorf("%q means none of %v", part, plays)
		}
	}
}
