package handler_test

import (
	"strings"
	"testing"
	"time"
)

func TestGrantLatencyBeginsAtTheWrite(t *testing.T) {
	written := time.Date(2026, 11, 20, 8, 59, 58, 500e6, time.UTC)
	for name, c := range map[string]struct {
		reason, created string
		want            time.Time
	}{
		"with time": {"the stream says when", `1795165198.5`, written},
		"no time":   {"then it begins with the batch", ``, at},
		"as text":   {"an odd record is not lost for it", `"now"`, at},
		"far off":   {"nor is one of another age", `1e300`, at},
		"in 1970":   {"nor one without a time", `0`, at},
		"long past": {"records wait for a day at most, and are measured then", `1795078798.5`, written.AddDate(0, 0, -1)},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			record := recordOf(1, storyARN, "team-b")
			if c.created != "" {
				record = strings.Replace(record, `"dynamodb":{`, `"dynamodb":{"ApproximateCreationDateTime":`+c.created+`,`, 1)
			}
			deliver(t, t.Context(), w.tableChanges(), batchOf(record))
			causes := w.reconciler.causes[storyARN]
			if len(causes) != 1 || !causes[0].RequestedAt.Equal(c.want) {
				t.Errorf("%s: causes %+v, want %s", c.reason, causes, c.want)
			}
			if w.metrics.of[storyARN]["GatewaysReconciled"] != 1 {
				t.Errorf("%s: measured %v", c.reason, w.metrics.of)
			}
		})
	}
}
