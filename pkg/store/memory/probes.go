package memory

import (
	"context"
	"strings"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/store"
)

// RecordProbe records that a probe arrived, once or more often.
func (s *States) RecordProbe(ctx context.Context, id string, at time.Time) error {
	return s.table.write(ctx, "record that a probe arrived", func(v *view) error { return v.put(store.ProbeItem(id, at)) })
}

// Probes lists the probes that arrived and whose ids begin so, sorted.
func (s *States) Probes(ctx context.Context, prefix string) (ids []string, err error) {
	err = s.table.read(ctx, "read which probes arrived", func(v *view) error {
		for _, item := range v.partition(store.ProbesPartition) {
			if id := store.StatesLayout.Of(item).Sort; strings.HasPrefix(id, prefix) {
				ids = append(ids, id)
			}
		}
		return nil
	})
	return ids, err
}
