package grant

import (
	"encoding/json"
	"time"
)

// Canonical writes what a valid row grants as one line of JSON: the attributes
// that decide access, each in one spelling. ReadCanonical reads it back.
func (r Row) Canonical() string {
	g := r.Grant
	attributes := Attributes{AttrGateway: r.Gateway, AttrGrant: r.ID, AttrPrincipal: g.Principal.String()}
	if g.Role != "" {
		attributes[AttrRole] = g.Role
	}
	if g.Subject().IsExact() {
		attributes[AttrFollow] = g.Follow.String()
	}
	if !g.Expires.IsZero() {
		attributes[AttrExpires] = g.Expires.UTC().Format(time.RFC3339Nano)
	}
	if excluded := append(append([]string{}, g.Exclude.Accounts...), g.Exclude.Units...); len(excluded) > 0 {
		attributes[AttrExclude] = excluded
	}
	if !g.Conditions.IsZero() {
		attributes[AttrConditions] = g.Conditions.attribute()
	}
	text, err := json.Marshal(attributes)
	if err != nil {
		panic("write a grant as JSON: " + err.Error()) // it has only text, lists and maps
	}
	return string(text)
}

func (c Conditions) attribute() map[string][]string {
	kinds := make(map[string][]string)
	for name, values := range map[string][]string{
		conditionVPCE: c.SourceVPCE, conditionVPC: c.SourceVPC, conditionIP: c.SourceIP,
	} {
		if len(values) > 0 {
			kinds[name] = values
		}
	}
	return kinds
}

// ReadCanonical reads what Canonical wrote. The grant is nil where the text is not
// wholly understood, as when a newer version of the product wrote it; the expiry
// is then read for itself, and zero where there is none.
func ReadCanonical(text string) (g *Grant, expires time.Time) {
	var attributes Attributes
	if err := json.Unmarshal([]byte(text), &attributes); err != nil {
		return nil, time.Time{}
	}
	if g, fault := parse(attributes); fault == nil {
		return g, g.Expires
	}
	alone := reader{attributes: attributes}
	return nil, alone.expires()
}
