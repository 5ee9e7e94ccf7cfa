// Package version says which version of the product this is.
package version

import (
	"runtime/debug"
	"sync"
)

// stamped is set by the build: -ldflags "-X .../pkg/version.stamped=1.2.3".
var stamped string

// Unknown is the version of a build that neither the Makefile nor the Go tool stamped.
const Unknown = "(devel)"

// Product is the version that the build stamped, else the one that the Go tool knows.
func Product() string {
	if stamped != "" {
		return stamped
	}
	return built()
}

// built is read once: every item of the state table names the version.
var built = sync.OnceValue(func() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return Unknown
})
