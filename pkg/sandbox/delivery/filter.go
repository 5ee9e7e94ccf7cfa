package delivery

import (
	"fmt"

	"github.com/gateway-grants/gateway-grants/pkg/sandbox/eventpattern"
)

// Filter says which records a mapping's function gets. The zero value passes all.
type Filter struct{ patterns []eventpattern.Pattern }

// ParseFilter reads the patterns of a mapping's filter criteria. A record passes that
// one of them matches.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
func ParseFilter(patterns []string) (Filter, error) {
	var f Filter
	for _, text := range patterns {
		pattern, err := eventpattern.Parse(text)
		if err != nil {
			return Filter{}, fmt.Errorf("filter %s: %w", text, err)
		}
		f.patterns = append(f.patterns, pattern)
	}
	return f, nil
}

func (f Filter) passes(record []byte) bool {
	for _, pattern := range f.patterns {
		if pattern.Matches(record) {
			return true
		}
	}
	return len(f.patterns) == 0
}
