package storetest

import (
	"testing"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

func takeoversApproved(t *testing.T, table GrantsTable) {
	must(t, table.PutSentinel(t.Context()))
	none, err := table.Takeover(t.Context(), alpha)
	must(t, err)
	same(t, "no approval", grant.Takeover{}, none)
	for _, approved := range []grant.Takeover{{Found: "0123456789abcdef", At: at(1)}, {Found: "fedcba9876543210", At: at(2)}} {
		must(t, table.ApproveTakeover(t.Context(), alpha, approved, "arn:aws:iam::111122223333:role/Admin"))
		got, err := table.Takeover(t.Context(), alpha)
		must(t, err)
		same(t, "approval", approved, got)
	}
	other, err := table.Takeover(t.Context(), beta)
	must(t, err)
	same(t, "approval of another gateway", grant.Takeover{}, other)
	rows, err := table.ForGateway(t.Context(), alpha)
	must(t, err)
	same(t, "rows of the gateway", 0, len(rows))
	all, err := table.All(t.Context())
	must(t, err)
	same(t, "rows of the table", 0, len(all))
	texts, err := table.Texts(t.Context())
	must(t, err)
	same(t, "texts of rows", 0, len(texts))
}
