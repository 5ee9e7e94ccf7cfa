package simulation

import (
	"context"
	"slices"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// firstPass assumes, once it has written, that everything is as it wrote it.
type firstPass struct {
	reconcile.Gateways
	reconcile.Grants
	reconcile.Directory

	wrote    bool
	document *policy.Document
	rows     []grant.Row
	snapshot directory.Snapshot
	unknown  error
}

func onePassOnly(_ *run, d *reconcile.Dependencies, _ *plan.Limits) {
	f := &firstPass{Gateways: d.Gateways, Grants: d.Grants, Directory: d.Directory}
	d.Gateways, d.Grants, d.Directory = f, f, f
}

func (f *firstPass) Policy(ctx context.Context, g grant.Gateway) (*policy.Document, error) {
	if f.wrote {
		return f.document, nil
	}
	return f.Gateways.Policy(ctx, g)
}

func (f *firstPass) ForGateway(ctx context.Context, g grant.Gateway) (_ []grant.Row, err error) {
	if !f.wrote {
		f.rows, err = f.Grants.ForGateway(ctx, g)
	}
	return f.rows, err
}

func (f *firstPass) Lookup(ctx context.Context, selectors []grant.Principal, accounts []string) (directory.Snapshot, error) {
	if !f.wrote {
		f.snapshot, f.unknown = f.Directory.Lookup(ctx, selectors, accounts)
	}
	return f.snapshot, f.unknown
}

func (f *firstPass) PutPolicy(ctx context.Context, g grant.Gateway, document *policy.Document) error {
	err := f.Gateways.PutPolicy(ctx, g, document)
	f.believe(document, err)
	return err
}

func (f *firstPass) DeletePolicy(ctx context.Context, g grant.Gateway) error {
	err := f.Gateways.DeletePolicy(ctx, g)
	f.believe(nil, err)
	return err
}

func (f *firstPass) believe(document *policy.Document, err error) {
	if code := grant.CodeOf(err); err == nil || code == reconcile.CodeUnknownOutcome {
		f.wrote, f.document = true, document
	}
}

// rewriting alters what is put.
type rewriting struct {
	reconcile.Gateways
	rewrite func(document *policy.Document) *policy.Document
}

func (r rewriting) PutPolicy(ctx context.Context, g grant.Gateway, document *policy.Document) error {
	if document = r.rewrite(document); document == nil {
		return r.DeletePolicy(ctx, g)
	}
	return r.Gateways.PutPolicy(ctx, g, document)
}

func foreignOverwritten(_ *run, d *reconcile.Dependencies, _ *plan.Limits) {
	d.Gateways = rewriting{d.Gateways, ownedOnly}
}

func wildcardNamed(_ *run, d *reconcile.Dependencies, _ *plan.Limits) {
	d.Gateways = rewriting{d.Gateways, func(document *policy.Document) *policy.Document {
		return replaced(document, func([]string) []string { return []string{"*"} })
	}}
}

// standingEvicted drops the first standing principal of a statement for a new one, as
// if there were room for one of them only.
func standingEvicted(n *run, d *reconcile.Dependencies, _ *plan.Limits) {
	d.Gateways = rewriting{d.Gateways, func(document *policy.Document) *policy.Document {
		return replaced(document, func(principals []string) []string {
			standing := principalsOf(ownedOnly(n.read))
			first := slices.IndexFunc(principals, func(p string) bool { return slices.Contains(standing, p) })
			newcomer := slices.IndexFunc(principals, func(p string) bool { return !slices.Contains(standing, p) })
			if first < 0 || newcomer < 0 {
				return principals
			}
			return slices.Delete(slices.Clone(principals), first, first+1)
		})
	}}
}

// replaced is the document with other principals in the product's first statement.
func replaced(document *policy.Document, with func([]string) []string) *policy.Document {
	owned, foreign := split(document)
	if len(owned) == 0 {
		return document
	}
	who := *owned[0].Principal
	who.AWS = with(who.AWS)
	owned = slices.Clone(owned)
	owned[0].Principal = &who
	if len(who.AWS) == 0 {
		owned = owned[1:]
	}
	if len(owned)+len(foreign) == 0 {
		return nil
	}
	return document.WithStatements(append(foreign, owned...)...)
}

// blaming takes principals out of a refused document, one after the other, until
// AWS takes it: good ones, too.
type blaming struct{ reconcile.Gateways }

func goodPrincipalCut(_ *run, d *reconcile.Dependencies, _ *plan.Limits) {
	d.Gateways = blaming{d.Gateways}
}

func (b blaming) PutPolicy(ctx context.Context, g grant.Gateway, document *policy.Document) error {
	for {
		err := b.Gateways.PutPolicy(ctx, g, document)
		if grant.CodeOf(err) != reconcile.CodePrincipalRejected || ownedOnly(document) == nil {
			return err
		}
		if document = replaced(document, func(principals []string) []string { return principals[1:] }); document == nil {
			return b.DeletePolicy(ctx, g)
		}
	}
}

// reading reads the policy once a pass.
type reading struct {
	reconcile.Gateways
	read     bool
	document *policy.Document
}

func noReread(_ *run, d *reconcile.Dependencies, _ *plan.Limits) {
	d.Gateways = &reading{Gateways: d.Gateways}
}

func (r *reading) Describe(ctx context.Context, g grant.Gateway) (plan.Observed, error) {
	r.read = false
	return r.Gateways.Describe(ctx, g)
}

func (r *reading) Policy(ctx context.Context, g grant.Gateway) (_ *policy.Document, err error) {
	if !r.read {
		r.document, err = r.Gateways.Policy(ctx, g)
		r.read = err == nil
	}
	return r.document, err
}

// sharing has one gateway's failure keep the product from the other.
type sharing struct {
	reconcile.Gateways
	n *run
}

func failureShared(n *run, d *reconcile.Dependencies, _ *plan.Limits) {
	d.Gateways = sharing{d.Gateways, n}
}

func (s sharing) Describe(ctx context.Context, g grant.Gateway) (plan.Observed, error) {
	w := s.n.w
	if w.tripped && s.n.gateway == w.gateways[0] {
		return plan.Observed{}, throttled.failure("describe")
	}
	observed, err := s.Gateways.Describe(ctx, g)
	w.tripped = w.tripped || err != nil && s.n.gateway == w.gateways[1]
	return observed, err
}

// givingUp treats a document that AWS rejects without a reason as a failure that no
// search can resolve.
type givingUp struct{ reconcile.Gateways }

func refusedGivenUp(_ *run, d *reconcile.Dependencies, _ *plan.Limits) {
	d.Gateways = givingUp{d.Gateways}
}

func (g givingUp) PutPolicy(ctx context.Context, gateway grant.Gateway, document *policy.Document) error {
	err := g.Gateways.PutPolicy(ctx, gateway, document)
	if grant.CodeOf(err) == reconcile.CodeInvalidPolicy {
		return &grant.Error{Code: reconcile.CodeUnknown, Op: "put the resource policy", Err: err}
	}
	return err
}
