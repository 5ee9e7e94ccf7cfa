package plan

import "github.com/gateway-grants/gateway-grants/pkg/ledger"

// Attention is what needs attention about one gateway. The zero Attention is
// nothing.
type Attention struct {
	Failing    bool // its policy may not be what its grants say
	LeftOut    int  // live grants that are left out, wholly or partly, or cannot be understood
	NearlyFull bool // its policy has little room left
	LetsIn     bool // it is not managed, and its policy still has statements of this installation
}

// A policy with less room than this is nearly full.
const (
	fewBytes      = 2000
	fewStatements = 10
)

// NearlyFull reports whether a policy of that size leaves little room.
func NearlyFull(size ledger.Size) bool {
	return MaxPolicyBytes-size.Bytes < fewBytes || MaxPolicyStatements-size.Statements < fewStatements
}
