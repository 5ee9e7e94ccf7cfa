package iam

import (
	"context"
	"fmt"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// IdentityPolicies finds what a caller's own side allows: the inline and
// attached policies of the user (and its groups) or of the role. None is not an
// error; a principal that no longer exists is ErrNotFound.
type IdentityPolicies interface {
	IdentityPolicies(ctx context.Context, caller Caller) ([]*policy.Document, error)
}

// Decider decides calls by both sides' policies.
type Decider struct {
	Policies IdentityPolicies
	// Record, if set, is given every decision with all that it was made from.
	// It may be called from several goroutines at once.
	Record func(policy.Call, policy.Decision)
}

// Decide says whether the caller may make the call. The call needs an action, a
// resource, its account, its policy and the request's context; who calls, and
// what identity policies say, is filled in here. An error means that the
// caller's policies could not be read and that nothing was decided.
func (d Decider) Decide(ctx context.Context, caller Caller, call policy.Call) (policy.Decision, error) {
	identity, err := d.Policies.IdentityPolicies(ctx, caller)
	if err != nil {
		return policy.Decision{}, fmt.Errorf("reading the identity policies of %s: %w", caller.ARN, err)
	}
	call.Caller = caller.Principal()
	call.Identity = identity

	decision := policy.Evaluate(call)
	if d.Record != nil {
		d.Record(call, decision)
	}
	return decision, nil
}
