// Package grantfile is grants as a file in YAML, or in JSON, which is YAML as well:
// it reads and prints the file, and says how it differs from the table. It is pure.
package grantfile

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// File is the grants of a file, in its order.
type File struct {
	Name   string // as messages show it
	Source string // of the rows that name none; "" for none. Only its rows are ever pruned.
	Rows   []Row
}

// Row is one grant of a file.
type Row struct {
	grant.Row

	Attributes grant.Attributes // with the file's source, where the row names none
	line       int
	lines      map[string]int // of the attributes
}

// Error is what is wrong with a file. It is one line that begins with the file's name
// and the number of the line.
type Error struct {
	File    string
	Line    int // 0 where the whole file is meant
	Problem string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Problem
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Problem)
}

const (
	keySource = "source"
	keyGrants = "grants"

	// MaxSize bounds what is read, in bytes: 10,000 rows take about 3 MB.
	MaxSize = 32 << 20
	// maxRow is what an item of DynamoDB may hold, in bytes.
	// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
	maxRow = 400_000
)

// Parse reads a file. It fails with an *Error, at the first thing that is not in the
// file's form. Whether each row is a valid grant is for Changes to say, because a row
// that the table has just so is left as it is.
func Parse(name string, text []byte) (File, error) {
	p := parser{name: name}
	file := File{Name: name}
	root, err := p.document(text)
	if err != nil {
		return File{}, err
	}
	members, err := p.members(root)
	if err != nil {
		return File{}, err
	}
	var grants []Row
	found := false
	for _, member := range members {
		switch member.name {
		case keySource:
			if file.Source, err = p.source(member); err != nil {
				return File{}, err
			}
		case keyGrants:
			found = true
			if grants, err = p.rows(member.value); err != nil {
				return File{}, err
			}
		default:
			return File{}, p.fail(member.line, "unknown field %s: the fields of the file are %s and %s", quote(member.name), keySource, keyGrants)
		}
	}
	if !found {
		return File{}, p.fail(root.Line, "no grants: write %s: and the list of rows below it, or %s: [] for none", keyGrants, keyGrants)
	}
	file.Rows = grants
	if err := file.validate(); err != nil {
		return File{}, err
	}
	return file, nil
}

// validate gives rows the source of the file, and checks each and that no two have one key.
func (f *File) validate() error {
	first := make(map[grant.Key]int)
	for i := range f.Rows {
		row := &f.Rows[i]
		if _, named := row.Attributes[grant.AttrSource]; !named && f.Source != "" {
			row.Attributes[grant.AttrSource] = f.Source
		}
		row.Row = grant.Parse(row.Attributes)
		if size, err := json.Marshal(row.Attributes); err != nil || len(size) > maxRow {
			return &Error{f.Name, row.line, "the row is too large: DynamoDB takes 400 KB for a row"}
		}
		if row.Gateway == grant.EveryGateway && row.ID == grant.SentinelID {
			return &Error{f.Name, row.line, "this row proves the grants table and is no grant: leave it out"}
		}
		if line, twice := first[row.Key]; twice {
			return &Error{f.Name, row.line, fmt.Sprintf("grant %s of gateway %s stands on line %d already: give it another id", quote(row.ID), row.Gateway, line)}
		}
		first[row.Key] = row.line
	}
	return nil
}

// fault is the error of a row that is no grant, at the line of the attribute at fault.
func (f File) fault(row Row) error {
	line := row.line
	for name, at := range row.lines {
		if op := row.Fault.Op; strings.HasPrefix(op+" ", "read "+name+" ") || op == "read attribute "+quote(name) {
			line = at
		}
	}
	return &Error{f.Name, line, fmt.Sprintf("grant %s: %s: %s (%s)", quote(row.ID), row.Fault.Op, row.Fault.Hint, row.Fault.Code)}
}

func quote(text string) string {
	const most = 120
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return fmt.Sprintf("%q", text)
}
