package grant

import (
	"regexp"
	"sync"
)

// lazy compiles a pattern when it is first used: all of them, compiled at start,
// would be a third of the cold start of a function that needs none.
func lazy(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}
