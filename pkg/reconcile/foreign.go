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

// unchanged reports whether the policy that was read is the one that was in force before
// or is now: AWS may show a write late. Its foreign statements are the same then, byte
// for byte.
func (i *isolation) unchanged(was, now *policy.Document) bool {
	return policy.Equal(now, was) && slices.Equal(i.foreign(now), i.foreign(was))
}

// foreign are the foreign statements of a document, byte for byte and sorted: AWS may
// show statements in another order than they were put in. A statement that means the
// same in other words is another one.
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

// blockedByForeign names the statements of others that AWS most likely refuses.
func (i *isolation) blockedByForeign(refusal error) error {
	document, likely := i.document, "most likely because of "
	which := holdingUniqueIDs(document, i.plan)
	if len(which) == 0 {
		which = namingPrincipals(document, i.plan)
	}
	if len(which) == 0 {
		likely, which = "", foreignNames(document, i.plan, func(policy.Statement) bool { return true })
	}
	return &grant.Error{Code: CodeBlockedByForeign, Op: "put the resource policy", Err: answerOfAWS(refusal),
		Hint: "AWS refuses every document with the statements of others in it, " + likely + strings.Join(which, ", ") +
			"; " + i.remedy() + ", nothing can be changed until then"}
}

// remedy says what ends the rejection. An installation removes the unique ids from its
// own statements. Where two installations both have one, each blocks the other, because
// AWS accepts no document with either.
func (i *isolation) remedy() string {
	sibling, ours := "", false
	for _, s := range i.document.Statements {
		held := s.Principal != nil && slices.ContainsFunc(s.Principal.AWS, policy.IsUniqueID)
		if id := plan.InstallationOf(s); held && i.plan.Owns(s) {
			ours = true
		} else if held && id != "" {
			sibling = id
		}
	}
	switch {
	case sibling == "":
		return "have their owner correct them"
	case ours:
		return "installation " + sibling + " and this one keep each other from taking out what a deleted role left: " +
			"put the policy without the unique ids, by hand with `aws bedrock-agentcore-control put-resource-policy`"
	default:
		return "installation " + sibling + " takes out what a deleted role left when it reconciles the gateway; " +
			"where it no longer runs, end it by `gateway-grants gateway detach --all --installation-id " + sibling + "`"
	}
}

// answerOfAWS is the answer of AWS, without the error that wraps it.
func answerOfAWS(refusal error) error {
	if failure, ok := errors.AsType[*grant.Error](refusal); ok && failure.Err != nil {
		return failure.Err
	}
	return refusal
}

// holdingUniqueIDs names the foreign statements that hold the unique id of a deleted
// principal, which AWS shows but does not accept.
func holdingUniqueIDs(document *policy.Document, p plan.Plan) []string {
	return foreignNames(document, p, func(s policy.Statement) bool {
		return s.Principal != nil && slices.ContainsFunc(s.Principal.AWS, policy.IsUniqueID)
	})
}

// namingPrincipals names the foreign statements that AWS may refuse because a role,
// user or account of theirs is gone.
func namingPrincipals(document *policy.Document, p plan.Plan) []string {
	return foreignNames(document, p, func(s policy.Statement) bool {
		return names(s.Principal) || names(s.NotPrincipal)
	})
}

func names(who *policy.Principals) bool {
	return who != nil && slices.ContainsFunc(who.AWS, func(principal string) bool { return principal != "*" })
}

// foreignNames names the foreign statements for which the condition is true.
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
		case plan.InstallationOf(s) != "":
			names = append(names, "statement "+s.Sid+" of installation "+plan.InstallationOf(s))
		default:
			names = append(names, "statement "+s.Sid)
		}
	}
	return names
}
