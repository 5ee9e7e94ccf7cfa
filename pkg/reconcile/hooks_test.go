package reconcile_test

import (
	"context"
	"errors"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// hooks run before calls of one run, which ends where one of them fails.
type hooks struct {
	*gateways
	reconcile.States
	beforeBegin  func()
	beforeRecord func() error
	beforePut    func() error
	beforePolicy func()
	afterPolicy  func()
}

func (h *hooks) Update(ctx context.Context, gateway grant.Gateway, loaded ledger.State, transition ledger.Transition) (ledger.State, error) {
	_, begins := transition.(ledger.BeginWrite)
	if begins && h.beforeBegin != nil {
		h.beforeBegin()
	}
	if !begins && h.beforeRecord != nil {
		if err := h.beforeRecord(); err != nil {
			return ledger.State{}, err
		}
	}
	return h.States.Update(ctx, gateway, loaded, transition)
}

func (h *hooks) PutPolicy(ctx context.Context, gateway grant.Gateway, document *policy.Document) error {
	if h.beforePut != nil {
		if err := h.beforePut(); err != nil {
			return err
		}
	}
	return h.gateways.PutPolicy(ctx, gateway, document)
}

func (h *hooks) Policy(ctx context.Context, gateway grant.Gateway) (*policy.Document, error) {
	if h.beforePolicy != nil {
		h.beforePolicy()
	}
	document, err := h.gateways.Policy(ctx, gateway)
	if h.afterPolicy != nil {
		h.afterPolicy()
	}
	return document, err
}

// hooked is a reconciler like the cloud's, with hooks of its own.
func (c *cloud) hooked(h *hooks) *reconcile.Reconciler {
	d := c.reconciler.Dependencies
	h.gateways, h.States = c.gateways, c.states
	d.Gateways, d.States = h, h
	return reconcile.New(d, plan.DefaultLimits())
}

func (c *cloud) run(r *reconcile.Reconciler) error {
	_, err := r.Reconcile(c.t.Context(), c.gateway, reconcile.Cause{Text: "test"})
	return err
}

var errCrash = errors.New("the function was killed")
