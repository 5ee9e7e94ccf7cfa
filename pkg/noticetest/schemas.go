// Package noticetest holds what is published on the event bus against the
// schemas in docs/notices, which tell others what to expect.
package noticetest

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
)

// Schemas are the documented schemas, by the detail-type that they describe.
type Schemas map[string]*jsonschema.Resolved

// Read reads every schema. The root is the path to the repository's root.
func Read(t testing.TB, root string) Schemas {
	t.Helper()
	folder := os.DirFS(filepath.Join(root, "docs", "notices"))
	files, err := fs.Glob(folder, "*.schema.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d schemas, %v", len(files), err)
	}
	schemas := make(Schemas, len(files))
	for _, file := range files {
		text, err := fs.ReadFile(folder, file)
		if err != nil {
			t.Fatal(err)
		}
		var schema jsonschema.Schema
		if err := json.Unmarshal(text, &schema); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		// Readers must bear members that are added later; here each must be
		// documented.
		schema.Properties["detail"].AdditionalProperties = &jsonschema.Schema{Not: &jsonschema.Schema{}}
		resolved, err := schema.Resolve(nil)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		schemas[schema.Title] = resolved
	}
	return schemas
}

// Check fails the test if an event with this detail, which encodes to JSON, is
// not what its schema says.
func (s Schemas) Check(t testing.TB, source, detailType string, detail any) {
	t.Helper()
	schema, ok := s[detailType]
	if !ok {
		t.Errorf("%s has no schema in docs/notices", detailType)
		return
	}
	text, err := json.Marshal(map[string]any{"source": source, "detail-type": detailType, "detail": detail})
	if err != nil {
		t.Fatal(err)
	}
	var event any
	if err := json.Unmarshal(text, &event); err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(event); err != nil {
		t.Errorf("%s is not as its schema says: %v\n%s", detailType, err, text)
	}
}
