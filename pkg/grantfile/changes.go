package grantfile

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// Verb is what becomes of a row.
type Verb string

// What becomes of a row.
const (
	Add    Verb = "Add"
	Change Verb = "Change"
	Remove Verb = "Remove"
)

// Step is what becomes of one row.
type Step struct {
	Verb   Verb             `json:"verb"`
	Key    grant.Key        `json:"key"`
	Shown  string           `json:"shown"`           // the revision that the step was decided on; "" for no row
	Before grant.Attributes `json:"-"`               // nil of Add
	After  grant.Attributes `json:"after,omitempty"` // nil of Remove
}

// Fields lists the names of the attributes in which the row differs, sorted.
func (s Step) Fields() []string {
	var names []string
	for _, attributes := range []grant.Attributes{s.Before, s.After} {
		for name := range attributes {
			before, had := s.Before[name]
			after, has := s.After[name]
			if had != has || !reflect.DeepEqual(before, after) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Changes lists what makes the table what the file says, in the file's order, and what
// is removed last. Every row that the table lacks or has otherwise must be a valid
// grant; Changes fails with an *Error at the first that is none. A row that says
// nothing of who requested it keeps what the table has, and one that is written is
// requested by the ARN given.
//
// With prune, the rows of the file's source that the file lacks are removed; a file
// without a source then fails.
func (f File) Changes(table []grant.Attributes, prune bool, by string) ([]Step, error) {
	if prune && f.Source == "" {
		return nil, &Error{File: f.Name, Problem: "nothing can be pruned, because the file does not say which rows of the table are its own: write source: NAME above grants:"}
	}
	known := make(map[grant.Key]grant.Attributes, len(table))
	for _, attributes := range table {
		known[grant.Parse(attributes).Key] = attributes
	}
	var steps []Step
	for _, row := range f.Rows {
		step, differs := f.step(row, known[row.Key], by)
		if !differs {
			continue
		}
		if row.Fault != nil {
			return nil, f.fault(row)
		}
		steps = append(steps, step)
	}
	if prune {
		steps = append(steps, f.pruned(table)...)
	}
	return steps, nil
}

func (f File) step(row Row, before grant.Attributes, by string) (step Step, differs bool) {
	after := make(grant.Attributes, len(row.Attributes)+1)
	maps.Copy(after, row.Attributes)
	_, named := after[grant.AttrRequestedBy]
	if requested, has := before[grant.AttrRequestedBy]; has && !named {
		after[grant.AttrRequestedBy] = requested
	}
	step = Step{Verb: Add, Key: row.Key, Before: before, After: after}
	if before != nil {
		step.Verb, step.Shown = Change, grant.Parse(before).Revision
		if step.Shown == grant.Parse(after).Revision {
			return Step{}, false
		}
	}
	if !named && by != "" {
		after[grant.AttrRequestedBy] = by
	}
	return step, true
}

// pruned are the rows of the file's source that the file lacks, sorted by key.
func (f File) pruned(table []grant.Attributes) []Step {
	kept := make(map[grant.Key]bool, len(f.Rows))
	for _, row := range f.Rows {
		kept[row.Key] = true
	}
	var steps []Step
	for _, attributes := range table {
		row := grant.Parse(attributes)
		if source, _ := attributes[grant.AttrSource].(string); source == f.Source && !kept[row.Key] {
			steps = append(steps, Step{Verb: Remove, Key: row.Key, Shown: row.Revision, Before: attributes})
		}
	}
	slices.SortFunc(steps, func(a, b Step) int {
		return cmp.Or(strings.Compare(a.Key.Gateway, b.Key.Gateway), strings.Compare(a.Key.ID, b.Key.ID))
	})
	return steps
}

// Carried are the rows of the table once the steps are carried out, in no order.
func Carried(table []grant.Attributes, steps []Step) []grant.Row {
	replaced := make(map[grant.Key]bool, len(steps))
	var rows []grant.Row
	for _, step := range steps {
		replaced[step.Key] = true
		if step.After != nil {
			rows = append(rows, grant.Parse(step.After))
		}
	}
	for _, attributes := range table {
		if row := grant.Parse(attributes); !replaced[row.Key] {
			rows = append(rows, row)
		}
	}
	return rows
}

// Summary counts the steps, in words.
func Summary(steps []Step) string {
	count := make(map[Verb]int)
	for _, step := range steps {
		count[step.Verb]++
	}
	return fmt.Sprintf("%d to add, %d to change, %d to remove", count[Add], count[Change], count[Remove])
}
