package handler

import (
	"context"
	"errors"
	"fmt"

	"github.com/gateway-grants/gateway-grants/pkg/event"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// Requests publishes requests on the bus.
type Requests interface {
	// Request publishes all requests, or fails with *UnsentError.
	Request(ctx context.Context, requests []event.Request) error
}

// UnsentError is the failure of some requests; all others were published.
type UnsentError struct {
	Requests []event.Request
	Err      error
}

func (u *UnsentError) Error() string {
	return fmt.Sprintf("%d reconcile requests, the first for %s, could not be published: %v", len(u.Requests), u.Requests[0].Scope(), u.Err)
}

func (u *UnsentError) Unwrap() error { return u.Err }

// unsent lists the requests that were not published, given what Request
// returned. An error that does not say means all of them.
func unsent(requests []event.Request, err error) map[grant.Gateway]error {
	if err == nil {
		return nil
	}
	if some, ok := errors.AsType[*UnsentError](err); ok {
		requests = some.Requests
	}
	lost := make(map[grant.Gateway]error, len(requests))
	for _, request := range requests {
		lost[request.Gateway] = err
	}
	return lost
}
