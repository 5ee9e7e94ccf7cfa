package store

import (
	"context"
	"time"
)

// ProbesPartition of the state table holds an item for each probe that arrived.
const ProbesPartition = "#probes"

// ProbeFor is how long it is kept that a probe arrived.
const ProbeFor = 24 * time.Hour

type probeItem struct {
	Partition string `dynamodbav:"gateway"`
	Item      string `dynamodbav:"item"`
	Expiry    int64  `dynamodbav:"ttl"`
}

// ProbeItem says that a probe arrived at that time.
func ProbeItem(id string, at time.Time) Item {
	return marshal(probeItem{Partition: ProbesPartition, Item: id, Expiry: at.Add(ProbeFor).Unix()})
}

// RecordProbe records that a probe arrived, once or more often, for ProbeFor.
func (s *States) RecordProbe(ctx context.Context, id string, at time.Time) error {
	return s.putItem(ctx, ProbeItem(id, at), "record that a probe arrived")
}

// Probes lists the probes that arrived and whose ids begin so, sorted.
func (s *States) Probes(ctx context.Context, prefix string) ([]string, error) {
	items, err := query(ctx, s.client, s.table, inPartition(StatesLayout.Partition, ProbesPartition).
		and("begins_with(#sort, :sort)", StatesLayout.Sort, prefix))
	if err != nil {
		return nil, unread(s.table, "read which probes arrived", err)
	}
	var ids []string
	for _, item := range items {
		ids = append(ids, StatesLayout.Of(item).Sort)
	}
	return ids, nil
}
