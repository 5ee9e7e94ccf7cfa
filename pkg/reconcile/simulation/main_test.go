package simulation

import (
	"os"
	"runtime/debug"
	"testing"
)

// Each schedule leaves a whole world behind, and there are tens of thousands: to
// collect them less often takes a third off the time.
func TestMain(m *testing.M) {
	debug.SetGCPercent(3000)
	os.Exit(m.Run())
}
