package delivery

import (
	"context"
	"slices"
	"sync"
)

// MemoryStream is a stream in memory, of one mapping. Records that the mapping has dealt
// with are forgotten. It is safe for concurrent use.
type MemoryStream struct {
	work *Work // every record until it is dealt with; may be nil

	mu      sync.Mutex
	records []Record
}

var _ Stream = (*MemoryStream)(nil)

// NewMemoryStream makes a stream without records.
func NewMemoryStream(work *Work) *MemoryStream { return &MemoryStream{work: work} }

// Append adds records, whose sequence numbers are those of the table.
func (s *MemoryStream) Append(records ...Record) {
	s.work.Add(len(records))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = append(s.records, records...)
}

// Read forgets what comes before the place.
func (s *MemoryStream) Read(_ context.Context, place *Place, most int) ([]Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	done := 1 + slices.IndexFunc(s.records, func(r Record) bool { return sequence(r) == place.done })
	s.records = s.records[done:]
	s.work.Done(done)
	return slices.Clone(s.records[:min(most, len(s.records))]), nil
}
