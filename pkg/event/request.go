package event

import (
	"encoding/json"
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
	Owners  []string      // of Every: only the gateways of these accounts; nil for all
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

type requestDetail struct {
	Gateway     string    `json:"gateway"`
	Owners      []string  `json:"owners,omitempty"`
	Cause       string    `json:"cause"`
	RequestedAt time.Time `json:"requestedAt,omitzero"`
}

// MarshalJSON encodes the event's detail.
func (r Request) MarshalJSON() ([]byte, error) {
	detail, err := json.Marshal(requestDetail{Gateway: r.Scope(), Owners: r.Owners, Cause: r.Cause, RequestedAt: r.At.UTC()})
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
	read := Request{Every: detail.Gateway == grant.EveryGateway, Cause: OneLine(detail.Cause), At: detail.RequestedAt}
	for _, owner := range detail.Owners {
		if !accountID.MatchString(owner) {
			return fmt.Errorf("read a request to reconcile: owner %q is no account", OneLine(owner))
		}
		read.Owners = append(read.Owners, owner)
	}
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

// Requested is a Reconcile Requested event.
type Requested struct {
	Request Request
	Sender  string // account that the event came from
}

func parseRequest(e envelope) (Event, error) {
	var request Request
	if err := json.Unmarshal(e.Detail, &request); err != nil {
		return nil, e.malformed("its detail names no gateway", err)
	}
	return Requested{Request: request, Sender: e.Account}, nil
}
