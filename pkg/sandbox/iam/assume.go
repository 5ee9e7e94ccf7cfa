package iam

import (
	"context"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// AssumeRole decides sts:AssumeRole of the role with this ARN and trust policy, nil
// if it does not exist. The context holds the request's condition keys. Unlike
// other resource policies, a trust policy has to let the caller in within its own
// account, too.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics.html
func (d Decider) AssumeRole(ctx context.Context, caller Caller, roleARN string, trust *policy.Document, keys map[string][]string) (policy.Decision, error) {
	call := policy.Call{Action: "sts:AssumeRole", Resource: roleARN, Context: keys}
	if trust != nil {
		call.ResourcePolicy = aboutRole(trust, roleARN)
	}
	if !trusted(caller, call) {
		// Judged as from another account, where nothing goes without the trust.
		call.ResourceAccount = nobodysAccount
	}
	return d.Decide(ctx, caller, call)
}

const nobodysAccount = "000000000000"

// trusted says whether the trust policy alone lets the caller in: with everything
// allowed on its own side, and judged as from another account, only the trust
// policy is left to decide.
func trusted(caller Caller, call policy.Call) bool {
	call.Caller = caller.Principal()
	call.Identity = []*policy.Document{allowAll}
	call.ResourceAccount = nobodysAccount
	return policy.Evaluate(call).Allowed
}

var allowAll = &policy.Document{Version: policy.Version2012, Statements: []policy.Statement{{
	Effect: policy.Allow, Action: []string{"*"}, Resource: []string{"*"},
}}}

// aboutRole names the resource that a trust policy leaves out.
func aboutRole(trust *policy.Document, roleARN string) *policy.Document {
	statements := make([]policy.Statement, 0, len(trust.Statements))
	for _, statement := range trust.Statements {
		statement.Resource = []string{roleARN}
		statements = append(statements, statement)
	}
	return trust.WithStatements(statements...)
}
