package grant

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
)

// ApprovalsScope is the partition of the grants table in which the approvals of admins
// stand. It names no gateway, and no row in it is a grant. The product's functions
// cannot write the grants table, so no function can approve anything.
const ApprovalsScope = "#approvals"

// The attributes of an approval, besides its key, requestedBy and reason.
const (
	AttrFound      = "found"
	AttrApprovedAt = "approvedAt"
)

// ApprovedFor is how long an approval counts: a table that is restored must not bring
// back an old one.
const ApprovedFor = 7 * 24 * time.Hour

// Decision is something that waits for an admin.
type Decision struct {
	Subject string // what it is about; with ApprovalsScope, the key of its approval
	Found   string // names exactly what was shown: anything else is another decision
}

const (
	takeoverSubject  = "#takeover"
	roleSubject      = "#role#"
	departureSubject = "departure#"
)

// TakeoverOf is the decision to let the deployment take over a gateway: these statements
// of the installation become what the rows say, both named by a hash.
func TakeoverOf(gateway Gateway, takeover string) Decision {
	return Decision{Subject: gateway.ARN() + takeoverSubject, Found: takeover}
}

// RecreatedOf is the decision to let in a role or user, by ARN, that is held on a
// gateway since then because it may have been created again.
func RecreatedOf(gateway Gateway, principal string, since time.Time) Decision {
	return Decision{Subject: gateway.ARN() + roleSubject + principal, Found: since.UTC().Format(time.RFC3339Nano)}
}

// DepartureOf is the decision to let a departure of an account take effect, which is
// held since then.
func DepartureOf(account, departure string, since time.Time) Decision {
	return Decision{Subject: departureSubject + account, Found: departure + " " + since.UTC().Format(time.RFC3339Nano)}
}

// ID is a short name of exactly this decision: what it is about, and eight digits.
func (d Decision) ID() string {
	kind := "role"
	switch {
	case strings.HasPrefix(d.Subject, departureSubject):
		kind = "departure"
	case strings.HasSuffix(d.Subject, takeoverSubject):
		kind = "takeover"
	}
	sum := sha256.Sum256([]byte(d.Subject + "\n" + d.Found))
	return kind + "-" + hex.EncodeToString(sum[:4])
}

// GatewayApprovals begins the subjects of what is decided about a gateway.
func GatewayApprovals(gateway Gateway) string { return gateway.ARN() + "#" }

// DepartureApprovals begins the subjects of departures.
const DepartureApprovals = departureSubject

// GatewayOfApproval is the gateway that an approval with this subject is about; false
// for one of a departure.
func GatewayOfApproval(subject string) (Gateway, bool) {
	arn, _, _ := strings.Cut(subject, "#")
	gateway, err := ParseGateway(arn)
	return gateway, err == nil
}

// Approval is an admin's word on a decision.
type Approval struct {
	Found string
	At    time.Time
}

// Approvals are those of a gateway, or of departures, by subject.
type Approvals map[string]Approval

// Approve reports whether an admin has approved the decision, and the approval still
// counts.
func (a Approvals) Approve(d Decision, now time.Time) bool {
	known, ok := a[d.Subject]
	return ok && known.Found == d.Found && !known.At.After(now) && now.Sub(known.At) < ApprovedFor
}
