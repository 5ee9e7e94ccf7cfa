package dirsync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
)

// The notes of reading all tags: of the last that was complete, and of one that
// ran out of time.
const (
	tagsCovered  = "covered"
	tagsProgress = "progress"
)

// tagPass is a reading of all tags, perhaps over several runs.
type tagPass struct {
	began time.Time
	Keys  []string `json:"keys"`           // that some selector named when it began
	Last  string   `json:"last,omitempty"` // account that was read
}

func (p tagPass) covers(keys []string) bool {
	return !slices.ContainsFunc(keys, func(key string) bool { return !slices.Contains(p.Keys, key) })
}

// readTags reads the tags of every account, if some selector needs them and it
// is time, or one is new: ten accounts a second, so on a schedule of its own.
// Where urgent, only a key that was never read, or a reading under way, counts.
func (r *run) readTags(ctx context.Context, urgent bool) error {
	keys := r.interests.TagKeys()
	if len(keys) == 0 {
		return nil
	}
	pass, due, err := r.tagsDue(ctx, keys, urgent)
	if err != nil || !due {
		return err
	}
	accounts, err := r.accounts.Recorded(ctx)
	if err != nil {
		return fmt.Errorf("read the directory: %w", err)
	}
	var failures []error
	for _, account := range accounts {
		if account.ID <= pass.Last || !account.MissingSince.IsZero() {
			continue
		}
		if r.late(ctx) {
			r.summary.Unfinished = true
			return errors.Join(append(failures, r.noteTags(ctx, tagsProgress, pass))...)
		}
		failures = append(failures, r.refreshTags(ctx, account))
		pass.Last = account.ID
	}
	if err := errors.Join(failures...); err != nil {
		return fmt.Errorf("the tags are incomplete: %w", err)
	}
	pass.Last = ""
	return r.noteTags(ctx, tagsCovered, pass)
}

// refreshTags reads the account again only where its tags are not as recorded, or
// cannot be read: it may have left since it was listed.
func (r *run) refreshTags(ctx context.Context, account directory.Account) error {
	tags, err := r.organizations.Tags(ctx, account.ID)
	if err == nil && maps.Equal(r.interests.Needed(tags, account.Tags), account.Tags) {
		return nil
	}
	var step directory.Step
	if err != nil {
		step, err = r.read(ctx, account.ID)
	} else {
		step, err = r.readAround(ctx, account.ID, tags)
	}
	if err == nil && step.Unsure {
		err = r.recheck(ctx, account.ID, len(r.Rules.Rechecks))
	}
	return err
}

// tagsWait reports whether all tags are to be read soon anyway.
func (r *run) tagsWait(ctx context.Context) (bool, error) {
	notes, err := r.accounts.Notes(ctx, directory.TopicTags)
	if err != nil {
		return false, fmt.Errorf("read when tags were read: %w", err)
	}
	for _, note := range notes {
		var pass tagPass
		if err := json.Unmarshal([]byte(note.Text), &pass); err != nil {
			return false, fmt.Errorf("read when tags were read: %w", err)
		}
		if note.ID == tagsCovered && pass.covers(r.interests.TagKeys()) && r.now().Sub(note.At) < r.Rules.TagsEvery {
			return false, nil
		}
	}
	return true, nil
}

// tagsDue reports whether tags are to be read, and takes over what is under way.
func (r *run) tagsDue(ctx context.Context, keys []string, urgent bool) (tagPass, bool, error) {
	fresh := tagPass{began: r.now(), Keys: keys}
	notes, err := r.accounts.Notes(ctx, directory.TopicTags)
	if err != nil {
		return fresh, false, fmt.Errorf("read when tags were read: %w", err)
	}
	due := !slices.ContainsFunc(notes, func(note directory.Note) bool { return note.ID == tagsCovered })
	for _, note := range notes {
		pass := tagPass{began: note.At}
		if err := json.Unmarshal([]byte(note.Text), &pass); err != nil {
			return fresh, false, fmt.Errorf("read when tags were read: %w", err)
		}
		if note.ID == tagsCovered {
			old := r.now().Sub(note.At) >= r.Rules.TagsEvery
			due = due || !pass.covers(keys) || old && !urgent
			continue
		}
		claimed, err := r.accounts.DeleteNote(ctx, note)
		if err != nil {
			return fresh, false, fmt.Errorf("take over the reading of tags: %w", err)
		}
		due = true
		if claimed && pass.covers(keys) && r.now().Sub(pass.began) < r.Rules.Restart {
			fresh = pass
		}
	}
	return fresh, due, nil
}

func (r *run) noteTags(ctx context.Context, id string, pass tagPass) error {
	text, err := json.Marshal(pass)
	if err != nil {
		return fmt.Errorf("note how far tags were read: %w", err)
	}
	note := directory.Note{Topic: directory.TopicTags, ID: id, At: pass.began, Text: string(text)}
	return wrap(r.accounts.PutNote(ctx, note), "note how far tags were read")
}
