package memory

import (
	"context"

	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/store"
)

// RecordedOwners reads what is recorded of owner accounts, by account.
func (s *States) RecordedOwners(ctx context.Context) (owners map[string]ledger.Owner, err error) {
	err = s.table.read(ctx, "read which owners have joined", func(v *view) error {
		owners, err = store.ParseOwners(v.partition(store.OwnersPartition))
		return err
	})
	return owners, err
}

// SetOwner records an owner account.
func (s *States) SetOwner(ctx context.Context, account string, owner ledger.Owner) error {
	return s.table.write(ctx, "record owner "+account, func(v *view) error { return v.put(store.OwnerItem(account, owner)) })
}
