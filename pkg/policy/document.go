// Package policy is the language of AWS IAM policy documents: it parses and
// prints them without losing anything, compares them in meaning, says how two
// differ, and decides calls as AWS does.
//
// It is pure: no clock, no network, nothing of AWS's SDK. Time reaches a
// decision only as the context key aws:CurrentTime.
//
// The language itself is described at
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies.html
package policy

import "sync/atomic"

// Versions of the policy language. A document without one is read as
// Version2008, in which ${...} is text and not a variable.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html
const (
	Version2012 = "2012-10-17"
	Version2008 = "2008-10-17"
)

// Document is one policy: an identity policy, a resource policy, a boundary or
// a service control policy.
//
// Build one as a literal, or take one from Parse; derive one from another with
// WithStatements, which keeps the elements that this package does not know.
// A nil *Document means "no policy". Once a document has been compared or
// evaluated it must not be changed: what was learned of it is kept. It is safe
// for concurrent use.
type Document struct {
	Version    string
	ID         string
	Statements []Statement // nil: there is no such element

	emptyID  bool // the element is there, though it says nothing
	unknown  []member
	repeated *ParseError
	learned  atomic.Pointer[normalDocument]
}

// WithStatements returns a document that has d's other elements and the given
// statements. On a nil document it starts a new one in the current version of
// the language.
func (d *Document) WithStatements(statements ...Statement) *Document {
	if statements == nil {
		statements = []Statement{}
	}
	if d == nil {
		return &Document{Version: Version2012, Statements: statements}
	}
	return &Document{Version: d.Version, ID: d.ID, Statements: statements, emptyID: d.emptyID, unknown: d.unknown}
}

// Effect is what a statement does to the calls that it matches.
type Effect string

// The two effects. They are case-sensitive in AWS too.
const (
	Allow Effect = "Allow"
	Deny  Effect = "Deny"
)

// Statement is one rule of a document.
//
// A nil slice is an absent element; an empty one that is not nil is an element
// with an empty list. Of each pair (Action and NotAction, ...) at most one may
// be set.
//
// A statement that came from Parse remembers the bytes it was read from, and
// prints exactly those, whitespace between tokens aside, for as long as its
// fields say what those bytes say. Once a field has been changed it prints like
// one that was built: the elements in AWS's usual order, unknown ones last.
type Statement struct {
	Sid          string
	Effect       Effect
	Principal    *Principals
	NotPrincipal *Principals
	Action       []string
	NotAction    []string
	Resource     []string
	NotResource  []string
	Condition    Condition

	unknown []member
	source  string // minified bytes, "" when built
}

// Condition holds, by operator and then by context key, the values to compare
// with: Condition{"IpAddress": {"aws:SourceIp": {"192.0.2.0/24"}}}. Numbers and
// booleans of the JSON text are kept as they were spelled.
type Condition map[string]map[string][]string

// Principals says who a statement is about.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
type Principals struct {
	// Everyone is the bare "*". {"AWS": "*"} means the same and is kept apart
	// only so that each prints as it was written.
	Everyone bool

	// AWS lists account ids, root ARNs, user, role and role-session ARNs,
	// unique ids left behind by deleted principals, or "*".
	AWS           []string
	Service       []string
	Federated     []string
	CanonicalUser []string

	// Other keeps the kinds of principal that are not known here. They match
	// no one.
	Other map[string][]string
}

// member is a JSON member that is kept without being understood; value is
// minified.
type member struct{ name, value string }
