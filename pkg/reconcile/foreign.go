package reconcile

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// unchanged tells whether what is read is what was in force before or is now: AWS
// may show a write late. What others say in it is the same then, byte for byte.
func (i *isolation) unchanged(was, now *policy.Document) bool {
	return policy.Equal(now, was) && slices.Equal(i.foreign(now), i.foreign(was))
}

// foreign are the statements of others in a document, byte for byte: one that says
// the same in other words is to be kept as it is, too. AWS may show statements in
// another order than they were put in.
func (i *isolation) foreign(document *policy.Document) []string {
	if document == nil {
		return nil
	}
	var texts []string
	for _, s := range document.Statements {
		if !i.plan.Owns(s) {
			texts = append(texts, s.String())
		}
	}
	slices.Sort(texts)
	return texts
}

func (i *isolation) blockedByForeign(refusal error) error {
	which := strings.Join(foreignNames(i.world.Gateway.Policy, i.plan, func(policy.Statement) bool { return true }), ", ")
	if left := holdingUniqueIDs(i.world.Gateway.Policy, i.plan); len(left) > 0 {
		which = "most likely because of " + strings.Join(left, ", ")
	}
	return &grant.Error{Code: CodeBlockedByForeign, Op: "put the resource policy", Err: saidByAWS(refusal),
		Hint: "AWS refuses every document with the statements of others in it, " + which +
			"; have their owner correct them, nothing can be changed until then"}
}

// saidByAWS is what AWS answered, without what was made of it.
func saidByAWS(refusal error) error {
	if failure, ok := errors.AsType[*grant.Error](refusal); ok && failure.Err != nil {
		return failure.Err
	}
	return refusal
}

// holdingUniqueIDs names the foreign statements that hold the unique id of a deleted
// principal, which AWS shows but does not accept.
func holdingUniqueIDs(document *policy.Document, p plan.Plan) []string {
	return foreignNames(document, p, func(s policy.Statement) bool {
		return s.Principal != nil && slices.ContainsFunc(s.Principal.AWS, plan.IsUniqueID)
	})
}

// foreignNames names the statements of others of which that is true.
func foreignNames(document *policy.Document, p plan.Plan, is func(policy.Statement) bool) []string {
	var names []string
	if document == nil {
		return nil
	}
	for n, s := range document.Statements {
		switch {
		case p.Owns(s) || !is(s):
		case s.Sid == "":
			names = append(names, fmt.Sprintf("the statement without a Sid at position %d", n+1))
		default:
			names = append(names, "statement "+s.Sid)
		}
	}
	return names
}
