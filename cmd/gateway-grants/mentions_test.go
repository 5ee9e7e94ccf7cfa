package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// mention is a command line of ours that a text names: in a block or a span of code, in a
// message, or in a script.
var mention = regexp.MustCompile("(?m)(?:^|[`\"(: /])gateway-grants ([a-z][^`\"|>;#\\n]*)")

// noCommands follow the product's name where it is a name alone.
var noCommands = map[string]bool{"for": true, "sets": true, "gateway-grants-accounts": true}

// What documentation, scripts and messages tell people to run is there, with its flags.
func TestWhateverNamesACommandNamesOneThatThereIs(t *testing.T) {
	found := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		name := entry.Name()
		if err != nil || entry.IsDir() {
			if strings.HasPrefix(name, ".") && path != root || name == "build" || name == "testdata" {
				return fs.SkipDir
			}
			return err
		}
		switch ext := filepath.Ext(name); {
		case name == "CHANGELOG.md", strings.HasSuffix(name, "_test.go"):
			return nil
		case ext != ".md" && ext != ".go" && ext != ".yaml" && ext != ".sh" && ext != "" && ext != ".js":
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range mention.FindAllStringSubmatch(string(text), -1) {
			args := strings.Fields(m[1])
			for i := range args {
				args[i] = strings.TrimRight(args[i], `.,:'\`)
			}
			if noCommands[args[0]] {
				continue
			}
			found++
			cmd, rest, err := (&program{}).rootCommand().Find(args)
			if err == nil {
				err = cmd.ParseFlags(rest)
			}
			cut := err != nil && strings.HasPrefix(err.Error(), "flag needs an argument") // which a quote begins
			group := err == nil && cmd.HasSubCommands() && len(cmd.Flags().Args()) > 0    // and a command that it does not have
			if err != nil && !cut || !cmd.HasParent() || group {
				t.Errorf("%s names a command that there is not: %q: %v", strings.TrimPrefix(path, root), m[0], err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 200 {
		t.Errorf("only %d command lines were found", found)
	}
}
