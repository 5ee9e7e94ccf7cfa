package grant

import (
	"cmp"
	"slices"
	"time"
)

// RowChange is one change of a row, as the stream of the grants table shows it.
type RowChange struct {
	Key

	At       time.Time // when DynamoDB recorded it
	Sequence string    // DynamoDB's number of the change: of two changes of a row the later has the larger one
	Was, Is  string    // the row before and after, as DynamoDB writes items in JSON; "" for no row
	By       string    // who made it, where the stream says so; "" where it does not
}

// Verb is what became of the row: added, changed or removed.
func (c RowChange) Verb() string {
	switch {
	case c.Was == "":
		return "added"
	case c.Is == "":
		return "removed"
	default:
		return "changed"
	}
}

// NetChanges sums up changes, which are in the order of their time: one for each row,
// sorted by key, from what the row was before its first change to what it was after
// its last. Rows that are as they were are left out.
func NetChanges(changes []RowChange) []RowChange {
	net := make(map[Key]RowChange)
	for _, change := range changes {
		if first, seen := net[change.Key]; seen {
			change.Was = first.Was
		}
		net[change.Key] = change
	}
	var all []RowChange
	for _, change := range net {
		if change.Was != change.Is {
			all = append(all, change)
		}
	}
	slices.SortFunc(all, func(a, b RowChange) int { return cmp.Or(cmp.Compare(a.Gateway, b.Gateway), cmp.Compare(a.ID, b.ID)) })
	return all
}

// MassRemoval is so many rows removed within a few minutes that it may be an
// accident. The zero MassRemoval is none.
type MassRemoval struct {
	At      time.Time // of the last of them
	Removed int
	Rows    int // that there were before
}

const (
	// RemovalWindow is how close together removals are that count together.
	RemovalWindow = 5 * time.Minute
	fewRemovals   = 10 // and no more are no accident
	removalShare  = 5  // so many rows to one removed are no accident
)

// MassRemovalOf judges the changes of the last RemovalWindow, in the order of their
// time, by the rows that there are now: it is one where more than 10 rows are gone,
// and more than a fifth of all. A row that was put back is not gone. The few that no
// number of rows makes a mass removal need no rows.
func MassRemovalOf(changes []RowChange, rows func() ([]Row, error)) (MassRemoval, error) {
	var removal MassRemoval
	gone := make(map[Key]bool)
	for _, change := range NetChanges(changes) {
		if change.Is == "" {
			gone[change.Key] = true
			removal.At = later(removal.At, change.At)
		}
	}
	if len(gone) <= fewRemovals {
		return MassRemoval{}, nil
	}
	left, err := rows()
	if err != nil {
		return MassRemoval{}, err
	}
	for _, row := range left {
		delete(gone, row.Key)
	}
	removal.Removed, removal.Rows = len(gone), len(left)+len(gone)
	if removal.Removed <= fewRemovals || removal.Removed*removalShare <= removal.Rows {
		return MassRemoval{}, nil
	}
	return removal, nil
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
