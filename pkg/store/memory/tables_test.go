package memory_test

import (
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/store/memory"
	"github.com/gateway-grants/gateway-grants/pkg/store/storetest"
)

func TestGrantsContract(t *testing.T) {
	storetest.Grants(t, func(*testing.T) storetest.GrantsTable { return memory.NewGrants(memory.Config{}) })
}

func TestAccountsContract(t *testing.T) {
	storetest.Accounts(t, func(*testing.T) storetest.AccountsTable { return memory.NewAccounts(memory.Config{}) })
}

func TestStatesContract(t *testing.T) {
	storetest.States(t, func(*testing.T) storetest.StatesTable { return memory.NewStates(memory.Config{}) })
}
