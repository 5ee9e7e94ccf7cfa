package grant

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Attributes are a row as its table holds it: text, lists of text, and maps of
// lists, as encoding/json would decode them into any. Whatever else a table can
// hold is passed on as it is and refused here.
type Attributes map[string]any

// What a table can hold beyond what JSON has, as an attribute of a row that is none.
type (
	// NumberSet is a set of numbers.
	NumberSet []json.Number
	// BinarySet is a set of binary values.
	BinarySet [][]byte
)

// reservedPrefix begins the names of attributes that AWS adds to items, such as
// those of the replication of global tables of version 2017.11.29. They say
// nothing about access: they are ignored, and an attribute whose name an admin
// misspelt never begins so.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/globaltables_HowItWorks.html
const reservedPrefix = "aws:"

// ReservedAttribute reports whether AWS, and not an admin, wrote the attribute.
func ReservedAttribute(name string) bool { return strings.HasPrefix(name, reservedPrefix) }

// The attributes of the grants table.
const (
	AttrGateway     = "gateway"
	AttrGrant       = "grant"
	AttrPrincipal   = "principal"
	AttrExpires     = "expires"
	AttrRole        = "role"
	AttrFollow      = "follow"
	AttrExclude     = "exclude"
	AttrConditions  = "conditions"
	AttrReason      = "reason"
	AttrRequestedBy = "requestedBy"
	AttrSource      = "source"
	AttrForm        = "form" // of a row that only newer versions of the product understand
)

// Form is the form of rows that this version understands. A row without the attribute
// is of form 1.
const Form = 1

// The kinds of condition.
const (
	conditionVPCE = "sourceVpce"
	conditionVPC  = "sourceVpc"
	conditionIP   = "sourceIp"
)

// Parse reads a row. It never fails: a row that cannot be understood carries
// its Fault, so that every other row still works.
func Parse(attributes Attributes) Row {
	gateway, _ := attributes[AttrGateway].(string)
	id, _ := attributes[AttrGrant].(string)
	row := Row{Key: Key{Gateway: gateway, ID: id}, Revision: revision(attributes)}
	parsed, fault := parse(attributes)
	if fault != nil {
		row.Fault = fault
		if text, ok := attributes[AttrPrincipal].(string); ok {
			row.Named, _ = ParsePrincipal(text)
		}
		return row
	}
	row.Grant = parsed
	return row
}

func parse(attributes Attributes) (*Grant, *Error) {
	r := reader{attributes: attributes}
	r.form()
	r.onlyKnown()
	gateway := r.key()
	g := &Grant{
		Principal:   r.principal(),
		Role:        r.role(),
		Expires:     r.expires(),
		Conditions:  r.conditions(),
		Exclude:     r.exclude(),
		Reason:      r.text(AttrReason),
		RequestedBy: r.text(AttrRequestedBy),
		Source:      r.text(AttrSource),
	}
	follow, followSet := r.follow()
	if r.fault == nil {
		r.fault = g.validate(follow, followSet)
	}
	if r.fault == nil && gateway != (Gateway{}) {
		r.fault = g.liveWith(gateway)
	}
	return g, r.fault
}

// liveWith holds the principal against the gateway of the row. No principal can
// call a gateway of another partition. Within its own, an account is the same by
// its id and by its root's ARN. A row for every gateway meets gateways of any
// partition, so there the ARN says more than the id.
func (g *Grant) liveWith(gateway Gateway) *Error {
	switch partition := g.Principal.partition; {
	case partition != "" && partition != gateway.partition:
		return &Error{
			Code: CodeOtherPartition, Op: "read principal " + quote(g.Principal.String()),
			Hint: "the principal is in partition " + partition + " and the gateway in " + gateway.partition +
				", and no call crosses partitions: write a principal of arn:" + gateway.partition,
		}
	case g.Principal.kind == KindAccount:
		g.Principal.partition = ""
	}
	return nil
}

// validate checks what the attributes mean together and fills what follows from
// them.
func (g *Grant) validate(follow Follow, followSet bool) *Error {
	if g.Role != "" && g.Principal.kind != KindAccount && !g.Principal.IsSelector() {
		return &Error{Code: CodeInvalidRole, Op: "read role", Hint: "role narrows an account, an OU, the organization or a tag; the principal already names a role or user"}
	}
	if !g.Exclude.IsZero() && !g.Principal.IsSelector() {
		return &Error{Code: CodeInvalidExclude, Op: "read exclude", Hint: "exclude applies to an OU, the organization or a tag; this grant names its principal exactly"}
	}
	exact := g.Subject().IsExact()
	if followSet && follow == FollowIdentity && !exact {
		return &Error{Code: CodeInvalidFollow, Op: "read follow", Hint: "only one exact role or user has an identity to follow; patterns and selectors go by name"}
	}
	g.Follow = follow
	if !followSet && !exact {
		g.Follow = FollowName
	}
	return nil
}

// reader takes attributes one by one and keeps the first fault.
type reader struct {
	attributes Attributes
	fault      *Error
}

func (r *reader) fail(code Code, op, hint string) {
	if r.fault == nil {
		r.fault = &Error{Code: code, Op: op, Hint: hint}
	}
}

var knownAttributes = []string{
	AttrGateway, AttrGrant, AttrPrincipal, AttrExpires, AttrRole, AttrFollow,
	AttrExclude, AttrConditions, AttrReason, AttrRequestedBy, AttrSource,
}

// KnownAttributes are the attributes that a row can have, its key first.
func KnownAttributes() []string { return slices.Clone(knownAttributes) }

// form checks the form of the row: what a newer version wrote may mean anything.
func (r *reader) form() {
	value, ok := r.attributes[AttrForm]
	if !ok {
		return
	}
	switch form, err := strconv.Atoi(fmt.Sprint(value)); {
	case err != nil || form < 1:
		r.fail(CodeWrongType, "read "+AttrForm, "the product writes it: leave it out")
	case form > Form:
		r.fail(CodeNewerVersion, "read "+AttrForm, fmt.Sprintf("a newer version of the product wrote the row in form %d, and this version knows form %d: deploy that version", form, Form))
	}
}

// onlyKnown refuses attributes that are not ours: a misspelt "conditions" must
// not widen access.
func (r *reader) onlyKnown() {
	var unknown []string
	for name := range r.attributes {
		if name != AttrForm && !slices.Contains(knownAttributes, name) && !ReservedAttribute(name) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		sort.Strings(unknown)
		r.fail(CodeUnknownAttribute, "read attribute "+quote(unknown[0]),
			"the attributes are "+strings.Join(knownAttributes, ", "))
	}
}

// key checks the row's key. The gateway is the zero one for every gateway.
func (r *reader) key() Gateway {
	var gateway Gateway
	if text := r.text(AttrGateway); text != EveryGateway {
		var err error
		if gateway, err = ParseGateway(text); err != nil {
			r.fail(CodeInvalidGateway, "read gateway "+quote(text), gatewayHint)
		}
	}
	if id := r.text(AttrGrant); !freeID().MatchString(id) {
		r.fail(CodeInvalidID, "read grant "+quote(id), "a grant's id is 1 to 256 printable characters and does not begin with #: write the row again under another id")
	}
	return gateway
}

// text reads an optional text attribute.
func (r *reader) text(name string) string {
	value, ok := r.attributes[name]
	if !ok {
		return ""
	}
	text, ok := value.(string)
	if !ok {
		r.fail(CodeWrongType, "read "+name, "write "+name+" as a string")
	}
	return text
}

func (r *reader) principal() Principal {
	text := r.text(AttrPrincipal)
	if text == "" {
		r.fail(CodeNoPrincipal, "read principal", "a grant needs a principal: a 12-digit account id, a role or user ARN, ou-…, o-… or tag:Key=Value")
		return Principal{}
	}
	principal, err := ParsePrincipal(text)
	if fault, ok := errors.AsType[*Error](err); ok && r.fault == nil {
		r.fault = fault
	}
	return principal
}

func (r *reader) role() string {
	if _, ok := r.attributes[AttrRole]; !ok {
		return ""
	}
	role := r.text(AttrRole)
	if !iamName().MatchString(role) && !iamPattern().MatchString(role) {
		r.fail(CodeInvalidRole, "read role "+quote(role), "write a role's name or a pattern of names, with its path and without a leading slash, such as AgentRole or team/Agent*")
	}
	return plainPattern(role)
}

func (r *reader) follow() (follow Follow, set bool) {
	if _, ok := r.attributes[AttrFollow]; !ok {
		return FollowIdentity, false
	}
	switch text := r.text(AttrFollow); text {
	case "identity":
		return FollowIdentity, true
	case "name":
		return FollowName, true
	default:
		r.fail(CodeInvalidFollow, "read follow "+quote(text), "follow is identity or name")
		return FollowIdentity, true
	}
}

// Expiries that can be written in RFC 3339, in a policy as well as in a table. The
// first leaves out the zero time, which stands for never.
var (
	firstExpiry = time.Unix(0, 0).UTC()
	lastExpiry  = time.Date(9999, time.December, 31, 23, 59, 59, 0, time.UTC)
)

// expires reads an RFC 3339 time, or a date that means the end of that day in
// UTC. What lies beyond lastExpiry ends then, and what lies before firstExpiry is
// taken for a mistake.
func (r *reader) expires() time.Time {
	if _, ok := r.attributes[AttrExpires]; !ok {
		return time.Time{}
	}
	text := r.text(AttrExpires)
	moment, err := time.Parse(time.RFC3339, text)
	if err != nil {
		moment, err = time.Parse(time.DateOnly, text)
		moment = moment.AddDate(0, 0, 1)
	}
	switch {
	case err != nil || moment.Before(firstExpiry):
	case moment.After(lastExpiry):
		return lastExpiry
	default:
		return moment.UTC()
	}
	r.fail(CodeInvalidExpiry, "read expires "+quote(text), "write a date such as 2027-01-31 (to its end, UTC) or a time such as 2027-01-31T18:00:00Z")
	return time.Time{}
}

func (r *reader) exclude() Exclusion {
	value, ok := r.attributes[AttrExclude]
	if !ok {
		return Exclusion{}
	}
	ids, ok := textList(value)
	if !ok || len(ids) == 0 {
		r.fail(CodeInvalidExclude, "read exclude", "write a list of account ids and OU ids; leave it out for none")
		return Exclusion{}
	}
	var e Exclusion
	for _, id := range ids {
		switch {
		case accountID().MatchString(id):
			e.Accounts = append(e.Accounts, id)
		case unitID().MatchString(id):
			e.Units = append(e.Units, id)
		default:
			r.fail(CodeInvalidExclude, "read exclude "+quote(id), excludeHint(id))
			return Exclusion{}
		}
	}
	return e
}

// textList reads a list of text, sorted and without repetition.
func textList(value any) ([]string, bool) {
	list, ok := value.([]any)
	if !ok {
		return nil, false
	}
	texts := make([]string, 0, len(list))
	for _, item := range list {
		text, ok := item.(string)
		if !ok {
			return nil, false
		}
		texts = append(texts, text)
	}
	slices.Sort(texts)
	return slices.Compact(texts), true
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// revision is a digest of everything that the admin wrote, faults included.
func revision(attributes Attributes) string {
	written := make(Attributes, len(attributes))
	for name, value := range attributes {
		if !ReservedAttribute(name) {
			written[name] = value
		}
	}
	text, err := json.Marshal(written)
	if err != nil {
		text = fmt.Append(nil, written) // a kind that JSON lacks: the row is at fault in any case
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}
