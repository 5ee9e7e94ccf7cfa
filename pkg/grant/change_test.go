package grant_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func change(id, was, is string) grant.RowChange {
	return grant.RowChange{Key: grant.Key{Gateway: "*", ID: id}, At: noon, Was: was, Is: is}
}

func TestNetChanges(t *testing.T) {
	for name, test := range map[string]struct {
		reason  string
		changes []grant.RowChange
		want    []grant.RowChange
	}{
		"changed twice":          {"what it was first, and is last", []grant.RowChange{change("a", "1", "2"), change("a", "2", "3")}, []grant.RowChange{change("a", "1", "3")}},
		"there and back":         {"it is as it was", []grant.RowChange{change("a", "1", "2"), change("a", "2", "1")}, nil},
		"removed and made again": {"it was changed", []grant.RowChange{change("a", "1", ""), change("a", "", "2")}, []grant.RowChange{change("a", "1", "2")}},
		"added and removed":      {"there was none before", []grant.RowChange{change("a", "", "1"), change("a", "1", "")}, nil},
		"two rows":               {"sorted by key", []grant.RowChange{change("b", "1", ""), change("a", "1", "2")}, []grant.RowChange{change("a", "1", "2"), change("b", "1", "")}},
	} {
		if diff := cmp.Diff(test.want, grant.NetChanges(test.changes)); diff != "" {
			t.Errorf("%s: %s: -want +got\n%s", name, test.reason, diff)
		}
	}
}

func TestMassRemovalOf(t *testing.T) {
	removals := func(n int) (all []grant.RowChange) {
		for i := range n {
			all = append(all, change(strconv.Itoa(i), "1", ""))
		}
		return all
	}
	rows := func(from, to int) (all []grant.Row) {
		for i := from; i < to; i++ {
			all = append(all, grant.Row{Key: grant.Key{Gateway: "*", ID: strconv.Itoa(i)}})
		}
		return all
	}
	for name, test := range map[string]struct {
		reason  string
		changes []grant.RowChange
		left    []grant.Row
		want    grant.MassRemoval
	}{
		"ten of ten":       {"ten are few, whatever part of all they are", removals(10), nil, grant.MassRemoval{}},
		"eleven of eleven": {"more than ten, and all of them", removals(11), nil, grant.MassRemoval{At: noon, Removed: 11, Rows: 11}},
		"11 of 54":         {"more than a fifth", removals(11), rows(100, 143), grant.MassRemoval{At: noon, Removed: 11, Rows: 54}},
		"11 of 55":         {"a fifth is not more than a fifth", removals(11), rows(100, 144), grant.MassRemoval{}},
		"put back":         {"five of twelve are there again", removals(12), rows(0, 5), grant.MassRemoval{}},
		"moved":            {"rows that are replaced by as many others are removed all the same", removals(12), rows(100, 112), grant.MassRemoval{At: noon, Removed: 12, Rows: 24}},
		"changed":          {"no row is gone", []grant.RowChange{change("a", "1", "2")}, rows(0, 1), grant.MassRemoval{}},
	} {
		got, err := grant.MassRemovalOf(test.changes, func() ([]grant.Row, error) { return test.left, nil })
		if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
			t.Errorf("%s: %s: %v, -want +got\n%s", name, test.reason, err, diff)
		}
	}
	if _, err := grant.MassRemovalOf(removals(3), func() ([]grant.Row, error) { return nil, errors.New("read") }); err != nil {
		t.Errorf("a few removals read every row: %v", err)
	}
	if _, err := grant.MassRemovalOf(removals(11), func() ([]grant.Row, error) { return nil, errors.New("read") }); err == nil {
		t.Error("rows that cannot be read are no mass removal")
	}
}
