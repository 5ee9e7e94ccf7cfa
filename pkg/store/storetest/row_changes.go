package storetest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

func rowChange(id, sequence string, minutes int, was, is string) grant.RowChange {
	return grant.RowChange{Key: grant.Key{Gateway: alpha.ARN(), ID: id}, At: at(minutes), Sequence: sequence, Was: was, Is: is, By: "dynamodb.amazonaws.com"}
}

func rowChangesKept(t *testing.T, table StatesTable) {
	first, second, third := rowChange("a", "9", 1, `{"a":{"S":"1"}}`, `{"a":{"S":"2"}}`), rowChange("a", "10", 1, `{"a":{"S":"2"}}`, ""), rowChange("b", "8", 2, "", `{"b":{"N":"1"}}`)
	for _, change := range []grant.RowChange{third, second, first, second} {
		must(t, table.RecordRow(t.Context(), change))
	}
	changes := func(minutes int) []grant.RowChange {
		all, err := table.RowChanges(t.Context(), at(minutes))
		must(t, err)
		return all
	}
	same(t, "all changes", []grant.RowChange{first, second, third}, changes(0))
	same(t, "the later ones", []grant.RowChange{third}, changes(2))
	same(t, "none", 0, len(changes(3)))
}

func largeRowsNamed(t *testing.T, table StatesTable) {
	large := `{"a":{"S":"` + strings.Repeat("x", 405_000) + `"}}`
	for i, change := range []grant.RowChange{rowChange("a", "1", 1, large, ""), rowChange("a", "2", 2, `{"a":{"S":"1"}}`, large), rowChange("a", "3", 3, large, large)} {
		must(t, table.RecordRow(t.Context(), change))
		all, err := table.RowChanges(t.Context(), at(i+1))
		must(t, err)
		if len(all) != 1 || all[0].Verb() != change.Verb() || (i == 1) != (all[0].Was == change.Was) {
			t.Errorf("change %d is kept as %d changes, the first of which is %.80v", i, len(all), all)
		}
	}
}

func journalsTogether(t *testing.T, table StatesTable) {
	entry := func(minutes int) reconcile.Entry {
		return reconcile.Entry{At: at(minutes), Cause: "sweep", Outcome: "written", Written: "{}"}
	}
	must(t, table.Journal(t.Context(), alpha, entry(1)))
	must(t, table.Journal(t.Context(), beta, entry(2)))
	must(t, table.Journal(t.Context(), alpha, entry(3)))
	must(t, table.RecordRow(t.Context(), rowChange("a", "9", 2, "", "{}")))
	got, err := table.Journals(t.Context(), at(2))
	must(t, err)
	same(t, "journals", map[string][]reconcile.Entry{alpha.ARN(): {entry(3)}, beta.ARN(): {entry(2)}}, got)
}

func removalKept(t *testing.T, table StatesTable) {
	none, err := table.Removal(t.Context())
	must(t, err)
	same(t, "no removal", grant.MassRemoval{}, none)
	for _, removal := range []grant.MassRemoval{{At: at(1), Removed: 20, Rows: 40}, {At: at(2), Removed: 30, Rows: 50}} {
		must(t, table.SetRemoval(t.Context(), removal))
		got, err := table.Removal(t.Context())
		must(t, err)
		same(t, "removal", removal, got)
	}
	due, err := table.Due(t.Context(), time.Now().AddDate(10, 0, 0))
	must(t, err)
	same(t, "gateways that are due because of it", 0, len(due))
}

// rowsArePutBack also has what no grant has: an admin's row holds whatever DynamoDB does.
func rowsArePutBack(t *testing.T, table GrantsTable) {
	must(t, table.PutSentinel(t.Context()))
	odd := row(alpha.ARN(), "odd", "principal", "444455556666", "number", json.Number("1.50"), "set", store.StringSet{"b", "a"}, "numbers", store.NumberSet{"2", "1"},
		"binary", []byte{0, 255}, "none", nil, "yes", true, "list", []any{"x", map[string]any{"deep": []any{"y"}}}, "empty", "", "binaries", store.BinarySet{{2}, {1}})
	must(t, table.Put(t.Context(), odd, true))
	text := func() string {
		texts, err := table.Texts(t.Context())
		must(t, err)
		return texts[grant.Key{Gateway: alpha.ARN(), ID: "odd"}]
	}
	was := text()
	key := grant.Key{Gateway: alpha.ARN(), ID: "odd"}
	_, err := table.Delete(t.Context(), key)
	must(t, err)
	must(t, table.PutBack(t.Context(), grant.RowChange{Key: key, Was: was}))
	same(t, "the row after its removal", was, text())

	must(t, table.Put(t.Context(), row(alpha.ARN(), "odd", "principal", "777788889999"), false))
	must(t, table.PutBack(t.Context(), grant.RowChange{Key: key, Was: was, Is: text()}))
	same(t, "the row after its change", was, text())
}

func changedRowsStay(t *testing.T, table GrantsTable) {
	must(t, table.PutSentinel(t.Context()))
	key := grant.Key{Gateway: alpha.ARN(), ID: "a"}
	is := func(attributes grant.Attributes) string {
		must(t, table.Put(t.Context(), attributes, false))
		texts, err := table.Texts(t.Context())
		must(t, err)
		return texts[key]
	}
	was := is(row(alpha.ARN(), "a", "principal", "444455556666", "reason", "pilot"))
	removed := grant.RowChange{Key: key, Was: was}
	changed := grant.RowChange{Key: key, Was: was, Is: is(row(alpha.ARN(), "a", "principal", "777788889999"))}
	for name, step := range map[string]struct {
		now    grant.Attributes
		change grant.RowChange
	}{
		"a row that was removed and written again": {row(alpha.ARN(), "a", "principal", "777788889999"), removed},
		"an attribute changed again":               {row(alpha.ARN(), "a", "principal", "888899990000"), changed},
		"an attribute that the row had before":     {row(alpha.ARN(), "a", "principal", "777788889999", "reason", "other"), changed},
	} {
		now := is(step.now)
		if err := table.PutBack(t.Context(), step.change); grant.CodeOf(err) != store.CodeRowChanged {
			t.Errorf("%s: %v", name, err)
		}
		texts, err := table.Texts(t.Context())
		must(t, err)
		same(t, name, now, texts[key])
	}
	_, err := table.Delete(t.Context(), key)
	must(t, err)
	if err := table.PutBack(t.Context(), changed); grant.CodeOf(err) != store.CodeRowChanged {
		t.Errorf("a row that was removed since: %v", err)
	}
}
