package plan

import (
	"flag"
	"os"
	"testing"
)

// Worlds are cheap to make and rarely odd, so that each property is held to more
// of them than rapid does by itself.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "200"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
