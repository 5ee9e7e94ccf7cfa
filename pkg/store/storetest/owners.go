package storetest

import (
	"testing"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/ledger"
)

func ownersAreKept(t *testing.T, table StatesTable) {
	whole := filled[ledger.Owner]()
	joined := whole
	joined.FailingSince, joined.Message = time.Time{}, ""
	for _, owner := range []ledger.Owner{joined, whole, joined} {
		must(t, table.SetOwner(t.Context(), "444455556666", owner))
		must(t, table.SetOwner(t.Context(), "777788889999", joined))
		got, err := table.RecordedOwners(t.Context())
		must(t, err)
		same(t, "owners", map[string]ledger.Owner{"444455556666": owner, "777788889999": joined}, got)
	}
	due, err := table.Due(t.Context(), time.Now().AddDate(10, 0, 0))
	must(t, err)
	same(t, "due", 0, len(due))
}
