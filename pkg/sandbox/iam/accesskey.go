package iam

import (
	"errors"
	"time"
)

// ErrNotFound says that IAM knows no such access key or principal. Every other
// error of a lookup means that the answer is not known.
var ErrNotFound = errors.New("not found")

// AccessKey is a credential and the principal that it is for.
type AccessKey struct {
	// ID begins with AKIA for a long-term key and with ASIA for a session's.
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-prefixes
	ID     string
	Secret string
	// SessionToken is empty for a long-term key; a temporary key is worth
	// nothing without it.
	SessionToken string
	// Expires is zero for a long-term key.
	Expires time.Time
	Caller  Caller
}
