package reconcile

import (
	"context"
	"slices"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// tryLists is try for a document that AWS may reject for its lists of principals rather
// than for one of the principals: the error is the same. See tryWithoutLists.
func (i *isolation) tryLists(ctx context.Context, principals []string) (refusal, err error) {
	if refusal, tried, err := i.tryWithoutLists(ctx, principals); tried || err != nil {
		return refusal, err
	}
	return i.try(ctx, principals)
}

// tryWithoutLists tries the principals in a statement each, unless AWS has accepted a
// list in this search or there is none to write. What AWS accepts so is tried in lists
// once more. If AWS rejects only the lists, they are the reason: that is noted, and
// errMoved asks for another plan. No principal that was in force is left out meanwhile.
// Where there is no room for a statement each, nothing is tried.
func (i *isolation) tryWithoutLists(ctx context.Context, principals []string) (refusal error, tried bool, err error) {
	lists, singles, err := i.plan.Problem.CompileSingles(principals)
	if err != nil || i.listTaken || !i.holdsList(lists.Document) || lists.Hash != singles.Hash {
		return nil, false, err
	}
	if err := i.count(ctx); err != nil {
		return nil, false, err
	}
	if refusal, err = i.putSolution(ctx, singles); refusal != nil || err != nil {
		return refusal, true, err
	}
	if refusal, err = i.putSolution(ctx, lists); refusal == nil || err != nil {
		return nil, true, err
	}
	i.listsRefused = true
	i.Log.WarnContext(ctx, "AWS rejects a list of principals and accepts each of them alone", "gateway", i.gateway.ARN(), "error", refusal)
	return nil, true, errMoved
}

// holdsList tells whether a statement of ours in the document lists principals.
func (i *isolation) holdsList(document *policy.Document) bool {
	return document != nil && slices.ContainsFunc(document.Statements, func(s policy.Statement) bool {
		return i.plan.Owns(s) && s.Principal != nil && len(s.Principal.AWS) > 1
	})
}
