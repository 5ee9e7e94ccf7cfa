// Package version says which version of the product this is.
package version

import "runtime/debug"

// stamped is set by the build: -ldflags "-X .../pkg/version.stamped=1.2.3".
var stamped string

// Unknown is the version of a build that neither the Makefile nor the Go tool stamped.
const Unknown = "(devel)"

// Product is the version that the build stamped, else the one that the Go tool knows.
func Product() string {
	if stamped != "" {
		return stamped
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return Unknown
}
