package simulation

import (
	"context"
	"slices"
	"strings"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// sharedGateway adds access although another installation keeps the policy: it sees
// the sibling's statements under another name, and puts them back under their own.
type sharedGateway struct{ reconcile.Gateways }

func siblingOverlooked(_ *run, d *reconcile.Dependencies, _ *plan.Limits) {
	d.Gateways = sharedGateway{d.Gateways}
}

const overlooked = "Overlooked"

func renamed(document *policy.Document, from, to string) *policy.Document {
	if document == nil {
		return nil
	}
	statements := slices.Clone(document.Statements)
	for i, s := range statements {
		if rest, has := strings.CutPrefix(s.Sid, from); has {
			text := strings.Replace(document.WithStatements(s).String(), s.Sid, to+rest, 1)
			statements[i] = parse(text).Statements[0]
		}
	}
	return document.WithStatements(statements...)
}

func (s sharedGateway) Policy(ctx context.Context, g grant.Gateway) (*policy.Document, error) {
	document, err := s.Gateways.Policy(ctx, g)
	return renamed(document, siblingPrefix, overlooked), err
}

func (s sharedGateway) PutPolicy(ctx context.Context, g grant.Gateway, document *policy.Document) error {
	return s.Gateways.PutPolicy(ctx, g, renamed(document, overlooked, siblingPrefix))
}

// siblingsIDTakenOut takes out of another installation's statements what a deleted
// role left, so that AWS takes the document.
func siblingsIDTakenOut(_ *run, d *reconcile.Dependencies, _ *plan.Limits) {
	d.Gateways = rewriting{d.Gateways, func(document *policy.Document) *policy.Document {
		var kept []policy.Statement
		for _, s := range document.Statements {
			if isSiblings(s) {
				who := *s.Principal
				who.AWS = slices.DeleteFunc(slices.Clone(who.AWS), policy.IsUniqueID)
				if s.Principal = &who; len(who.AWS) == 0 {
					continue
				}
			}
			kept = append(kept, s)
		}
		if len(kept) == 0 {
			return nil
		}
		return document.WithStatements(kept...)
	}}
}

// backOffIgnored puts back at once whatever others change, however often they do.
func backOffIgnored(_ *run, d *reconcile.Dependencies, _ *plan.Limits) {
	d.States = statesAs{States: d.States, load: func(state ledger.State) ledger.State {
		state.Gateway.Overwritten = min(state.Gateway.Overwritten, 2)
		return state
	}}
}

// unprovable has a proof fail for a condition that is spelled in an unusual way, and
// the whole run with it.
func unprovable(_ *run, d *reconcile.Dependencies, _ *plan.Limits) {
	d.Grants = rowsAs{d.Grants, func(rows []grant.Row, err error) ([]grant.Row, error) {
		for _, row := range rows {
			if row.Fault == nil && slices.Contains(row.Grant.Conditions.SourceIP, address6) {
				return nil, &grant.Error{Code: grant.CodeProofFailed, Op: "prove the compiled policy", Hint: "planted"}
			}
		}
		return rows, err
	}}
}
