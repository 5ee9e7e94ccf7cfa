// Package grant holds what an admin writes: rows of the grants table, read once
// into grants whose every part is valid, or into the fault that says why a row
// is none. It is pure.
package grant

import (
	"time"
)

// Key names a row of the grants table. The id is free, so that grants from
// several sources coexist.
type Key struct {
	Gateway string // a gateway's ARN, or EveryGateway
	ID      string
}

// String is the key in one word, for messages.
func (k Key) String() string { return k.Gateway + "#" + k.ID }

// Row is a grant, or why it is none: exactly one of Grant and Fault is set.
type Row struct {
	Key
	Revision string // changes with anything that the admin wrote
	Grant    *Grant
	Fault    *Error
	Named    Principal // of a row with a fault: what its principal attribute names; zero where that cannot be read
}

// Grant is a valid row: who is let in, and how far.
type Grant struct {
	Principal   Principal
	Role        string     // narrows an account or a selector to a role name or pattern, path included; "" for all
	Follow      Follow     // how an exact role or user is recognised
	Expires     time.Time  // from this moment on the grant is no longer live; zero for never
	Exclude     Exclusion  // what a selector leaves out
	Conditions  Conditions // under which calls are let in; zero for all
	Reason      string     // free text of the admin's
	RequestedBy string
	Source      string // who keeps the row, such as a file or a ticket system
}

// Follow is how an exact role or user is recognised over time.
type Follow uint8

const (
	// FollowIdentity names the role in Principal, so that IAM pins its unique
	// id: a role of the same name created later by someone else is not let in.
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
	FollowIdentity Follow = iota
	// FollowName compares the caller's ARN: survives re-creation of the role and
	// works before it exists.
	FollowName
)

func (f Follow) String() string {
	if f == FollowName {
		return "name"
	}
	return "identity"
}

// Conditions narrow a grant to calls from somewhere. A call must meet each kind
// that is set, by any one of its values. Values are sorted and appear once.
type Conditions struct {
	SourceVPCE []string // aws:SourceVpce
	SourceVPC  []string // aws:SourceVpc
	SourceIP   []string // aws:SourceIp, addresses or CIDR ranges
}

// IsZero reports whether nothing is narrowed.
func (c Conditions) IsZero() bool {
	return len(c.SourceVPCE) == 0 && len(c.SourceVPC) == 0 && len(c.SourceIP) == 0
}

// Exclusion is what a selector leaves out. Values are sorted and appear once.
type Exclusion struct {
	Accounts []string // 12-digit ids
	Units    []string // OU ids, everything below them included
}

// IsZero reports whether nothing is left out.
func (e Exclusion) IsZero() bool { return len(e.Accounts) == 0 && len(e.Units) == 0 }

// Live reports whether the grant holds at the given moment.
func (g *Grant) Live(now time.Time) bool {
	return g.Expires.IsZero() || now.Before(g.Expires)
}

// Subject is who is let in: the principal, narrowed to the role where the
// principal is one account. For a selector, Role still narrows each account.
func (g *Grant) Subject() Principal {
	if g.Principal.kind == KindAccount && g.Role != "" {
		return g.Principal.narrowedTo(g.Role)
	}
	return g.Principal
}

// SentinelID is the id of the row, under EveryGateway, that proves that a read
// reached the real grants table: a table without it is a failed read, not an
// empty one. Ids that begin with "#" are reserved for the product.
const SentinelID = "#meta"

var freeID = lazy(`^[^#\x00-\x1f\x7f][^\x00-\x1f\x7f]{0,255}$`)
