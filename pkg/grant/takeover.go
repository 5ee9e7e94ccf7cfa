package grant

import "time"

// TakeoverID is the id of the row, under a gateway's ARN, in which an admin approves
// that this deployment takes the gateway over. It is no grant. The product's functions
// cannot write the grants table, so no other principal can decide this.
const TakeoverID = "#takeover"

// The attributes of the row that approves a takeover, besides its key, requestedBy and
// reason.
const (
	AttrFound      = "found"
	AttrApprovedAt = "approvedAt"
)

// takeoverFor is how long an approval counts: a table that is restored must not bring
// back an old one.
const takeoverFor = 7 * 24 * time.Hour

// Takeover is what an admin approved; the zero Takeover is nothing.
type Takeover struct {
	Found string    // the hash of the statements that were shown
	At    time.Time // when they were
}

// Approves tells whether the approval is of these statements, and still counts.
func (t Takeover) Approves(found string, now time.Time) bool {
	return t.Found == found && !t.At.After(now) && now.Sub(t.At) < takeoverFor
}
