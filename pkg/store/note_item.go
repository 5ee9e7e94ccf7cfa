package store

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
)

// The attributes of a note in the accounts table, besides its key.
const (
	AttrNoteAt   = "at"
	AttrNoteText = "text"
)

// NoteKey is the key of a note.
func NoteKey(note directory.Note) Key { return Key{Partition: string(note.Topic), Sort: note.ID} }

// NoteItem is a note as its item.
func NoteItem(note directory.Note) Item {
	item := AccountsLayout.Item(NoteKey(note))
	item[AttrNoteAt], item[AttrNoteText] = S(Moment(note.At)), S(note.Text)
	return item
}

// Notes reads the items of a topic, sorted by id.
func Notes(items []Item) ([]directory.Note, error) {
	notes := make([]directory.Note, len(items))
	for i, item := range items {
		key := AccountsLayout.Of(item)
		at, err := parseMoment(text(item[AttrNoteAt]))
		if err != nil {
			return nil, fmt.Errorf("item %s/%s of the accounts table: attribute %s is no RFC 3339 time: %w", key.Partition, key.Sort, AttrNoteAt, err)
		}
		notes[i] = directory.Note{Topic: directory.Topic(key.Partition), ID: key.Sort, At: at, Text: text(item[AttrNoteText])}
	}
	slices.SortFunc(notes, func(a, b directory.Note) int { return strings.Compare(a.ID, b.ID) })
	return notes, nil
}
