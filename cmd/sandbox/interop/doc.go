// Package interop proves the stand-in with clients and suites that we did not write.
// `make interop` runs them against a stand-in of its own, which they know only by its
// command line and endpoint, and writes what they did into docs/interop.md. It is all
// tests; those that run a client need the build tag interop.
package interop
