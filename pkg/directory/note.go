package directory

import "time"

// Note is an item of the accounts table that is no account: what keeping the
// directory must remember from one run to the next.
type Note struct {
	Topic Topic
	ID    string
	At    time.Time
	Text  string
}

// Topic is what a note is about. It is also the partition that notes are in.
type Topic string

const (
	// TopicDeparture notes each account that loses something or lately did: since
	// when, and how it stands (HeldText, LostText). ID is the account's.
	TopicDeparture Topic = "DEPARTURE"
	// TopicRecheck notes when an account is to be read again. Text is how often it
	// was since the event.
	TopicRecheck Topic = "RECHECK"
	// TopicListing notes how far a listing came that ran out of time.
	TopicListing Topic = "LISTING"
	// TopicTags notes when the tags of all accounts were last read, and how far the
	// reading of them has come.
	TopicTags Topic = "TAGS"
	// TopicTrusted lists the accounts outside the organization that admins let grants
	// name, besides those that the deployment's parameter names. ID is the account's,
	// Text the ARN of the admin.
	TopicTrusted Topic = "TRUSTED"
	// TopicOwner lists the accounts whose gateways are managed, likewise.
	TopicOwner Topic = "OWNER"
	// TopicSize notes how many accounts there were after the last complete listing.
	TopicSize Topic = "SIZE"
)

// IDs are those of notes, in their order.
func IDs(notes []Note) []string {
	ids := make([]string, len(notes))
	for i, note := range notes {
		ids[i] = note.ID
	}
	return ids
}

// ListSentinelID is the ID of the note that proves a read of a list (TopicTrusted,
// TopicOwner): without it, a list that reads empty may be another table's.
const ListSentinelID = "#meta"

// The texts of a departure's note; one that is only possible yet has none.
const (
	HeldText = "held" // by the guard
	LostText = "lost" // something, within the guard's window
)
