package memory_test

import (
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/memory"
	"github.com/gateway-grants/gateway-grants/pkg/tabletest"
)

func TestTheGrantsTableKeepsItsContract(t *testing.T) {
	tabletest.Grants(t, func(*testing.T) tabletest.GrantsTable { return memory.NewGrants(memory.Config{}) })
}

func TestTheAccountsTableKeepsItsContract(t *testing.T) {
	tabletest.Accounts(t, func(*testing.T) tabletest.AccountsTable { return memory.NewAccounts(memory.Config{}) })
}

func TestTheStateTableKeepsItsContract(t *testing.T) {
	tabletest.States(t, func(*testing.T) tabletest.StatesTable { return memory.NewStates(memory.Config{}) })
}
