package main

import (
	"context"
	"errors"
)

// product is what `sandbox up` has by itself, without anybody deploying it: our
// functions, and what calls them. The zero value is nothing.
type product struct {
	functions  *running
	deployment *deployment
}

func startProduct(ctx context.Context, s *standIn, on site, executables string) (*product, error) {
	if err := createGatewayRole(ctx, on.moto); err != nil {
		return nil, err
	}
	functions, err := startFunctions(ctx, s, on.home, executables, on.endpoint)
	if err != nil {
		return nil, err
	}
	deployed, err := deploy(ctx, on.moto, functions, on.log)
	if err != nil {
		return nil, errors.Join(err, functions.stop())
	}
	s.upstream.TableWritten = func() {
		deployed.wake()
		s.runner.TableWritten()
	}
	return &product{functions, deployed}, nil
}

// run serves streams, events and schedules until ctx ends.
func (p *product) run(ctx context.Context) {
	if p.deployment != nil {
		p.deployment.run(ctx)
	}
}

func (p *product) stop() error {
	if p.functions == nil {
		return nil
	}
	return p.functions.stop()
}
