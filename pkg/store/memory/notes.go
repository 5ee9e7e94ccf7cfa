package memory

import (
	"context"
	"reflect"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

// Notes reads the notes of a topic, sorted by id. A note that cannot be understood is
// an error.
func (a *Accounts) Notes(ctx context.Context, topic directory.Topic) (notes []directory.Note, err error) {
	err = a.table.read(ctx, "read the notes of "+string(topic), func(v *view) error {
		notes, err = store.Notes(v.partition(string(topic)))
		return err
	})
	return notes, err
}

// PutNote writes a note, over any of the same topic and id.
func (a *Accounts) PutNote(ctx context.Context, note directory.Note) error {
	return a.table.write(ctx, "put a note on "+string(note.Topic), func(v *view) error {
		return v.put(store.NoteItem(note))
	})
}

// DeleteNote deletes a note, and reports whether it did: a note that another writer
// changed since it was read stays, and is no error.
func (a *Accounts) DeleteNote(ctx context.Context, note directory.Note) (deleted bool, err error) {
	err = a.table.write(ctx, "delete a note on "+string(note.Topic), func(v *view) error {
		stored, found := v.get(store.NoteKey(note))
		if found && reflect.DeepEqual(stored, store.NoteItem(note)) {
			v.delete(store.NoteKey(note))
			deleted = true
		}
		return nil
	})
	return deleted, err
}
