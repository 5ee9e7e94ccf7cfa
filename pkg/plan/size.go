package plan

import (
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// meter measures policies in one partition, under one accounting.
type meter struct {
	accounting Accounting
	partition  string
}

// measure is the size of a document; nil has none.
func (m meter) measure(document *policy.Document) ledger.Size {
	if document == nil {
		return ledger.Size{}
	}
	size := ledger.Size{Bytes: len(document.Bytes()), Statements: len(document.Statements)}
	for _, s := range document.Statements {
		size.Bytes += m.expansion(s)
	}
	return size
}

// expansion is what a statement gains where AWS expands the account ids among
// its principals to root ARNs before it measures.
func (m meter) expansion(s policy.Statement) int {
	total := 0
	for _, principals := range []*policy.Principals{s.Principal, s.NotPrincipal} {
		if principals != nil {
			for _, written := range principals.AWS {
				total += m.expanded(written)
			}
		}
	}
	return total
}

// expanded is by how much one principal grows. An id stands for the root of the
// account in the partition of the policy:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
func (m meter) expanded(principal string) int {
	if m.accounting == SubmittedSize || !policy.IsAccountID(principal) {
		return 0
	}
	return len(policy.AccountRoot(m.partition, principal).String()) - len(principal)
}

// room is how large a policy may become: as large as the limits allow, or as what
// stands where that is larger already, because a policy must be allowed to shrink.
type room struct {
	size    ledger.Size // as accounted
	written int         // bytes as they are sent
}

func (c compiler) room(base *policy.Document) room {
	r := room{size: ledger.Size{Bytes: c.limits.MaxBytes, Statements: c.limits.MaxStatements}, written: c.limits.MaxBytes}
	if base == nil {
		return r
	}
	before := c.meter().measure(base)
	r.size.Bytes = max(r.size.Bytes, before.Bytes)
	r.size.Statements = max(r.size.Statements, before.Statements)
	r.written = max(r.written, len(base.Bytes()))
	return r
}

func (c compiler) meter() meter { return meter{c.limits.Accounting, c.partition} }
