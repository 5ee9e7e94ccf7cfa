package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

// The values of --output. docs/output has a schema of what each command prints
// as JSON or YAML.
const (
	outputTable = "table"
	outputJSON  = "json"
	outputYAML  = "yaml"
	outputCSV   = "csv" // for commands that print rows
)

// structured reports whether the output is for other programs.
func (o options) structured() bool { return o.output != outputTable }

// annotationRows marks the commands that can print CSV.
const annotationRows = "prints-rows"

// printsRows lets a command print CSV, by printRows.
func printsRows(cmd *cobra.Command) {
	if cmd.Annotations == nil {
		cmd.Annotations = map[string]string{}
	}
	cmd.Annotations[annotationRows] = "true"
}

// checkOutput refuses an output that the command cannot print, before it does
// anything.
func (p *program) checkOutput(cmd *cobra.Command) error {
	switch p.settings.output {
	case outputTable, outputJSON, outputYAML:
		return nil
	case outputCSV:
		if cmd.Annotations[annotationRows] == "" {
			return refuse("%s prints no rows, so --output csv is not possible: write table, json or yaml", cmd.CommandPath())
		}
		return nil
	default:
		return refuse("--output %s is unknown: write table, json, yaml or csv", p.settings.output)
	}
}

// column is one column of a table for people.
type column[R any] struct {
	name  string
	text  func(R) string
	paint func(row R, text string) string // adds colour; nil for none
	// optional leaves the column out where no row has anything in it.
	optional bool
}

// printRows prints rows as a table of columns, or says what it means that there
// are none; for other programs it prints every field of each row.
func printRows[R any](p *program, rows []R, none string, columns []column[R]) error {
	switch {
	case p.settings.output == outputCSV:
		return printCSV(p, rows)
	case p.settings.structured():
		if rows == nil {
			rows = []R{} // [], not null
		}
		return p.printValue(rows)
	case len(rows) == 0:
		fmt.Fprintln(p.out, none)
	default:
		printTable(p, rows, columns)
	}
	return nil
}

// printTable aligns columns by what is seen: colour takes no room.
func printTable[R any](p *program, rows []R, columns []column[R]) {
	columns = slices.DeleteFunc(slices.Clone(columns), func(c column[R]) bool {
		return c.optional && !slices.ContainsFunc(rows, func(row R) bool { return c.text(row) != "" })
	})
	widths := make([]int, len(columns))
	cells := make([][]string, len(rows))
	for c, column := range columns {
		widths[c] = len(column.name)
	}
	for r, row := range rows {
		cells[r] = make([]string, len(columns))
		for c, column := range columns {
			cells[r][c] = dash(oneLine(column.text(row)))
			widths[c] = max(widths[c], utf8.RuneCountInString(cells[r][c]))
		}
	}
	line := func(cell func(c int) (plain, shown string)) {
		var text strings.Builder
		for c := range columns {
			plain, shown := cell(c)
			text.WriteString(shown)
			if c < len(columns)-1 {
				text.WriteString(strings.Repeat(" ", widths[c]-utf8.RuneCountInString(plain)+2))
			}
		}
		fmt.Fprintln(p.out, text.String())
	}
	line(func(c int) (string, string) { return columns[c].name, columns[c].name })
	for r, row := range rows {
		line(func(c int) (string, string) {
			plain := cells[r][c]
			if columns[c].paint == nil {
				return plain, plain
			}
			return plain, columns[c].paint(row, plain)
		})
	}
}

// printValue prints a value as JSON or YAML, both with the same names.
func (p *program) printValue(value any) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("print the result: %w", err)
	}
	printed := text.Bytes()
	if p.settings.output == outputYAML {
		var err error
		if printed, err = asYAML(printed); err != nil {
			return fmt.Errorf("print the result: %w", err)
		}
	}
	if _, err := p.out.Write(printed); err != nil {
		return fmt.Errorf("print the result: %w", err)
	}
	return nil
}

// asYAML writes JSON, which is YAML, in YAML's own style, in the same order.
func asYAML(text []byte) ([]byte, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("read JSON as YAML: %w", err)
	}
	unquote(&document)
	var printed bytes.Buffer
	encoder := yaml.NewEncoder(&printed)
	encoder.SetIndent(2)
	if err := errors.Join(encoder.Encode(&document), encoder.Close()); err != nil {
		return nil, fmt.Errorf("write YAML: %w", err)
	}
	return printed.Bytes(), nil
}

// oldBool is text that readers of YAML 1.1, such as PyYAML, take for a bool.
var oldBool = regexp.MustCompile(`^(?i:y|n|yes|no|on|off)$`)

func unquote(node *yaml.Node) {
	if node.Kind != yaml.ScalarNode || !oldBool.MatchString(node.Value) {
		node.Style = 0 // empty lists and maps stay [] and {}
	}
	for _, child := range node.Content {
		unquote(child)
	}
}

// printCSV prints a column for each field of the rows, under the names of the
// JSON. A list of texts is one cell, with a semicolon between its values; anything
// else with parts is JSON.
func printCSV[R any](p *program, rows []R) error {
	var names []string
	var fields [][]int
	for _, field := range reflect.VisibleFields(reflect.TypeFor[R]()) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
			names, fields = append(names, name), append(fields, field.Index)
		}
	}
	lines := [][]string{names}
	for _, row := range rows {
		value := reflect.ValueOf(row)
		cells := make([]string, len(names))
		for i, field := range fields {
			cells[i] = csvCell(value.FieldByIndex(field))
		}
		lines = append(lines, cells)
	}
	if err := csv.NewWriter(p.out).WriteAll(lines); err != nil {
		return fmt.Errorf("print the result: %w", err)
	}
	return nil
}

// csvCell is a value as text. Spreadsheets take text that begins like a formula
// for one, and run it: an apostrophe before it keeps it text.
// https://owasp.org/www-community/attacks/CSV_Injection
func csvCell(value reflect.Value) string {
	var text string
	switch kind := value.Kind(); {
	case kind == reflect.Slice && value.Type().Elem().Kind() == reflect.String:
		parts := make([]string, value.Len())
		for i := range parts {
			parts[i] = fmt.Sprint(value.Index(i))
		}
		text = strings.Join(parts, "; ")
	case kind == reflect.Slice, kind == reflect.Struct:
		encoded, err := json.Marshal(value.Interface())
		if err != nil {
			panic("print a cell: " + err.Error()) // rows hold nothing that JSON cannot
		}
		text = string(encoded)
	default:
		text = fmt.Sprint(value)
	}
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		text = "'" + text
	}
	return text
}
