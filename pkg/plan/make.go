package plan

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// Make decides what the gateway's policy should be. It fails, with
// CodeProofFailed, only if what it compiled does not do what the grants say.
func Make(world World, limits Limits) (Plan, error) {
	owned, foreign := split(world.Gateway.Policy, limits.Installation)
	said, strange := decompile(owned, world.Gateway.Gateway.ARN(), world.Gateway.Gateway.Partition())
	if blocked := unfit(world.Gateway, limits); blocked != nil {
		return leaveAlone(world, limits, blocked, said, strange), nil
	}

	standing := lasting(said)
	r := &resolver{world: world, limits: limits, standing: standing, selected: map[string][]string{}}
	claims := r.claims()
	wanted := ends(claims)
	c := compiler{
		resource:  world.Gateway.Gateway.ARN(),
		partition: world.Gateway.Gateway.Partition(),
		limits:    limits,
		layout:    layoutOf(wanted),
	}
	c.short = c.mustBeShort(world.Gateway.Policy, foreign, standing, wanted)
	ordered := byPrecedence(wanted, standing, claims)
	admitted := fit(c, world.Gateway.Policy, foreign, wanted, ordered, standing)
	want := document(world.Gateway.Policy, foreign, c.compile(slices.Collect(maps.Keys(admitted))))
	if err := prove(c, want, foreign, admitted); err != nil {
		return Plan{}, err
	}

	plan := Plan{
		Want:     want,
		Write:    !policy.Equal(want, world.Gateway.Policy),
		Hash:     hash(admitted, nil),
		Changes:  changes(claims, standing, lasting(admitted), strange),
		Status:   statuses(world, claims, lasting(admitted)),
		Selected: r.selected,
		Due:      nextExpiry(claims),
	}
	if want != nil {
		plan.Size = measure(want, limits.Accounting)
	}
	plan.Drift = plan.Write && drifted(hash(said, strange), world.Gateway.Recorded.Gateway)
	plan.Notices = notices(world, plan)
	return plan, nil
}

// leaveAlone is the plan for a gateway that no grant can be applied to.
func leaveAlone(world World, limits Limits, blocked *grant.Error, said map[access]bool, strange []policy.Statement) Plan {
	r := resolver{world: world, limits: limits}
	var claims []claim
	for _, row := range r.live() {
		claims = append(claims, claim{row: row, reason: blocked.Code, message: blocked.Hint})
	}
	plan := Plan{
		Want:     world.Gateway.Policy,
		Hash:     hash(said, strange),
		Changes:  changes(claims, nil, nil, nil),
		Status:   statuses(world, claims, nil),
		Selected: world.Gateway.Recorded.Gateway.Selected,
		Blocked:  blocked,
		Due:      nextExpiry(claims),
	}
	if world.Gateway.Policy != nil {
		plan.Size = measure(world.Gateway.Policy, limits.Accounting)
	}
	return plan
}

// document puts our statements behind the foreign ones; with neither there is
// no policy, because an empty Statement is invalid.
func document(base *policy.Document, foreign, owned []policy.Statement) *policy.Document {
	if len(foreign)+len(owned) == 0 {
		return nil
	}
	return base.WithStatements(append(slices.Clone(foreign), owned...)...)
}

// mustBeShort tells whether accounts have to be written as ids: where the
// accounting says so, and where standing access was written so and would not
// fit otherwise.
func (c compiler) mustBeShort(base *policy.Document, foreign []policy.Statement, standing map[access]bool, wanted map[access]int64) bool {
	if c.limits.Accounting == SubmittedSize {
		return true
	}
	long := newFitter(c, base, foreign)
	for a := range standing {
		if _, still := wanted[a]; still && !long.admit(a, true) {
			return true
		}
	}
	return false
}

func lasting(accesses map[access]bool) map[access]bool {
	all := make(map[access]bool, len(accesses))
	for a := range accesses {
		all[a.lasting()] = true
	}
	return all
}

// nothing is the hash of a policy without a statement of ours.
const nothing = "none"

// drifted tells whether what was found is neither what was last seen right nor
// what was last about to be written. A gateway never seen held nothing of ours.
func drifted(found string, recorded GatewayState) bool {
	return found != cmp.Or(recorded.AppliedHash, nothing) && found != recorded.PendingHash
}

// hash names what our statements mean: the same accesses have the same hash,
// however they are written.
func hash(accesses map[access]bool, strange []policy.Statement) string {
	if len(accesses)+len(strange) == 0 {
		return nothing
	}
	var lines []string
	for a := range accesses {
		lines = append(lines, fmt.Sprintf("%s %t %q %d", a.who, a.named, a.where, a.until))
	}
	for _, s := range strange {
		lines = append(lines, s.String())
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return hex.EncodeToString(sum[:8])
}
