package reconcile

import (
	"context"
	"time"

	"github.com/gateway-grants/gateway-grants/pkg/directory"
	"github.com/gateway-grants/gateway-grants/pkg/grant"
	"github.com/gateway-grants/gateway-grants/pkg/ledger"
	"github.com/gateway-grants/gateway-grants/pkg/plan"
	"github.com/gateway-grants/gateway-grants/pkg/policy"
)

// Gateways is AgentCore's control plane, as far as a reconcile needs it. Every
// error is one of the coded failures of this package, or unknown.
type Gateways interface {
	// Describe reads the gateway and its tags. A gateway that does not exist is
	// a description with Exists false, not an error. Policy and Recorded are
	// left empty.
	Describe(ctx context.Context, gateway grant.Gateway) (plan.Observed, error)
	// Policy reads the resource policy, nil for none.
	Policy(ctx context.Context, gateway grant.Gateway) (*policy.Document, error)
	// PutPolicy replaces the whole resource policy.
	PutPolicy(ctx context.Context, gateway grant.Gateway, document *policy.Document) error
	// DeletePolicy removes the resource policy; that there is none is no error.
	DeletePolicy(ctx context.Context, gateway grant.Gateway) error
}

// Grants reads the grants table.
type Grants interface {
	// ForGateway reads every row for the gateway and for every gateway,
	// consistently, or fails: a table that cannot prove itself by its sentinel
	// row is an error.
	ForGateway(ctx context.Context, gateway grant.Gateway) ([]grant.Row, error)
	// Approvals reads, consistently, what admins approved about the gateway.
	Approvals(ctx context.Context, gateway grant.Gateway) (grant.Approvals, error)
}

// Directory reads the accounts table.
type Directory interface {
	// Lookup reads what the selectors match and which of the accounts are
	// members. Where no complete listing has ended the snapshot is Absent.
	Lookup(ctx context.Context, selectors []grant.Principal, accounts []string) (directory.Snapshot, error)
	// IsOwner reports whether the account is on the list of those whose gateways are
	// managed, or fails: a list that cannot prove itself by its sentinel is an error.
	IsOwner(ctx context.Context, account string) (bool, error)
}

// States keeps what is recorded about gateways.
type States interface {
	// Load reads everything recorded about the gateway; nothing recorded is the
	// zero State.
	Load(ctx context.Context, gateway grant.Gateway) (ledger.State, error)
	// Update applies the transition to what is recorded, and returns what is recorded
	// then. It starts from the state that the caller loaded last; where another update
	// came in between, it loads the state and applies the transition again. It fails
	// with ledger.CodeVersionConflict if the transition does, or if other updates keep
	// coming in between. A transition that changes nothing writes nothing.
	Update(ctx context.Context, gateway grant.Gateway, loaded ledger.State, transition ledger.Transition) (ledger.State, error)
	// Journal adds what a write did. Entries end by themselves.
	Journal(ctx context.Context, gateway grant.Gateway, entry Entry) error
}

// Entry is one write in the journal of a gateway.
type Entry struct {
	At       time.Time
	Cause    string // what asked for the reconcile
	By       string // ARN of who did it, where that is known
	PlanHash string // of our statements as written
	Observed string // the document that was there before; "" for none
	Written  string // the document written; "" for a deletion
	Outcome  string // "written", or the code of the failure
}

// Notices publishes what people and their tools want to know.
type Notices interface {
	Publish(ctx context.Context, notices []plan.Notice) error
}
