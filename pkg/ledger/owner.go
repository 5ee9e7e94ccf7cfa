package ledger

import (
	"strings"
	"time"
)

// OwnAccount stands for the account of the deployment, where no role is assumed.
const OwnAccount = "#own"

// Owner is what is recorded of an account whose gateways are managed. One of which
// nothing is recorded has not joined yet: its gateways were never listed.
type Owner struct {
	JoinedAt     time.Time // when its gateways were first listed
	FailingSince time.Time // since when they cannot be; zero while they can
	Message      string    // why they cannot be
}

// Listed is the owner once its gateways were listed, or were not for the reason given.
func (o Owner) Listed(failure error, now time.Time) Owner {
	switch {
	case failure == nil:
		o.FailingSince, o.Message = time.Time{}, ""
		if o.JoinedAt.IsZero() {
			o.JoinedAt = now
		}
	case o.FailingSince.IsZero():
		o.FailingSince, o.Message = now, cut(failure.Error())
	}
	return o
}

// Same reports whether both say the same.
func (o Owner) Same(other Owner) bool {
	return o.JoinedAt.Equal(other.JoinedAt) && o.FailingSince.Equal(other.FailingSince) && o.Message == other.Message
}

// cut keeps a message to what people read.
func cut(message string) string {
	const most = 300
	if len(message) <= most {
		return message
	}
	return strings.ToValidUTF8(message[:most], "") + "…"
}
