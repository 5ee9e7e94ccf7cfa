package storetest

import (
	"encoding/json"
	"maps"
	"strconv"
	"sync"
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

func changesRevise(t *testing.T, table GrantsTable) {
	withSentinel(t, table)
	values := maps.Clone(odd)
	maps.Copy(values, map[string]any{
		"text": "2027-01-31", "empty": "", "number as text": "4.50", "boolean as text": "true", "other number": json.Number("4.51"),
		"longer list": []any{"2027-01-31", "2027-01-31"}, "number in list": []any{json.Number("1"), json.Number("2"), json.Number("3")},
	})
	revisions := make(map[string]string)
	for name, value := range values {
		putRows(t, table, row(alpha.ARN(), "one", grant.AttrPrincipal, "444455556666", grant.AttrReason, value))
		for range 2 {
			rows, err := table.ForGateway(t.Context(), alpha)
			must(t, err)
			if other, used := revisions[rows[0].Revision]; used && other != name {
				t.Errorf("%q and %q have one revision", name, other)
			}
			revisions[rows[0].Revision] = name
		}
	}
	same(t, "number of revisions", len(values), len(revisions))
}

func newRowsAreNew(t *testing.T, table GrantsTable) {
	withSentinel(t, table)
	must(t, table.Put(t.Context(), row(alpha.ARN(), "one", grant.AttrPrincipal, "444455556666"), true))
	must(t, table.Put(t.Context(), row(beta.ARN(), "one", grant.AttrPrincipal, "444455556666"), true))
	err := table.Put(t.Context(), row(alpha.ARN(), "one", grant.AttrPrincipal, "777788889999"), true)
	if grant.CodeOf(err) != store.CodeGrantExists {
		t.Errorf("want code %s, got %v", store.CodeGrantExists, err)
	}
	rows, err := table.ForGateway(t.Context(), alpha)
	must(t, err)
	same(t, "the row", []grant.Row{grant.Parse(row(alpha.ARN(), "one", grant.AttrPrincipal, "444455556666"))}, rows)
}

func oneWriterOfANewRow(t *testing.T, table GrantsTable) {
	withSentinel(t, table)
	errs := make([]error, 8)
	var writers sync.WaitGroup
	for i := range errs {
		writers.Go(func() {
			errs[i] = table.Put(t.Context(), row(alpha.ARN(), "one", grant.AttrPrincipal, "444455556666", grant.AttrReason, strconv.Itoa(i)), true)
		})
	}
	writers.Wait()
	var winner []string
	for i, err := range errs {
		switch {
		case err == nil:
			winner = append(winner, strconv.Itoa(i))
		case grant.CodeOf(err) != store.CodeGrantExists:
			t.Error(err)
		}
	}
	rows, err := table.ForGateway(t.Context(), alpha)
	must(t, err)
	if len(winner) != 1 || len(rows) != 1 || rows[0].Grant.Reason != winner[0] {
		t.Errorf("writers %v succeeded, the table holds %v", winner, rows)
	}
}

func rowsAreReplaced(t *testing.T, table GrantsTable) {
	withSentinel(t, table,
		row(alpha.ARN(), "one", grant.AttrPrincipal, "444455556666", grant.AttrRole, "Agent", grant.AttrExpires, "2027-01-31"),
		row(alpha.ARN(), "one", grant.AttrPrincipal, "777788889999"))
	rows, err := table.ForGateway(t.Context(), alpha)
	must(t, err)
	same(t, "the row", []grant.Row{grant.Parse(row(alpha.ARN(), "one", grant.AttrPrincipal, "777788889999"))}, rows)
}

func rowsAreDeleted(t *testing.T, table GrantsTable) {
	withSentinel(t, table,
		row(alpha.ARN(), "one", grant.AttrPrincipal, "444455556666"), row(beta.ARN(), "one", grant.AttrPrincipal, "444455556666"))
	for _, want := range []bool{true, false} {
		existed, err := table.Delete(t.Context(), grant.Key{Gateway: alpha.ARN(), ID: "one"})
		must(t, err)
		same(t, "existed", want, existed)
	}
	rows, err := table.All(t.Context())
	must(t, err)
	same(t, "what is left", []grant.Row{grant.Parse(row(beta.ARN(), "one", grant.AttrPrincipal, "444455556666"))}, rows)
}

func badRowsAreRefused(t *testing.T, table GrantsTable) {
	withSentinel(t, table)
	for name, c := range map[string]struct {
		reason string
		row    grant.Attributes
		want   grant.Code
	}{
		"no id":           {"a key has both parts", grant.Attributes{grant.AttrGateway: alpha.ARN()}, store.CodeWriteFailed},
		"empty id":        {"a key is not empty", row(alpha.ARN(), ""), store.CodeWriteFailed},
		"empty gateway":   {"a key is not empty", row("", "one"), store.CodeWriteFailed},
		"empty principal": {"the key of an index is not empty", row(alpha.ARN(), "one", grant.AttrPrincipal, ""), store.CodeWriteFailed},
		"an int":          {"numbers are json.Number, which keeps their text", row(alpha.ARN(), "one", "n", 1), store.CodeBadRow},
		"a channel":       {"nothing holds a channel, however deep", row(alpha.ARN(), "one", "c", []any{map[string]any{"c": make(chan int)}}), store.CodeBadRow},
	} {
		if err := table.Put(t.Context(), c.row, false); grant.CodeOf(err) != c.want {
			t.Errorf("%s: %s: want code %s, got %v", name, c.reason, c.want, err)
		}
	}
	rows, err := table.All(t.Context())
	must(t, err)
	same(t, "rows", []string{}, keysOf(rows))
}

func rowsAreSwapped(t *testing.T, table GrantsTable) {
	key := grant.Key{Gateway: alpha.ARN(), ID: "one"}
	first := row(key.Gateway, key.ID, grant.AttrPrincipal, "ou-abcd-11112222", grant.AttrExclude, store.StringSet{"444455556666"})
	second := row(key.Gateway, key.ID, grant.AttrPrincipal, "444455556666", grant.AttrConditions, map[string]any{"sourceIp": []any{"203.0.113.0/24"}})
	withSentinel(t, table)
	revision := func() string {
		t.Helper()
		rows, err := table.All(t.Context())
		must(t, err)
		if len(rows) == 0 {
			return ""
		}
		return rows[0].Revision
	}
	changed := func(what, shown string, attributes grant.Attributes) {
		t.Helper()
		before := revision()
		if err := table.Swap(t.Context(), key, shown, attributes); grant.CodeOf(err) != store.CodeRowChanged || revision() != before {
			t.Errorf("%s: want code %s and nothing written, got %v", what, store.CodeRowChanged, err)
		}
	}
	changed("a row that is gone", "0123456789abcdef", first)
	changed("a row that is gone, to be deleted", "0123456789abcdef", nil)
	must(t, table.Swap(t.Context(), key, "", first))
	changed("a row that is there by now", "", second)
	one := revision()
	must(t, table.Swap(t.Context(), key, one, second))
	changed("a row that is another one by now", one, first)
	changed("a row that is another one by now, to be deleted", one, nil)
	written, err := table.Written(t.Context())
	must(t, err)
	same(t, "what was written", []grant.Attributes{second}, written)
	must(t, table.Swap(t.Context(), key, revision(), nil))
	same(t, "the revision of no row", "", revision())
}
