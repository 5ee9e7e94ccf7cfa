package boot

import (
	"runtime/debug"
	"testing"
)

func TestTheCollectorKnowsTheFunctionsMemory(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	limitMemory(512)
	if got := debug.SetMemoryLimit(-1); got != 448<<20 {
		t.Errorf("the limit is %d MiB", got>>20)
	}
	limitMemory(0)
	if got := debug.SetMemoryLimit(-1); got != 448<<20 {
		t.Errorf("no limit is taken for one of %d", got)
	}
}
