package plan

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
)

// invalidated is the row after an edit that cannot be understood.
func invalidated(t *rapid.T, row grant.Row) grant.Row {
	attributes := grant.Attributes{"gateway": row.Gateway, "grant": row.ID, "principal": pick(t, "principal after the edit", accounts)}
	switch pick(t, "mistake", []string{"unknown attribute", "no principal", "conditions", "expiry"}) {
	case "unknown attribute":
		attributes["condition"] = rapid.StringN(1, 8, -1).Draw(t, "value")
	case "no principal":
		delete(attributes, "principal")
	case "conditions":
		attributes["conditions"] = map[string]any{"sourceIp": []any{"everywhere"}}
	case "expiry":
		attributes["expires"] = "some day"
	}
	return grant.Parse(attributes)
}

// Rows are edited at random, and a run follows each edit. Access that stands is
// neither widened nor taken because a row cannot be understood: what an Invalid row
// gives is within what it gave when it was last valid, and all of it that is live
// stays until the row is deleted.
func TestInvalidRowKeepsAccessExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, limits := genWorld(t)
		w.Gateway.Recorded, w.Gateway.Policy = ledger.State{}, nil
		limits.MaxBytes, limits.MaxStatements = MaxPolicyBytes, MaxPolicyStatements
		gave := make(map[grant.Key]map[Access]bool) // by the last valid revision
		for range rapid.IntRange(2, 8).Draw(t, "edits") {
			if len(w.Rows) > 0 {
				at := rapid.IntRange(0, len(w.Rows)-1).Draw(t, "row")
				switch pick(t, "edit", []string{"invalid", "invalid", "invalid", "valid", "delete"}) {
				case "invalid":
					w.Rows = slices.Clone(w.Rows)
					w.Rows[at] = invalidated(t, w.Rows[at])
				case "valid":
					edited := genRow(t, w.Gateway.Gateway, w.Rows[at].ID)
					w.Rows = append(slices.Delete(slices.Clone(w.Rows), at, at+1), edited)
				default:
					w.Rows = slices.Delete(slices.Clone(w.Rows), at, at+1)
				}
			}
			moved := chance(t, "accounts move", 4)
			if moved {
				w.Accounts = genDirectory(t)
			}
			p := made(t, w, limits)
			gave = holdsToLastValid(t, w, p, gave, moved)
			w = applied(w, p)
		}
	})
}

// holdsToLastValid compares what each row gives by the plan with what it gave
// before, and returns what it gives by its last valid revision. Where accounts
// moved, a selector may mean fewer than it did.
func holdsToLastValid(t *rapid.T, w World, p drafted, gave map[grant.Key]map[Access]bool, moved bool) map[grant.Key]map[Access]bool {
	gives := make(map[grant.Key]map[Access]bool)
	for _, c := range p.draft.claims {
		admitted := make(map[Access]bool)
		for _, a := range c.accesses {
			if p.draft.verdict.admitted[a] {
				admitted[a] = true
			}
		}
		gives[c.row.Key] = admitted
	}
	for _, row := range w.Rows {
		if row.Fault == nil {
			continue
		}
		for a := range gives[row.Key] {
			if !gave[row.Key][a] {
				t.Fatalf("the Invalid row %s newly lets in %+v", row.Key, a)
			}
		}
		if status := p.Status[row.Key]; status.Phase != grant.PhaseInvalid {
			t.Fatalf("the row %s is %+v", row.Key, status)
		}
		for a := range gave[row.Key] {
			if !gives[row.Key][a] && !moved {
				t.Fatalf("the Invalid row %s lost %+v: %+v\n%s", row.Key, a, p.Status[row.Key], fmt.Sprint(slices.Collect(maps.Keys(gives))))
			}
		}
	}
	return gives
}
