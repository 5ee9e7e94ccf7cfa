package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/gateway-grants/gateway-grants/pkg/foreign"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
	"github.com/gateway-grants/gateway-grants/pkg/reconcile"
)

// hidingGateways shows the policies of gateways without some statements of others, so
// that a put replaces these as well, and puts no policy that lets in other callers than
// the one in force.
type hidingGateways struct {
	reconcile.Gateways

	hidden []policy.Statement // in whatever spelling AWS shows them
}

// rest is the document without the hidden statements; nil where nothing is left.
func (h hidingGateways) rest(document *policy.Document) (rest *policy.Document, found bool) {
	if document == nil {
		return nil, false
	}
	var kept []policy.Statement
	for _, s := range document.Statements {
		if !slices.ContainsFunc(h.hidden, s.Equal) {
			kept = append(kept, s)
		}
	}
	switch {
	case len(kept) == len(document.Statements):
		return document, false
	case len(kept) == 0:
		return nil, true
	}
	return document.WithStatements(kept...), true
}

func (h hidingGateways) Policy(ctx context.Context, gateway grant.Gateway) (*policy.Document, error) {
	document, err := h.Gateways.Policy(ctx, gateway)
	rest, _ := h.rest(document)
	return rest, err
}

func (h hidingGateways) PutPolicy(ctx context.Context, gateway grant.Gateway, wanted *policy.Document) error {
	inForce, err := h.Gateways.Policy(ctx, gateway)
	if err != nil {
		return err
	}
	if _, err := foreign.Same(inForce, wanted, gateway); err != nil {
		return err
	}
	return h.Gateways.PutPolicy(ctx, gateway, wanted)
}

func (h hidingGateways) DeletePolicy(ctx context.Context, gateway grant.Gateway) error {
	inForce, err := h.Gateways.Policy(ctx, gateway)
	if err != nil {
		return err
	}
	if _, err := foreign.Same(inForce, nil, gateway); err != nil {
		return err
	}
	return h.Gateways.DeletePolicy(ctx, gateway)
}

// removeHidden takes out the hidden statements that are still there, as where a
// function put this installation's own beside them first.
func (h hidingGateways) removeHidden(ctx context.Context, gateway grant.Gateway) error {
	for range detachAttempts {
		document, err := h.Gateways.Policy(ctx, gateway)
		if err != nil {
			return err
		}
		rest, found := h.rest(document)
		switch {
		case !found:
			return nil
		case rest == nil:
			err = h.DeletePolicy(ctx, gateway)
		default:
			err = h.PutPolicy(ctx, gateway, rest)
		}
		if err != nil && grant.CodeOf(err) != reconcile.CodeUnknownOutcome { // which the next reading shows
			return err
		}
	}
	return fmt.Errorf("import %s: the statements were put back each time they were replaced: find out which writer does that, and run it again", gateway)
}
