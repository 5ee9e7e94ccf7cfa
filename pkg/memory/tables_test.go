package memory_test

import (
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/memory"
	"github.com/gateway-grants/gateway-grants/pkg/tabletest"
)

func TestTheGrantsTableKeepsItsContract(t *testing.T) {
	tabletest.Grants(t, func(*testing.T) tabletest.GrantsTable { return memory.NewGrants(memory.Config{}) })
}
