package storetest

import (
	"testing"
	"time"
)

func probesAreKept(t *testing.T, table StatesTable) {
	probes := func(prefix string) []string {
		t.Helper()
		ids, err := table.Probes(t.Context(), prefix)
		must(t, err)
		return ids
	}
	same(t, "probes of an empty table", []string(nil), probes("run1-"))
	for i, id := range []string{"run1-1", "run2-0", "run1-0", "run1-0"} {
		must(t, table.RecordProbe(t.Context(), id, at(i)))
	}
	same(t, "probes of a run, each once", []string{"run1-0", "run1-1"}, probes("run1-"))
	same(t, "probes of another", []string{"run2-0"}, probes("run2-"))
	due, err := table.Due(t.Context(), time.Now().AddDate(10, 0, 0))
	must(t, err)
	same(t, "due", 0, len(due))
}
