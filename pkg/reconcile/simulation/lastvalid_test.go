package simulation

import (
	"maps"
	"slices"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
)

// An edit that cannot be understood changes nothing: what the row's last valid
// revision gave stays, never more. The product knows a revision only once it has
// recorded it, so each revision since then may be the last valid one.

// A row that was deleted and written again before any run looked is an edited row to
// the product.

// revision is a valid revision of a row, and how often the row was deleted before.
type revision struct {
	grant.Row
	life int
}

// notes keeps the row as it is written, and as one of its valid revisions if it is one.
func (w *world) notes(attributes grant.Attributes) {
	key := grant.Parse(attributes).Key
	w.written[key] = attributes
	for _, g := range w.gateways {
		for _, row := range w.rows(g) {
			if row.Key == key && row.Fault == nil {
				g.valid[key] = append(slices.Clone(g.valid[key]), revision{row, w.lives[key]})
			}
		}
	}
}

// forgets notes that a row is deleted.
func (w *world) forgets(key grant.Key) {
	delete(w.written, key)
	w.lives[key]++
}

// stamped is a row that is there, with an attribute that the product does not know;
// where it has that already, the row without it.
func (w *world) stamped(key grant.Key) (grant.Attributes, bool) {
	known, ok := w.written[key]
	if !ok {
		return nil, false
	}
	row := maps.Clone(known)
	if _, has := row["colour"]; has {
		delete(row, "colour")
	} else {
		row["colour"] = "red"
	}
	return row, true
}

// seesRows forgets what a run has recorded to be gone, and the revisions before those
// that it has recorded.
func (n *run) seesRows(before, after map[grant.Key]grant.Status) {
	valid := n.gateway.valid
	for key := range before {
		if _, stays := after[key]; !stays {
			valid[key] = slices.DeleteFunc(slices.Clone(valid[key]), func(r revision) bool { return r.life < n.w.lives[key] })
		}
	}
	for key, status := range after {
		if known, ok := before[key]; ok && status.Same(known) {
			continue
		}
		at := slices.IndexFunc(valid[key], func(r revision) bool { return r.Revision == status.Revision })
		if at > 0 {
			valid[key] = valid[key][at:]
		}
	}
}

// revisions are what a row may give now: itself, or its last valid revision.
func (g *gateway) revisions(row grant.Row) []*grant.Grant {
	if row.Fault == nil {
		return []*grant.Grant{row.Grant}
	}
	var all []*grant.Grant
	for _, was := range g.valid[row.Key] {
		all = append(all, was.Grant)
	}
	return all
}

// kept is what rows that cannot be understood give, where that is certain: the state
// that the run loaded has their last valid revision.
func (w *world) kept(g *gateway, loaded ledger.State, rows []grant.Row) map[grant.Key]*grant.Grant {
	all := map[grant.Key]*grant.Grant{}
	for _, row := range rows {
		recorded := loaded.Grants[row.Key]
		known := recorded.LastValid == w.state(g).Grants[row.Key].LastValid
		if was := g.valid[row.Key]; row.Fault != nil && len(was) == 1 && known && len(recorded.Admitted) > 0 {
			all[row.Key] = was[0].Grant
		}
	}
	return all
}

// given is what a row gives, as the run must know it, and the principals that it may
// mean; nil for nothing.
func (n *run) given(row grant.Row) (g *grant.Grant, arns []string) {
	if row.Fault == nil {
		return n.recordedAs(row, row.Grant, n.claims(row.Grant))
	}
	if g = n.kept[row.Key]; g == nil {
		return nil, nil
	}
	admitted := n.state.Grants[row.Key].Admitted
	return n.recordedAs(row, g, slices.DeleteFunc(n.claims(g), func(arn string) bool { return !slices.Contains(admitted, arn) }))
}
