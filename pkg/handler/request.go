package handler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/grant"
)

// The event that asks for a gateway to be reconciled.
const (
	Source             = "gateway-grants"
	ReconcileRequested = "Reconcile Requested"
)

// Request asks for one gateway, or for every managed one, to be reconciled. It
// encodes to the detail of a Reconcile Requested event.
type Request struct {
	Gateway grant.Gateway // the zero Gateway if Every
	Every   bool          // for a sweep to take apart into requests for one each
	Cause   string
	At      time.Time
}

// Scope is the gateway's ARN, or "*" for every managed one.
func (r Request) Scope() string {
	if r.Every {
		return grant.EveryGateway
	}
	return r.Gateway.ARN()
}

// Requests publishes requests on the bus.
type Requests interface {
	// Request publishes all requests, or fails with *UnsentError.
	Request(ctx context.Context, requests []Request) error
}

// UnsentError is the failure of some requests; all others were published.
type UnsentError struct {
	Requests []Request
	Err      error
}

func (u *UnsentError) Error() string {
	return fmt.Sprintf("%d reconcile requests, the first for %s, could not be published: %v", len(u.Requests), u.Requests[0].Scope(), u.Err)
}

func (u *UnsentError) Unwrap() error { return u.Err }

type requestDetail struct {
	Gateway     string    `json:"gateway"`
	Cause       string    `json:"cause"`
	RequestedAt time.Time `json:"requestedAt,omitzero"`
}

// MarshalJSON encodes the event's detail.
func (r Request) MarshalJSON() ([]byte, error) {
	detail, err := json.Marshal(requestDetail{Gateway: r.Scope(), Cause: r.Cause, RequestedAt: r.At.UTC()})
	if err != nil {
		return nil, fmt.Errorf("encode the request to reconcile %s: %w", r.Scope(), err)
	}
	return detail, nil
}

// UnmarshalJSON reads the event's detail. A request without a valid gateway is
// none.
func (r *Request) UnmarshalJSON(raw []byte) error {
	var detail requestDetail
	if err := json.Unmarshal(raw, &detail); err != nil {
		return fmt.Errorf("read a request to reconcile: %w", err)
	}
	read := Request{Every: detail.Gateway == grant.EveryGateway, Cause: clip(detail.Cause), At: detail.RequestedAt}
	if !read.Every {
		gateway, err := grant.ParseGateway(detail.Gateway)
		if err != nil {
			return err
		}
		read.Gateway = gateway
	}
	*r = read
	return nil
}

// unsent tells which of the requests were not published, given what Request
// returned. An error that does not say means all of them.
func unsent(requests []Request, err error) map[grant.Gateway]error {
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
