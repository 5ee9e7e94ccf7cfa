package store

import (
	"github.com/gateway-grants/gateway-grants/pkg/directory"
)

// ListSentinel is the item that proves a read of a list.
func ListSentinel(list directory.Topic) Item {
	item := AccountsLayout.Item(Key{Partition: string(list), Sort: directory.ListSentinelID})
	item[AttrNoteText] = S("Proves that a read reached this list. Without this item no account loses access by it.")
	return item
}

// ParseList reads all items of a list, sorted by id. It fails with CodeNoListSentinel
// where the sentinel is not among them.
func ParseList(table string, list directory.Topic, items []Item) ([]directory.Note, error) {
	notes, err := Notes(items)
	if err != nil {
		return nil, err
	}
	entries, proven := make([]directory.Note, 0, len(notes)), false
	for _, note := range notes {
		if note.ID == directory.ListSentinelID {
			proven = true
		} else {
			entries = append(entries, note)
		}
	}
	if !proven {
		return nil, NoListSentinel(table, list)
	}
	return entries, nil
}
