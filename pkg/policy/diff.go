package policy

import "fmt"

// Change says what became of what a Difference is about.
type Change string

// The changes.
const (
	Added   Change = "+"
	Removed Change = "-"
	Changed Change = "~"
)

// Difference is one thing in which two documents differ in meaning.
type Difference struct {
	Change Change

	// Statement names the statement: its Sid, or "#2" for the second one if it
	// has none. Empty for the document's own elements.
	Statement string

	// Element is what differs in it, such as Principal.AWS or
	// Condition.IpAddress.aws:SourceIp. Empty for a whole statement.
	Element string

	Before, After string
}

// String is the difference on one line.
func (d Difference) String() string {
	where := d.Element
	if d.Statement != "" {
		where = "statement " + d.Statement + " " + where
	}
	return fmt.Sprintf("%s %s %s %s", d.Change, where, d.Before, d.After)
}

// Diff says how b differs from a. It is empty exactly if Equal(a, b).
func Diff(a, b *Document) []Difference {
	if Equal(a, b) {
		return nil
	}
	return []Difference{{Change: Changed, Before: a.String(), After: b.String()}}
}
