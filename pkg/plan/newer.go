package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
)

// A newer version of the product may give rows a meaning that this one does not know.
// Where it recorded the gateway in a newer form, the record alone says what the rows
// gave. All access that stands is kept until a recorded row has ended: it was deleted,
// or its recorded expiry has passed. Then the access that no other recorded row gave
// is taken out. Nothing is added.

// asRecorded is the world in which no row is understood, where a newer version recorded
// the gateway.
func (w World) asRecorded() World {
	w.Rows = notUnderstood(w.Rows, w.Gateway.Recorded.Newer)
	return w
}

func notUnderstood(rows []grant.Row, newer ledger.Newer) []grant.Row {
	if newer == (ledger.Newer{}) {
		return rows
	}
	all := slices.Clone(rows)
	for i := range all {
		all[i].Grant, all[i].Fault = nil, cmp.Or(all[i].Fault, newerVersion(newer))
	}
	return all
}

// newerVersion is why this version adds nothing.
func newerVersion(newer ledger.Newer) *grant.Error {
	by := "a newer version"
	if newer.Product != "" {
		by = "version " + newer.Product
	}
	return &grant.Error{
		Code: grant.CodeNewerVersion, Op: "read what is recorded of the gateway",
		Hint: fmt.Sprintf("%s of the product recorded the gateway in form %d, and this version knows form %d: recorded access is kept until its recorded expiry or until its row is deleted, and nothing is added; deploy that version again",
			by, newer.Form, ledger.Form),
	}
}

// hasEnded reports whether a row that is recorded to have let in a principal which the
// policy still names was deleted, or has expired by the record, or that the record cannot
// explain a principal that it names.
func (w World) hasEnded(owned observation) bool {
	recorded, rows := w.Gateway.Recorded, make(map[grant.Key]bool)
	for _, row := range w.Rows {
		rows[row.Key] = true
	}
	for key, revision := range recorded.Gateway.PendingRevisions {
		if !rows[key] || expired(revision, w.Now) {
			return true
		}
	}
	stands := make(map[string]bool)
	for a := range owned.accesses {
		stands[a.Who.String()] = true
	}
	if !w.explains(stands) {
		return true
	}
	for key, status := range recorded.Grants {
		if rows[key] && !expired(status.LastValid, w.Now) {
			continue
		}
		if slices.ContainsFunc(status.Given(), func(who string) bool { return stands[who] }) {
			return true
		}
	}
	return false
}

// explains reports whether the record may explain all principals that the policy names.
func (w World) explains(stands map[string]bool) bool {
	recorded, unexplained := w.Gateway.Recorded, maps.Clone(stands)
	for _, status := range recorded.Grants {
		for _, who := range status.Given() {
			delete(unexplained, who)
		}
	}
	for _, revision := range recorded.Gateway.PendingRevisions {
		written, _ := grant.ReadCanonical(revision)
		if written == nil || written.Principal.IsSelector() { // it may have let in any of them
			return true
		}
		delete(unexplained, written.Subject().ARN(w.Gateway.Gateway.Partition()))
	}
	return len(unexplained) == 0 || w.Now.Before(recorded.Gateway.InFlightUntil)
}

func expired(revision string, now time.Time) bool {
	_, expires := grant.ReadCanonical(revision)
	return !(&grant.Grant{Expires: expires}).Live(now)
}
