package reconcile

import (
	"context"
	"slices"

	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// tryLists is try for a document that AWS may reject for its lists of principals rather
// than for one of the principals: the error is the same. See tryWithoutLists.
func (i *isolation) tryLists(ctx context.Context, principals []string) (rejection error, goesOn bool, err error) {
	if rejection, tried, goesOn, err := i.tryWithoutLists(ctx, principals); tried || !goesOn {
		return rejection, goesOn, err
	}
	return i.try(ctx, principals)
}

// tryWithoutLists tries the principals in a statement each, unless AWS has accepted a
// list in this search or there is none to write. What AWS accepts so is tried in lists
// once more. If AWS rejects only the lists, they are the reason: that is noted, and the
// search ends, because another plan is needed. No principal that was in force is left
// out meanwhile. Where there is no room for a statement each, nothing is tried.
func (i *isolation) tryWithoutLists(ctx context.Context, principals []string) (rejection error, tried, goesOn bool, err error) {
	lists, singles, err := i.plan.Problem.CompileSingles(principals)
	if err != nil || i.listTaken || !i.holdsList(lists.Document) || lists.Hash != singles.Hash {
		return nil, false, err == nil, err
	}
	if err := i.count(ctx); err != nil {
		return nil, false, false, err
	}
	if rejection, goesOn, err = i.putSolution(ctx, singles); rejection != nil || !goesOn {
		return rejection, true, goesOn, err
	}
	if rejection, goesOn, err = i.putSolution(ctx, lists); rejection == nil || !goesOn {
		return nil, true, goesOn, err
	}
	i.run.learned.ListsRefused = true
	i.run.Log.WarnContext(ctx, "AWS rejects a list of principals and accepts each of them alone", "gateway", i.run.gateway.ARN(), "error", rejection)
	return nil, true, false, nil
}

// holdsList reports whether a statement of ours in the document lists principals.
func (i *isolation) holdsList(document *policy.Document) bool {
	return document != nil && slices.ContainsFunc(document.Statements, func(s policy.Statement) bool {
		return i.plan.Owns(s) && s.Principal != nil && len(s.Principal.AWS) > 1
	})
}
