package plan

import (
	"cmp"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
)

// repeats reports whether the plan would only write again what was last seen right: no
// grant ended since then, so that what it would remove was added by others under our
// name. A write of ours whose end is not recorded may have added something else.
func (p *Plan) repeats(recorded ledger.Ledger) bool {
	return p.Hash == cmp.Or(recorded.AppliedHash, nothing) && (recorded.PendingHash == "" || recorded.PendingHash == p.Hash)
}

// Overwriter says who most likely keeps changing our statements, by what the plan
// would put right.
func (p Plan) Overwriter() string {
	id := p.Problem.Limits.Installation
	if p.Revokes() {
		return "another deployment with the same installation id, " + id + ", or an automation that writes statements under its name"
	}
	return "an automation or a person that writes the whole policy without the statements of installation " + id
}

// putOff leaves the write until the back-off has ended.
func (p *Plan) putOff(until time.Time, standing map[Access]bool, d *draft) {
	at := until.UTC().Format(time.RFC3339)
	p.withhold(&grant.Error{
		Code: grant.CodeOverwrittenByOther, Op: "put the resource policy",
		Hint: "the statements of this installation are changed again and again, most likely by " + p.Overwriter() +
			"; find out who by CloudTrail or the notices, they are put back at " + at,
	}, "others keep taking it out of the policy; it is put back at "+at, standing, d)
	if p.Due.IsZero() || until.Before(p.Due) {
		p.Due = until
	}
}
